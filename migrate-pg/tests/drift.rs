//! Drift: what is found, against what the ledger's migrations make.

mod support;

use migrate_pg::testing::{self, Binaries, Server};
use migrate_pg::verify::Pairs;
use migrate_pg::{ErrorKind, Migrator};
use support::{add, create, history, migration};

#[tokio::test]
async fn what_was_done_by_hand_is_found() {
    let all = || {
        vec![
            create(1, "orders"),
            add(2, "orders", "status"),
            migration(3, "Index").step("CREATE INDEX orders_status ON orders (status)", "DROP INDEX orders_status"),
        ]
    };
    // The installed one, whose server for the tests is shared, and the newest, for which one is started.
    let newest = Binaries::find_all().unwrap().into_iter().max_by_key(Binaries::major).unwrap();
    let newest = Server::builder().binaries(newest).start().await.unwrap();
    for server in [testing::server().await, newest] {
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        // Of the history, production has only the first two.
        Migrator::new(history(all().into_iter().take(2))).run(database.pool()).await.unwrap();
        let pairs = Pairs::of(Migrator::new(history(all())));
        let drift = pairs.drift(database.pool()).await.unwrap();
        assert!(drift.is_none() && drift.applied == 2, "{drift}");
        client
            .batch_execute("CREATE INDEX by_hand ON orders (v); ALTER TABLE orders ALTER status SET DEFAULT 'new'; COMMENT ON TABLE orders IS 'x'")
            .await
            .unwrap();
        let drift = pairs.drift(database.url()).await.unwrap();
        assert_eq!(
            drift.to_string(),
            "expected by the history (2 applied migrations), against found on the server:\n    \
             table public.orders: comment x is there and was not\n    \
             column public.orders.status: DEFAULT 'new'::text is there and was not\n    \
             index public.by_hand is there and was not\n"
        );
    }
}

#[tokio::test]
async fn a_ledger_that_does_not_fit_is_an_error() {
    let database = testing::database().await;
    Migrator::new(history([create(1, "a"), create(2, "b")])).run(database.pool()).await.unwrap();
    let ask = |all: Vec<_>| {
        let pool = database.pool();
        async move { Pairs::of(Migrator::new(history(all))).drift(pool).await }
    };
    assert_eq!(ask(vec![create(1, "a")]).await.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(ask(vec![create(1, "a"), create(2, "c")]).await.unwrap_err().kind(), ErrorKind::Edited);
    let client = database.connect().await;
    client.batch_execute("UPDATE migrate.migrations SET state = 'applying' WHERE version = 2").await.unwrap();
    let error = ask(vec![create(1, "a"), create(2, "b")]).await.unwrap_err();
    assert!(error.to_string().contains("2 Createb is half done"), "{error}");
}
