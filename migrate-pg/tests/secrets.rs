//! No password of a statement or of a connection string in an event, a report, an error, a log or the ledger.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::{Event, testing};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex};
use support::{Builder, create, migration, migrator, value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

const SECRET: &str = "hunter2";

/// Everything that is logged, at every level, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field} {value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn all(role: &str, fails: bool) -> Vec<Builder> {
    let mend = if fails { "NO SUCH OPTION" } else { "" };
    let in_function = format!("DO $do$ BEGIN EXECUTE 'ALTER ROLE {role} PASSWORD ''{SECRET}'' {mend}'; END $do$");
    vec![
        create(1, "a"),
        migration(2, "Role")
            .step(&format!("CREATE ROLE {role} PASSWORD '{SECRET}'"), &format!("DROP ROLE {role}"))
            .step(
                &format!("ALTER ROLE {role} PASSWORD E'{SECRET}\\n' VALID UNTIL 'infinity'"),
                &format!("ALTER ROLE {role} PASSWORD $x${SECRET}$x$"),
            )
            .stepwise(),
        migration(3, "Inside").step(&in_function, ""),
        migration(4, "Alone").step(&format!("VACUUM /* password = '{SECRET}' */ a"), ""),
    ]
}

/// One for both tests.
fn log() -> Log {
    static LOG: LazyLock<Log> = LazyLock::new(|| {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.clone()).unwrap();
        log
    });
    LOG.clone()
}

/// The server quotes what it could not convert; every role may read the ledger, and logs go anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_row_is_logged_or_kept() {
    const VALUE: &str = "john@example.com";
    let log = log();
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute(&format!("INSERT INTO a VALUES (1, '{VALUE}')")).await.unwrap();
    let raises = "DO $$ DECLARE w text; BEGIN SELECT v INTO w FROM a; RAISE 'not %', w USING HINT = w; END $$";
    for (version, sql, sqlstate) in [
        (2, "ALTER TABLE a ALTER COLUMN v TYPE bigint USING v::bigint", "22P02"),
        (3, raises, "P0001"),
        (4, "ALTER TABLE a ADD CONSTRAINT short CHECK (length(v) < 3)", "23514"),
    ] {
        let all = [create(1, "a"), migration(version, "Fails").step(sql, "").stepwise()];
        let error = migrator(all).run_through(Phase::Contract, &pool).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some(sqlstate));
        assert_eq!(error.to_string().contains(VALUE), version < 4, "the caller is told: {error}");
        let kept = "SELECT string_agg(t::text, ' ') FROM (SELECT error FROM migrate.steps UNION ALL SELECT details::text \
                    FROM migrate.events) t";
        let kept = value(&client, kept).await;
        assert!(kept.contains(sqlstate) && !kept.contains(VALUE), "{kept}");
        assert_eq!(kept.contains("constraint short"), version == 4, "{kept}");
        client.batch_execute(&format!("DELETE FROM migrate.migrations WHERE version = {version}")).await.unwrap();
    }
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("SQLSTATE 22P02") && !logged.contains(VALUE));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_shown_anywhere() {
    let log = log();
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let role = format!("r_{}", database.name());
    let mut said = String::new();
    let events = Arc::new(Mutex::new(Vec::<Event>::new()));
    let listening = |all| {
        let events = events.clone();
        migrator(all).on_event(move |event| events.lock().unwrap().push(event.clone()))
    };

    let failing = listening(all(&role, true));
    let plan = failing.plan(Phase::Contract, &pool).await.unwrap();
    write!(said, "{plan} {plan:?} {} {failing:?}", plan.to_json()).unwrap();
    let error = failing.run_through(Phase::Contract, &pool).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42601"));
    assert!(error.to_string().contains("PASSWORD"), "the context is shown: {error}");
    write!(said, "{error} {error:?} {:?} {:?}", error.sql(), error.server_message()).unwrap();

    let mended = listening(all(&role, false));
    let report = mended.run_through(Phase::Contract, &pool).await.unwrap();
    let status = mended.status(&pool).await.unwrap();
    write!(said, "{report} {report:?} {status} {status:?}").unwrap();
    for meta in mended.history().metas() {
        write!(said, "{meta:?} {:?}", meta.steps()).unwrap();
    }
    let edited = listening(all(&format!("{role}x"), false)).run(&pool).await.unwrap_err();
    write!(said, "{edited} {edited:?}").unwrap();
    for table in ["migrations", "steps", "events"] {
        said.push_str(
            &value(&client, &format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM migrate.{table} t")).await,
        );
    }
    let report = mended.down_to(0, &pool).await.unwrap();
    write!(said, "{report} {report:?} {:?}", events.lock().unwrap()).unwrap();
    said.push_str(&value(&client, "SELECT string_agg(t::text, ' ') FROM migrate.events t").await);

    let url = format!("postgresql://nobody:{SECRET}@127.0.0.1:1/none");
    let error = mended.run(url.as_str()).await.unwrap_err();
    write!(said, "{error} {error:?}").unwrap();

    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("step done") && said.contains("******"), "nothing was told: {said}\n{logged}");
    assert!(events.lock().unwrap().iter().any(|event| matches!(event, Event::StepBegun { down: true, .. })));
    for (what, text) in [("said", &said), ("logged", &logged)] {
        // The driver and its TLS log by themselves, through `log`, and not here.
        assert!(!text.contains(SECRET), "{what}: {}", &text[text.find(SECRET).unwrap().saturating_sub(300)..]);
    }
}
