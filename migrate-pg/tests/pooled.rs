//! Behind a proxy that pools transactions: looking is harmless, running is refused by name, and a lease that is lost is
//! noticed before anything is done without it.

mod support;

use migrate_pg::{ErrorKind, testing};
use support::{add, assert_clean, create, events, has_column, has_table, migration, migrator, pooler, value};

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_switches_sessions_is_named_whenever_it_begins() {
    let database = testing::database().await;
    let client = database.connect().await;
    let mut kinds = Vec::new();
    // It begins to switch at each transaction of the run in turn, up to the end of a run.
    for steady in 1.. {
        let config = pooler::before(database.config(), steady).await;
        let run = migrator([create(1, "a"), add(2, "a", "x")]);
        match run.run(&config).await {
            Ok(_) => break,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Proxy | ErrorKind::LeaseLost), "{steady}: {error}");
                assert!(error.to_string().contains("proxy"), "{error}");
                kinds.push(error.kind());
            }
        }
        assert_clean(&client).await;
        // A transaction did all of its work or none.
        if has_table(&client, "a").await {
            let applied = value(&client, "SELECT count(*) FROM migrate.migrations").await;
            assert_eq!(applied, if has_column(&client, "a", "x").await { "2" } else { "1" }, "{steady}");
            migrator([create(1, "a"), add(2, "a", "x")]).down_to(0, database.config()).await.unwrap();
        }
    }
    assert!(kinds.contains(&ErrorKind::Proxy) && kinds.contains(&ErrorKind::LeaseLost), "{kinds:?}");
    println!("{} beginnings, each named", kinds.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_pending_is_fine_behind_it() {
    let database = testing::database().await;
    migrator([create(1, "a")]).run(database.config()).await.unwrap();
    let config = pooler::before(database.config(), 1).await;
    assert_eq!(migrator([create(1, "a")]).run(&config).await.unwrap().already, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_is_noticed_before_the_next_work() {
    let database = testing::database().await;
    let client = database.connect().await;
    let all = [migration(1, "Loses").step("SELECT pg_advisory_unlock_all()", ""), create(2, "b")];
    let error = migrator(all).run(database.pool()).await.unwrap_err();
    assert_eq!((error.kind(), error.migration().unwrap().0.get()), (ErrorKind::LeaseLost, 2));
    assert!(!has_table(&client, "b").await);
    assert_eq!(events(&client).await, "applied 1");
    assert_clean(&client).await;
}
