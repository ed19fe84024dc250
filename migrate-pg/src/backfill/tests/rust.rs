//! Rows that Rust fills, and rows that nothing fills.

use super::*;
use migrate_core::model::{RowBackfill, RowError};

const USERS: &str = "\
CREATE DOMAIN \"Given Name\" AS varchar(40) CHECK (VALUE <> '');
CREATE TABLE \"Users\" (\"Id\" bigint PRIMARY KEY, full_name text, first_name \"Given Name\", \"Last Name\" varchar(40),
                      length int2, touched int NOT NULL DEFAULT 0);
INSERT INTO \"Users\" (\"Id\", full_name) SELECT n * 3, 'Ada' || n || ' Lovelace, \"{née}\\ Byron' FROM generate_series(1, 1000) n";

struct SplitNames;

impl RowBackfill for SplitNames {
    type In = (Option<String>, i64);
    type Out = (Option<String>, Option<String>, i16);

    fn convert(&self, (full_name, id): Self::In) -> Result<Self::Out, RowError> {
        let Some(full_name) = full_name else { return Ok((Some(format!("user {id}")), None, 0)) };
        let length = i16::try_from(full_name.chars().count())?;
        match full_name.split_once(' ') {
            Some((first, last)) => Ok((Some(first.to_owned()), Some(last.to_owned()), length)),
            None => Err("one word is no name".into()),
        }
    }
}

fn users(batch: u32) -> Backfill {
    v1::Backfill {
        table: "\"Users\"",
        key: &["\"Id\""],
        batch,
        set: "",
        read: &["full_name", "\"Id\""],
        write: &["first_name", "\"Last Name\"", "length"],
        filter: "length IS NULL",
    }
    .build()
}

fn rust<'a>(fixture: &'a Fixture, backfill: &'a Backfill, converter: &'a dyn RowConverter) -> Job<'a> {
    Job { converter: Some(converter), ..job(&fixture.client, backfill) }
}

#[tokio::test]
async fn typed_rows_go_in_and_come_out_whole_batches_at_a_time() {
    let fixture = fixture(USERS).await;
    fixture.client.batch_execute("UPDATE \"Users\" SET full_name = NULL WHERE \"Id\" = 300").await.unwrap();
    let backfill = users(300);
    let batches = AtomicU64::new(0);
    let on_progress = |_| {
        batches.fetch_add(1, Ordering::Relaxed);
    };
    let stop = || batches.load(Ordering::Relaxed) == 2;
    let first = Job { on_progress: &on_progress, stop: &stop, ..rust(&fixture, &backfill, &SplitNames) };
    assert_eq!(run(first).await.unwrap(), BackfillOutcome { rows: 600, skipped: 0, finished: false });
    let outcome = run(rust(&fixture, &backfill, &SplitNames)).await.unwrap();
    assert_eq!(outcome, BackfillOutcome { rows: 400, skipped: 0, finished: true });
    let right = "\"Users\" WHERE first_name || ' ' || \"Last Name\" = full_name AND length = length(full_name)";
    assert_eq!(fixture.count(right).await, 999);
    let null = "\"Users\" WHERE first_name = 'user 300' AND \"Last Name\" IS NULL AND length = 0";
    assert_eq!(fixture.count(null).await, 1);
    assert_eq!(fixture.ledger_rows().await, 1000);
    assert_eq!(fixture.count("pg_prepared_statements WHERE statement LIKE '%Users%'").await, 0);
}

#[tokio::test]
async fn composite_keys_of_every_kind_come_back_to_their_rows() {
    struct Next;
    impl RowBackfill for Next {
        type In = (i32,);
        type Out = (i32,);
        fn convert(&self, (n,): Self::In) -> Result<Self::Out, RowError> {
            Ok((n + 1,))
        }
    }
    let fixture = fixture(
        "CREATE TYPE size AS ENUM ('small', 'large');
         CREATE DOMAIN code AS text COLLATE \"C\";
         CREATE TABLE keyed (a code, b size, c timestamptz, d numeric, e uuid, n int, filled int,
                             PRIMARY KEY (b, a, c, d, e)) PARTITION BY HASH (a);
         CREATE TABLE keyed_0 PARTITION OF keyed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO keyed SELECT chr(64 + n % 60) || n, CASE n % 3 WHEN 0 THEN 'small' ELSE 'large' END::size,
           timestamptz '2026-03-29 00:59:59.999 Europe/Berlin' + n * interval '1 microsecond', n / 7.0,
           md5(n::text)::uuid, n FROM generate_series(1, 200) n",
    )
    .await;
    let backfill = v1::Backfill {
        table: "keyed",
        key: &["b", "a", "c", "d", "e"],
        batch: 30,
        set: "",
        read: &["n"],
        write: &["filled"],
        filter: "filled IS NULL",
    }
    .build();
    let outcome = run(rust(&fixture, &backfill, &Next)).await.unwrap();
    assert_eq!(outcome, BackfillOutcome { rows: 200, skipped: 0, finished: true });
    assert_eq!(fixture.count("keyed WHERE filled = n + 1").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_between_fetch_and_write_back_waits_for_it() {
    /// Lets another session try to write the row that is being converted.
    struct Meanwhile {
        waiting: std::sync::mpsc::SyncSender<()>,
        go_on: Mutex<std::sync::mpsc::Receiver<()>>,
    }
    impl RowBackfill for Meanwhile {
        type In = (String, i64);
        type Out = (String, String, i16);
        fn convert(&self, (name, id): Self::In) -> Result<Self::Out, RowError> {
            if id == 3 {
                tokio::task::block_in_place(|| {
                    self.waiting.send(()).unwrap();
                    self.go_on.lock().unwrap().recv().unwrap();
                });
            }
            Ok((name, String::new(), 1))
        }
    }
    let fixture = fixture(USERS).await;
    let other = fixture.db.connect().await;
    let (waiting, is_waiting) = std::sync::mpsc::sync_channel(0);
    let (go_on, may_go_on) = std::sync::mpsc::sync_channel(0);
    let converter = Meanwhile { waiting, go_on: Mutex::new(may_go_on) };
    let backfill = users(10);
    let watched = fixture.db.connect().await;
    // On a task of its own: the conversion blocks the one that this test is.
    let writing = tokio::spawn(async move {
        tokio::task::spawn_blocking(move || is_waiting.recv().unwrap()).await.unwrap();
        let write = "UPDATE \"Users\" SET full_name = 'Changed', \"Last Name\" = 'theirs' WHERE \"Id\" = 3";
        let blocked = async {
            until_somebody_waits_for_a_lock(&watched).await;
            tokio::task::spawn_blocking(move || go_on.send(()).unwrap()).await.unwrap();
        };
        tokio::join!(other.batch_execute(write), blocked).0.unwrap();
    });
    let outcome = run(rust(&fixture, &backfill, &converter)).await;
    writing.await.unwrap();
    assert!(outcome.unwrap().finished);
    let theirs = "\"Users\" WHERE \"Id\" = 3 AND full_name = 'Changed' AND \"Last Name\" = 'theirs' AND length = 1";
    assert_eq!(fixture.count(theirs).await, 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_converted_stops_it_and_is_named() {
    let fixture = fixture(USERS).await;
    fixture.client.batch_execute("UPDATE \"Users\" SET full_name = 'Plato' WHERE \"Id\" IN (900, 2100)").await.unwrap();
    let backfill = users(1000);
    let error = run(rust(&fixture, &backfill, &SplitNames)).await.unwrap_err();
    let BackfillError::Row { ref row, ref reason, .. } = error else { panic!("{error:?}") };
    assert_eq!((row.as_str(), reason.as_str()), ("900", "one word is no name"));
    assert_eq!(fixture.count("\"Users\" WHERE length IS NOT NULL").await, 299, "all before it");
    assert_eq!(fixture.count("\"Users\" WHERE \"Id\" < 900 AND length IS NULL").await, 0);

    fixture.client.batch_execute("UPDATE \"Users\" SET full_name = 'Plato Plato' WHERE \"Id\" = 900").await.unwrap();
    let told = Mutex::new(Vec::new());
    let tell = |happened: Told<'_>| {
        if let Told::Skipped { key, reason } = happened {
            told.lock().unwrap().push(format!("{key}: {reason}"));
        }
    };
    let job = Job { bad_rows: BadRows::Skip, tell: &tell, ..rust(&fixture, &backfill, &SplitNames) };
    assert_eq!(run(job).await.unwrap(), BackfillOutcome { rows: 700, skipped: 1, finished: true });
    assert_eq!(told.into_inner().unwrap(), ["2100: one word is no name"]);
    let recorded =
        "ledger.skipped WHERE version = 7 AND step = 2 AND key = '[\"2100\"]' AND reason = 'one word is no name'";
    assert_eq!(fixture.count(recorded).await, 1);
    // Whoever runs it again, also without passing over rows: what was passed over is settled.
    let outcome = run(rust(&fixture, &backfill, &SplitNames)).await.unwrap();
    assert_eq!(outcome, BackfillOutcome { rows: 0, skipped: 1, finished: true });
}

#[tokio::test]
async fn a_whole_table_of_bad_rows_comes_to_an_end() {
    let fixture = fixture(USERS).await;
    fixture.client.batch_execute("UPDATE \"Users\" SET full_name = 'Plato'").await.unwrap();
    let backfill = users(64);
    let job = Job { bad_rows: BadRows::Skip, ..rust(&fixture, &backfill, &SplitNames) };
    assert_eq!(run(job).await.unwrap(), BackfillOutcome { rows: 0, skipped: 1000, finished: true });
}

#[tokio::test]
async fn a_value_that_the_server_refuses_is_found_among_the_others() {
    let fixture = fixture(USERS).await;
    let setup = "UPDATE \"Users\" SET full_name = repeat('x', 41) || ' long' WHERE \"Id\" = 1500;
                 UPDATE \"Users\" SET full_name = ' nameless' WHERE \"Id\" = 2400";
    fixture.client.batch_execute(setup).await.unwrap();
    let backfill = users(1000);
    let error = run(rust(&fixture, &backfill, &SplitNames)).await.unwrap_err();
    let BackfillError::Row { ref row, ref reason, .. } = error else { panic!("{error:?}") };
    assert_eq!((row.as_str(), reason.as_str()), ("1500", "SQLSTATE 22001"));
    assert_eq!(fixture.count("\"Users\" WHERE length IS NOT NULL").await, 499, "all before it");
    let job = Job { bad_rows: BadRows::Skip, ..rust(&fixture, &backfill, &SplitNames) };
    assert_eq!(run(job).await.unwrap(), BackfillOutcome { rows: 499, skipped: 2, finished: true });
    let recorded = "ledger.skipped WHERE key = '[\"2400\"]' AND reason LIKE 'SQLSTATE 23514%Given Name%'";
    assert_eq!(fixture.count(recorded).await, 1);
}

#[tokio::test]
async fn a_row_that_sql_cannot_fill_is_found_too() {
    let fixture = fixture(
        "CREATE TABLE t (a int, b text, amount text, cents int, touched int NOT NULL DEFAULT 0, PRIMARY KEY (a, b));
         INSERT INTO t (a, b, amount) SELECT n % 7, 'é' || n, n::text FROM generate_series(1, 500) n;
         UPDATE t SET amount = 'much: secret' WHERE b IN ('é77', 'é400')",
    )
    .await;
    let set = "cents = $1 * amount::int, touched = touched + 1";
    let backfill = declared("t", &["a", "b"], 200, set, "cents IS NULL AND $2::bool");
    let factor = 100_i32;
    let binds = || -> Vec<(Type, &(dyn ToSql + Sync))> { vec![(Type::INT4, &factor), (Type::BOOL, &true)] };
    let error = run(Job { binds: binds(), ..job(&fixture.client, &backfill) }).await.unwrap_err();
    let BackfillError::Row { ref row, ref reason, .. } = error else { panic!("{error:?}") };
    assert_eq!((row.as_str(), reason.as_str()), ("0, é77", "SQLSTATE 22P02"));
    assert!(!error.to_string().contains("secret"), "{error}");
    let job = Job { binds: binds(), bad_rows: BadRows::Skip, ..job(&fixture.client, &backfill) };
    let outcome = run(job).await.unwrap();
    assert_eq!((outcome.skipped, outcome.finished), (2, true));
    assert_eq!(
        fixture.count("t WHERE cents = 100 * amount::int AND touched = 1 AND amount <> 'much: secret'").await,
        498
    );
    assert_eq!(fixture.count("ledger.skipped WHERE key = '[\"1\", \"é400\"]' AND reason = 'SQLSTATE 22P02'").await, 1);
}

#[tokio::test]
async fn a_conversion_that_does_not_fit_is_refused_in_words() {
    struct Other;
    impl RowBackfill for Other {
        type In = (i32,);
        type Out = (Vec<String>,);
        fn convert(&self, _: Self::In) -> Result<Self::Out, RowError> {
            Ok((Vec::new(),))
        }
    }
    let fixture = fixture("CREATE TABLE t (id int PRIMARY KEY, name text, n int, tags text[])").await;
    let backfill = |read, write| {
        v1::Backfill { table: "t", key: &["id"], batch: 10, set: "", read, write, filter: "n IS NULL" }.build()
    };
    for (read, write, message) in [
        (&["name"], &["tags"], "the column name of public.t is of type text, for which i32 has no form"),
        (
            &["n"],
            &["name"],
            "the column name of public.t is of type text, for which alloc::vec::Vec<alloc::string::String>",
        ),
        (&["n"], &["tags"], "tags of public.t is of type _text, and PostgreSQL has no arrays of that"),
        (&["nowhere"], &["name"], "cannot look its columns up"),
    ] {
        let backfill = backfill(read, write);
        let error = run(rust(&fixture, &backfill, &Other)).await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}\nlacks: {message}");
    }
    let error = fixture.run(&backfill(&["n"], &["name"])).await.unwrap_err();
    assert!(matches!(error, BackfillError::NoConverter), "{error:?}");
}
