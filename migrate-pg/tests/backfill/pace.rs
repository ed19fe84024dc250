//! How fast a backfill goes, and what it makes way for.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_holds_the_backfill_and_progress_says_how_long_it_takes() {
    let database = testing::database().await;
    let (client, pool) = (database.connect().await, database.pool());
    let migrator = Migrator::new(items());
    items_table(&client, &migrator, &pool).await;
    let asked = Arc::new(Mutex::new(Vec::<u64>::new()));
    let all = asked.clone();
    let pace = Pace::default().throttle(move |progress| {
        let mut asked = all.lock().unwrap();
        asked.push(progress.rows);
        (asked.len() <= 5).then_some(Duration::from_millis(50))
    });
    let batches = Arc::new(Mutex::new(Vec::<BackfillProgress>::new()));
    let seen = batches.clone();
    let telling = migrator.pace(pace).on_event(move |event| {
        if let Event::Backfill { progress, .. } = event {
            seen.lock().unwrap().push(*progress);
        }
    });
    let began = Instant::now();
    telling.run_through(Phase::Migrate, &pool).await.unwrap();
    let took = began.elapsed();
    let (asked, batches) = (asked.lock().unwrap().clone(), batches.lock().unwrap().clone());
    assert!(asked[..6].iter().all(|rows| *rows == asked[0]), "nothing was filled while it was held: {asked:?}");
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(batches.len() > 2, "{batches:?}");
    for batch in &batches {
        assert_eq!(batch.estimated_rows, Some(u64::from(ROWS)));
        assert!(batch.rate > 0.0 && batch.rate.is_finite(), "{batch:?}");
    }
    // What is left at the rate so far; nothing at the end.
    let (first, last) = (batches[0], batches[batches.len() - 1]);
    #[allow(clippy::cast_precision_loss, reason = "thousands")]
    let expected = (u64::from(ROWS) - first.rows) as f64 / first.rate;
    let left = first.left.expect("the table was analysed").as_secs_f64();
    assert!((left / expected - 1.0).abs() < 0.2, "{left} s, and {expected} s by {first:?}");
    assert!(last.left.expect("it still is") < Duration::from_millis(50), "{last:?}");
    assert_eq!(filled(&client).await, ROWS);
}

/// A standby whose replay stands still holds a backfill up, however small the lag in time looks; released, it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_behind_is_waited_for() {
    let binaries = Binaries::find().unwrap();
    if !binaries.program("pg_basebackup").exists() {
        support::worlds::said(&format!(
            "SKIPPED: a standby is made with pg_basebackup, which {} has not",
            binaries.directory().display()
        ));
        return;
    }
    let primary = Server::builder().binaries(binaries.clone()).start().await.unwrap();
    let standby = Server::builder()
        .binaries(binaries)
        .standby_of(&primary, "behind")
        .setting("recovery_min_apply_delay", "10min")
        .setting("wal_receiver_status_interval", "1s")
        .start()
        .await
        .unwrap();
    let database = primary.database().await.unwrap();
    let client = database.connect().await;
    let replica = standby.connect().await.unwrap();
    let migrator = Migrator::new(items());
    items_table(&client, &migrator, database.config()).await;
    until("the standby's connection", async || {
        value(&client, "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'behind'").await == "1"
    })
    .await;

    let pace =
        Pace::default().standby_lag(Some(Duration::from_hours(1)), Some(50_000)).look_every(Duration::from_millis(20));
    let (told_one, tell) = told();
    let held = migrator.clone().pace(pace.clone()).on_event(tell);
    let run = tokio::spawn({
        let config = database.config().clone();
        async move { held.run_through(Phase::Migrate, config).await }
    });
    until("that it is held up", async || count(&told_one, "held: standby behind is ") > 0).await;
    let at = filled(&client).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(filled(&client).await, at, "nothing moves meanwhile");
    assert!(at < ROWS);

    // The standby catches up, and stays up.
    replica.batch_execute("ALTER SYSTEM SET recovery_min_apply_delay = 0").await.unwrap();
    replica.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(filled(&client).await, ROWS);

    // It stands still again, and is to be ignored.
    replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    client.batch_execute("UPDATE items SET cents = NULL, touched = 0").await.unwrap();
    migrator.undo(1, database.config()).await.unwrap();
    let ignoring = migrator.clone().pace(pace.clone().ignore_standby("behind"));
    ignoring.run_through(Phase::Migrate, database.config()).await.unwrap();
    assert_eq!(filled(&client).await, ROWS);

    // Of time alone, however few bytes they are: it has been behind for longer than it may, and says so itself.
    client.batch_execute("UPDATE items SET cents = NULL, touched = 0").await.unwrap();
    migrator.undo(1, database.config()).await.unwrap();
    let late = "SELECT coalesce(bool_or(replay_lag > '1s'), false) FROM pg_stat_replication";
    until("a lag in time", async || value(&client, late).await == "t").await;
    let (told_late, tell) = told();
    let in_time = Pace::default().standby_lag(Some(Duration::from_secs(1)), None).look_every(Duration::from_millis(20));
    let held = migrator.clone().pace(in_time).on_event(tell);
    let run = tokio::spawn({
        let config = database.config().clone();
        async move { held.run_through(Phase::Migrate, config).await }
    });
    until("that it is held up", async || count(&told_late, "held: standby behind is ") == 1).await;
    assert_eq!(filled(&client).await, 100, "it was late before the first batch");
    assert_eq!(value(&client, late).await, "t");
    replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(filled(&client).await, ROWS);

    // A role that is not shown how far the standby is goes on, and says so.
    client
        .batch_execute(&format!(
            "UPDATE items SET cents = NULL, touched = 0; CREATE ROLE plain;
             ALTER TABLE items OWNER TO plain; GRANT ALL ON SCHEMA migrate TO plain;
             GRANT ALL ON ALL TABLES IN SCHEMA migrate TO plain; GRANT CREATE ON DATABASE {} TO plain",
            database.name()
        ))
        .await
        .unwrap();
    migrator.undo(1, database.config()).await.unwrap();
    replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    let (told_two, tell) = told();
    let blind = migrator.clone().pace(pace).role("plain").on_event(tell);
    blind.run_through(Phase::Migrate, database.config()).await.unwrap();
    assert_eq!(filled(&client).await, ROWS);
    assert_eq!(count(&told_two, "blind: how far standbys are behind"), 1, "{told_two:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_falls_behind_is_waited_for() {
    let server =
        Server::builder().setting("archive_mode", "on").setting("archive_command", "exit 1").start().await.unwrap();
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let (told, tell) = told();
    let pace = Pace::default().look_every(Duration::from_millis(20));
    let migrator = Migrator::new(items()).pace(pace).on_event(tell);
    items_table(&client, &migrator, database.config()).await;
    client.batch_execute("SELECT pg_switch_wal(); CHECKPOINT").await.unwrap();
    until("a failed attempt", async || value(&client, "SELECT failed_count > 0 FROM pg_stat_archiver").await == "t")
        .await;
    let run = tokio::spawn({
        let (migrator, config) = (migrator.clone(), database.config().clone());
        async move { migrator.run_through(Phase::Migrate, config).await }
    });
    until("that it is held up", async || count(&told, "held: the archiver has archived nothing yet, and fails") > 0)
        .await;
    assert!(filled(&client).await < ROWS);
    client.batch_execute("ALTER SYSTEM SET archive_command = 'exit 0'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(filled(&client).await, ROWS);
}

/// How many files wait is counted from the names of two; the server's own marks for the archiver say the same.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_wal_files_as_wait_to_be_archived_are_told() {
    let server =
        Server::builder().setting("archive_mode", "on").setting("archive_command", "exit 0").start().await.unwrap();
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let pace = Pace::default().archive_backlog(Some(2)).look_every(Duration::from_millis(20));
    let migrator = Migrator::new(items()).pace(pace);
    items_table(&client, &migrator, database.config()).await;
    let switch = "SELECT pg_logical_emit_message(false, 'migrate', 'a file is only left when something is in it'); SELECT pg_switch_wal()";
    client.batch_execute(switch).await.unwrap();
    until("an archived file", async || value(&client, "SELECT archived_count > 0 FROM pg_stat_archiver").await == "t")
        .await;
    client.batch_execute("ALTER SYSTEM SET archive_command = 'exit 1'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    client.batch_execute(switch).await.unwrap();
    until("a failed attempt", async || {
        client.batch_execute(switch).await.unwrap();
        value(&client, "SELECT failed_count > 0 FROM pg_stat_archiver").await == "t"
    })
    .await;
    for _ in 0..3 {
        client.batch_execute(switch).await.unwrap();
    }
    let waiting = r"SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name ~ '^[0-9A-F]{24}\.ready$'";
    let waiting: u32 = value(&client, waiting).await.parse().unwrap();
    assert!(waiting > 2, "{waiting}");

    let (told, tell) = told();
    let run = tokio::spawn({
        let (migrator, config) = (migrator.on_event(tell), database.config().clone());
        async move { migrator.run_through(Phase::Migrate, config).await }
    });
    until("that it is held up", async || count(&told, "held: ") == 1).await;
    assert_eq!(count(&told, &format!("held: {waiting} WAL files wait to be archived")), 1, "{told:?}");
    assert_eq!(filled(&client).await, 100, "they waited before the first batch");
    client.batch_execute("ALTER SYSTEM SET archive_command = 'exit 0'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(filled(&client).await, ROWS);
}

/// The server's own vacuum of the table: the backfill says that it makes way, rests after a batch for as long as that took, and
/// is told of the end of it by nothing but looking again.
#[tokio::test(flavor = "multi_thread")]
async fn autovacuum_of_the_table_halves_the_pace() {
    let server = support::server_of_slow_vacuums().await;
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let pace = Pace::default().look_every(Duration::from_millis(20));
    let migrator = Migrator::new(items()).pace(pace);
    migrator.run(database.config()).await.unwrap();
    // Each of the first batches takes a known time at least.
    client
        .batch_execute(&format!(
            "ALTER TABLE items SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
             INSERT INTO items SELECT md5(n::text)::uuid, lpad(n::text, 500, '0') FROM generate_series(1, {ROWS} + 1000) n;
             DELETE FROM items WHERE price::int > {ROWS};
             CREATE SEQUENCE batches;
             CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF nextval('batches') <= 3 THEN PERFORM pg_sleep(0.4); END IF; RETURN NULL; END $$;
             CREATE TRIGGER slow AFTER UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        ))
        .await
        .unwrap();
    let vacuums = "SELECT count(*) FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid)
                   WHERE v.relid = 'items'::regclass AND a.backend_type = 'autovacuum worker'";
    until("autovacuum", async || value(&client, vacuums).await == "1").await;

    let at = Arc::new(Mutex::new(Vec::new()));
    let seen = at.clone();
    let telling = migrator.on_event(move |event| match event {
        Event::Backfill { progress, .. } => {
            seen.lock().unwrap().push((Instant::now(), format!("{:?}", progress.batch)));
        }
        Event::BackfillSlowed { why, .. } => seen.lock().unwrap().push((Instant::now(), why.clone())),
        _ => {}
    });
    let run = tokio::spawn({
        let config = database.config().clone();
        async move { telling.run_through(Phase::Migrate, config).await }
    });
    until("the third batch", async || at.lock().unwrap().len() >= 4).await;
    let still = value(&client, vacuums).await;
    let all = at.lock().unwrap().clone();
    assert_eq!(still, "1", "it lasted all the while: {all:?}");
    assert_eq!(all[1].1, "a vacuum cleans the table", "{all:?}");
    // A rest of what the first took, and the second itself.
    assert!(all[2].0 - all[1].0 >= Duration::from_millis(800), "{all:?}");
    assert!(all[3].0 - all[2].0 >= Duration::from_millis(800), "{all:?}");
    // Whoever wants the lock that it holds ends it.
    client.batch_execute("ALTER TABLE items SET (autovacuum_enabled = off)").await.unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(filled(&client).await, ROWS);
    assert_eq!(
        at.lock().unwrap().iter().filter(|(_, text)| text == "a vacuum cleans the table").count(),
        1,
        "told once"
    );
}

/// Sizes of batches, as they were.
async fn sizes(database: &testing::TestDatabase, batch_time: Duration) -> Vec<u64> {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let fill = support::migration(1, "Fill").backfill("a", "x = $1", "x IS NULL", 4000, "x");
    let migrator = support::migrator([fill]).pace(Pace::default().batch_time(batch_time)).on_event(move |event| {
        if let Event::Backfill { progress, .. } = event {
            seen.lock().unwrap().push(progress.batch_rows);
        }
    });
    migrator.run_through(Phase::Migrate, database.config()).await.unwrap();
    let sizes = sizes.lock().unwrap().clone();
    let client = database.connect().await;
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x IS NULL").await, "0");
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps").await, sizes.iter().sum::<u64>().to_string());
    sizes
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_shrink_to_what_fits_their_time_and_grow_to_what_is_declared() {
    let database = testing::database().await;
    let client = database.connect().await;
    // A row takes a millisecond at least: what fits 25 ms is 25 rows at most, however slow the machine is.
    client
        .batch_execute(
            "CREATE TABLE a (id bigint PRIMARY KEY, x text); INSERT INTO a SELECT generate_series(1, 1500); ANALYZE a;
             CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
             CREATE TRIGGER slow BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .await
        .unwrap();
    let shrinking = sizes(&database, Duration::from_millis(25)).await;
    assert_eq!(shrinking[0], 1000, "{shrinking:?}");
    let fits = shrinking.iter().position(|&rows| rows <= 25).unwrap_or_else(|| panic!("{shrinking:?}"));
    assert!(shrinking[..=fits].is_sorted_by(|one, next| one > next), "{shrinking:?}");
    assert!(shrinking[fits..].iter().all(|&rows| rows <= 25) && shrinking.len() > 10, "{shrinking:?}");

    client
        .batch_execute(
            "DROP TRIGGER slow ON a; DROP SCHEMA migrate CASCADE; TRUNCATE a;
             INSERT INTO a SELECT generate_series(1, 15000); ANALYZE a",
        )
        .await
        .unwrap();
    assert_eq!(sizes(&database, Duration::from_mins(1)).await, [1000, 2000, 4000, 4000, 4000]);
}
