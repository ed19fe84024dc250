//! Round trips, counted by a proxy.

mod support;

use deadpool_postgres::{Manager, Pool};
use migrate_pg::model::LockClass;
use migrate_pg::{Event, testing};
use std::sync::{Arc, Mutex};
use support::proxy::Proxy;
use support::{add, create, migration, migrator, value};
use tokio_postgres::NoTls;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_pending_is_one_trip_and_needs_no_privilege() {
    let database = testing::database().await;
    let client = database.connect().await;
    let all: Vec<_> = (1..=50).map(|version| create(version, &format!("t{version}"))).collect();
    migrator(all.clone()).run(database.pool()).await.unwrap();

    // The application's role owns nothing, may create nothing and write nothing.
    let role = format!("app_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN; ALTER ROLE \"{role}\" SET default_transaction_read_only = on; \
             REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await
        .unwrap();
    let mut config = database.config().clone();
    config.user(&role);
    let proxy = Proxy::before(&config).await;
    let pool = Pool::builder(Manager::new(proxy.config.clone(), NoTls)).max_size(1).build().unwrap();
    let object = pool.get().await.unwrap();
    assert_eq!(value(&object, "SELECT has_database_privilege(current_database(), 'CREATE')").await, "f");
    drop(object);

    proxy.trips();
    for _ in 0..3 {
        let report = migrator(all.clone()).run(&pool).await.unwrap();
        assert_eq!((report.already, report.applied.len()), (50, 0));
        assert_eq!(proxy.trips(), 1);
    }
    assert_eq!(pool.status().size, 1, "the connection stays in the pool");

    // Digests were compared in that trip.
    let mut edited = all.clone();
    edited[7] = add(8, "t1", "other");
    let error = migrator(edited).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), migrate_pg::ErrorKind::Edited);
    drop(pool);
    client.batch_execute(&format!("DROP ROLE \"{role}\"")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transactional_migration_is_one_trip_and_with_rows_counted_two() {
    let database = testing::database().await;
    migrator([create(1, "a")]).run(database.pool()).await.unwrap();
    let proxy = Proxy::before(database.config()).await;
    let pool = Pool::builder(Manager::new(proxy.config.clone(), NoTls)).max_size(1).build().unwrap();
    let proxy = Arc::new(proxy);
    let trips = Arc::new(Mutex::new(Vec::new()));
    let (counter, list) = (proxy.clone(), trips.clone());
    let all = [
        create(1, "a"),
        // Whether it would queue in vain is looked at in the same trip, too.
        add(2, "a", "x").with(|step| step.locks = &[("public.a", LockClass::AccessExclusive)]),
        migration(3, "Three")
            .step("ALTER TABLE a ADD COLUMN y text", "ALTER TABLE a DROP COLUMN y")
            .step("ALTER TABLE a ALTER COLUMN y SET DEFAULT 'n'", "ALTER TABLE a ALTER COLUMN y DROP DEFAULT")
            .step("CREATE INDEX a_y ON a (y)", "DROP INDEX a_y"),
        migration(4, "Rows").step("INSERT INTO a SELECT n FROM generate_series(1, 10) n", "DELETE FROM a"),
        // What can be exceeded is looked at after each statement, in the same trips.
        migration(5, "Held")
            .step("CREATE TABLE b (id int)", "DROP TABLE b")
            .step("CREATE INDEX a_z ON a (id, y)", "DROP INDEX a_z")
            .lock(LockClass::Share),
        migration(6, "HeldRows")
            .step("INSERT INTO b VALUES (1)", "DELETE FROM b")
            .step("UPDATE a SET y = 'z'", "")
            .lock(LockClass::RowExclusive),
    ];
    let migrator = migrator(all).on_event(move |event| match event {
        Event::Begun { .. } => drop(counter.trips()),
        Event::Applied { version, .. } => list.lock().unwrap().push((version.get(), counter.trips())),
        _ => {}
    });
    migrator.run(&pool).await.unwrap();
    assert_eq!(*trips.lock().unwrap(), [(2, 1), (3, 1), (4, 2), (5, 1), (6, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_prepared_by_name() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    let object = pool.get().await.unwrap();
    assert_eq!(value(&object, "SELECT count(*) FROM pg_prepared_statements").await, "0");
    assert_eq!(value(&client, "SELECT count(*) FROM pg_prepared_statements").await, "0");
}
