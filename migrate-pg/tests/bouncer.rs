//! Behind a real PgBouncer: in session mode everything works; in transaction mode, with others in the same pool, a runner
//! names it, does nothing by halves, and leaves no lock in the sessions that the pool keeps.

mod support;

use migrate_pg::{ErrorKind, testing};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::bouncer::{Bouncer, program};
use support::worlds::said;
use support::{add, assert_clean, create, has_column, has_table, migration, migrator, value};
use tokio_postgres::NoTls;

fn installed() -> Option<std::path::PathBuf> {
    let found = program();
    if found.is_none() {
        said("\n\n    SKIPPED: PgBouncer is not installed (Debian, Ubuntu: apt-get install pgbouncer).\n\n");
        assert!(std::env::var_os("CI").is_none(), "in CI it is to be there");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_sessions_is_as_good_as_the_server() {
    let Some(program) = installed() else { return };
    let database = testing::database().await;
    let client = database.connect().await;
    let bouncer = Bouncer::before(&program, database.config(), "session").await;
    let all = || {
        let index = migration(2, "Index").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i");
        [create(1, "a"), index, add(3, "a", "x")]
    };
    let runs = (0..2).map(|_| tokio::spawn(migrator(all()).run(&bouncer.config))).collect::<Vec<_>>();
    let mut applied = 0;
    for run in runs {
        applied += run.await.unwrap().unwrap().applied.len();
    }
    assert_eq!(applied, 3);
    assert_clean(&client).await;
    assert_eq!(migrator(all()).undo(3, &bouncer.config).await.unwrap().undone.len(), 3);
    assert!(!has_table(&client, "a").await);
    assert_clean(&client).await;
    drop((client, bouncer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_transactions_that_nobody_else_uses_is_named() {
    let Some(program) = installed() else { return };
    let database = testing::database().await;
    let client = database.connect().await;
    let bouncer = Bouncer::before(&program, database.config(), "transaction").await;
    for _ in 0..5 {
        let error = migrator([create(1, "a")]).run(&bouncer.config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
        assert!(error.to_string().contains("another connection was given backend"), "{error}");
        assert!(!has_table(&client, "a").await);
        assert_clean(&client).await;
    }
    drop((client, bouncer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_transactions_is_named() {
    let Some(program) = installed() else { return };
    let database = testing::database().await;
    let client = database.connect().await;
    let bouncer = Bouncer::before(&program, database.config(), "transaction").await;
    // Others, whose transactions take turns on the sessions of the pool.
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = Vec::new();
    for _ in 0..4 {
        let (config, stop) = (bouncer.config.clone(), stop.clone());
        others.push(tokio::spawn(async move {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            while !stop.load(Ordering::SeqCst) {
                client.batch_execute("SELECT pg_sleep(0.003)").await.unwrap();
            }
            drop(client);
            connection.await.unwrap().unwrap();
        }));
    }
    let all = || [create(1, "a"), add(2, "a", "x"), create(3, "b")];
    let mut named = 0;
    for _ in 0..12 {
        match migrator(all()).run(&bouncer.config).await {
            // By chance it was given the same session each time.
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Proxy | ErrorKind::LeaseLost), "{:?} {error}", error.kind());
                assert!(error.to_string().contains("proxy"), "{error}");
                named += 1;
            }
        }
        assert_clean(&client).await;
        // A migration did all of its work or none.
        for (version, done) in [
            (1, has_table(&client, "a").await),
            (2, has_column(&client, "a", "x").await),
            (3, has_table(&client, "b").await),
        ] {
            let sql = format!(
                "SELECT CASE WHEN to_regclass('migrate.migrations') IS NULL THEN 0 ELSE (xpath('/row/c/text()', query_to_xml(\
                 'SELECT count(*) AS c FROM migrate.migrations WHERE version = {version}', true, true, '')))[1]::text::int END"
            );
            assert_eq!(value(&client, &sql).await, if done { "1" } else { "0" }, "{version}");
        }
        // Not to find everything done the next time.
        migrator(all()).down_to(0, database.config()).await.unwrap();
    }
    assert!(named >= 6, "{named} of 12");
    // To look where nothing is to do is harmless.
    migrator(all()).run(database.config()).await.unwrap();
    assert_eq!(migrator(all()).run(&bouncer.config).await.unwrap().already, 3);
    stop.store(true, Ordering::SeqCst);
    for other in others {
        other.await.unwrap();
    }
    println!("PgBouncer in transaction mode was named in {named} of 12 runs");
    drop((client, bouncer));
}
