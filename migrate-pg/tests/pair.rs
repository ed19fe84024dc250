//! One pair as SQL, on a server.

use migrate_pg::ErrorKind;
use migrate_pg::testing;
use migrate_pg::verify::{Pair, PairProof};

async fn prove(setup: &str, up: &[&str], down: &[&str]) -> PairProof {
    Pair::new(up.iter().copied(), down.iter().copied()).setup(setup).prove(&testing::server().await).await.unwrap()
}

#[tokio::test]
async fn rows_count_and_those_that_were_made_are_named() {
    let setup = "CREATE TABLE t (a int, b text NOT NULL DEFAULT 'x'); CREATE INDEX t_b ON t (b);";
    let proof = prove(setup, &["ALTER TABLE t ADD c int"], &["ALTER TABLE t DROP c"]).await;
    assert!(proof.reverses(), "{proof:?}");
    assert_eq!(proof.notes, ["public.t had no rows, or none with a value in each column: 3 were made"]);

    let proof = prove(setup, &["UPDATE t SET a = 0"], &["UPDATE t SET a = NULL"]).await;
    assert_eq!(proof.differences, ["table public.t: column a holds other values"]);

    // The definition comes back, and the rows that were made here do not count; the setup's own do.
    let drop = (
        &["ALTER TABLE t DROP b"][..],
        &["ALTER TABLE t ADD b text NOT NULL DEFAULT 'x'", "CREATE INDEX t_b ON t (b)"][..],
    );
    let proof = prove(setup, drop.0, drop.1).await;
    assert!(proof.reverses(), "{proof:?}");
    assert!(proof.notes[1].contains("the up destroys it, which was not counted"), "{proof:?}");
    let proof = prove(&format!("{setup} INSERT INTO t VALUES (1, 'y')"), drop.0, drop.1).await;
    assert_eq!(proof.differences, ["table public.t: column b holds other values"]);

    let proof = prove(setup, &["ALTER TABLE t DROP a"], &["ALTER TABLE t ADD a int"]).await;
    assert_eq!(proof.differences, ["column order of public.t: a was 1st and is last"]);
    let proof = prove(setup, &["DROP INDEX t_b"], &["CREATE INDEX CONCURRENTLY t_b ON t (b DESC)"]).await;
    assert_eq!(proof.differences.len(), 1, "{proof:?}");
}

#[tokio::test]
async fn rows_that_were_made_are_not_in_the_way() {
    let setup = "CREATE TABLE t (id int PRIMARY KEY, n text)";
    let proof =
        prove(setup, &["ALTER TABLE t ALTER n TYPE int USING n::int"], &["ALTER TABLE t ALTER n TYPE text"]).await;
    assert!(proof.reverses(), "{proof:?}");
    assert!(proof.notes[0].contains("tried on empty tables"), "{proof:?}");
}

#[tokio::test]
async fn what_fails_is_said_and_nothing_is_left() {
    let server = testing::server().await;
    let role = format!("pair_{}", std::process::id());
    let setup = format!("CREATE ROLE {role}; CREATE TABLE t (a int); GRANT SELECT ON t TO {role}");
    let pair = |setup: &str, up: &str, down: &str| Pair::new([up], [down]).setup(setup);
    let proof = pair(&setup, &format!("REVOKE SELECT ON t FROM {role}"), &format!("GRANT SELECT ON t TO {role}"));
    assert!(proof.prove(&server).await.unwrap().reverses());
    // The role was made anew, since it is gone with the pair.
    assert!(proof.prove(&server).await.unwrap().reverses());

    let error = pair("CREATE TABLE t (a nonsense)", "SELECT 1", "SELECT 1").prove(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::Proof, Some("42704")), "{error}");
    let error = pair(&setup, "DROP TABLE u", "SELECT 1").prove(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::Statement, Some("42P01")), "{error}");
    let proof = pair(&setup, "DROP TABLE t", "CREATE TABLE t (a int); GRANT SELECT ON t TO nobody")
        .prove(&server)
        .await
        .unwrap();
    assert!(proof.differences[0].starts_with("the down fails: role \"nobody\" does not exist"), "{proof:?}");
    // What a transaction did that nobody ends was not done.
    let proof = pair("CREATE TABLE t (a int)", "SELECT 1", "BEGIN; DROP TABLE t").prove(&server).await.unwrap();
    assert!(proof.reverses(), "{proof:?}");

    let client = server.connect().await.unwrap();
    let left = client.query_one("SELECT count(*) FROM pg_roles WHERE rolname = $1", &[&role]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}
