//! How fast a backfill is, beside the loop over the key that people write by hand in psql, and beside one UPDATE of the whole
//! table.
//!
//! `cargo bench -p migrate-tests --bench backfill`: a million rows (`MIGRATE_SPEED_ROWS`), three rounds (`MIGRATE_SPEED_ROUNDS`)
//! in which each goes once, in an order that changes, each over a table that was just made and vacuumed, on a server that
//! is as durable as one in production. The loop commits each batch, keeps no cursor that would outlive it, has no lock
//! timeout, and looks at no standby: all of which is to its advantage.
#![allow(missing_docs)]

#[path = "production.rs"]
mod production;
#[path = "../../migrate-pg/tests/support/mod.rs"]
mod support;

use migrate_pg::model::Phase;
use migrate_pg::testing::Server;
use migrate_pg::{Migrator, Pace};
use production::{number, psql};
use std::time::Instant;
use support::{history, migration, value};

const BATCH: u32 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Runner,
    TwoWorkers,
    Loop,
    Update,
}

impl Way {
    const ALL: [Self; 4] = [Self::Runner, Self::TwoWorkers, Self::Loop, Self::Update];

    const fn name(self) -> &'static str {
        match self {
            Self::Runner => "our backfill",
            Self::TwoWorkers => "our backfill, two workers",
            Self::Loop => "a loop over the key in psql",
            Self::Update => "one UPDATE",
        }
    }
}

/// A batch of the loop is found by its key and updated by its range, as one does it who knows how.
fn by_hand() -> String {
    format!(
        "DO $$ DECLARE last bigint := 0; top bigint; BEGIN LOOP \
         SELECT max(b.id) INTO top FROM (SELECT id FROM items WHERE id > last ORDER BY id LIMIT {BATCH}) b; \
         EXIT WHEN top IS NULL; \
         UPDATE items SET status = 'open' WHERE id > last AND id <= top AND status IS NULL; \
         COMMIT; last := top; END LOOP; END $$"
    )
}

/// Seconds.
async fn run(way: Way, server: &Server, rows: u32) -> f64 {
    let database = server.database().await.expect("a database");
    let client = database.connect().await;
    for sql in [
        // A vacuum that begins in the middle would be one's luck and another's not.
        "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, price numeric(10,2) NOT NULL, status text) \
         WITH (autovacuum_enabled = off)"
            .to_owned(),
        format!("INSERT INTO items SELECT n, 'item number ' || n, n % 1000 FROM generate_series(1, {rows}) n"),
        "VACUUM (ANALYZE) items".to_owned(),
        "CHECKPOINT".to_owned(),
    ] {
        client.batch_execute(&sql).await.expect("a table");
    }
    let fill = [migration(1, "Fill").backfill("items", "status = $1", "status IS NULL", BATCH, "open")];
    let migrator = Migrator::new(history(fill));
    let begun = Instant::now();
    match way {
        Way::Runner => drop(migrator.run_through(Phase::Migrate, database.config()).await.expect("a run")),
        Way::TwoWorkers => {
            let migrator = migrator.pace(Pace::default().workers(2));
            drop(migrator.run_through(Phase::Migrate, database.config()).await.expect("a run"));
        }
        Way::Loop => psql(&database, &[by_hand()]).await,
        Way::Update => psql(&database, &["UPDATE items SET status = 'open' WHERE status IS NULL".to_owned()]).await,
    }
    let took = begun.elapsed().as_secs_f64();
    let left = value(&client, "SELECT count(*) FROM items WHERE status IS DISTINCT FROM 'open'").await;
    assert_eq!(left, "0", "{way:?} filled all rows");
    took
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (rows, rounds) = (number("MIGRATE_SPEED_ROWS", 1_000_000), number("MIGRATE_SPEED_ROUNDS", 3));
        let server = production::server().await;
        println!("{rows} rows in batches of {BATCH}, {rounds} rounds, PostgreSQL {}", server.major());
        let mut took = Way::ALL.map(|way| (way, Vec::new()));
        for round in 0..rounds {
            let mut order: Vec<_> = took.iter_mut().collect();
            order.rotate_left(round as usize % Way::ALL.len());
            for (way, took) in order {
                took.push(run(*way, &server, rows).await);
            }
        }
        let middle = |way: Way| {
            let mut all = took.iter().find(|(one, _)| *one == way).expect("each has run").1.clone();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        for (way, all) in &took {
            let shown: Vec<_> = all.iter().map(|seconds| format!("{seconds:.2}")).collect();
            println!("{:<28} {:>9.0} rows/s  ({} s)", way.name(), f64::from(rows) / middle(*way), shown.join(", "));
        }
        for of in [Way::Runner, Way::TwoWorkers] {
            for beside in [Way::Loop, Way::Update] {
                println!("ratio: {:.2} ({} / {})", middle(beside) / middle(of), of.name(), beside.name());
            }
        }
    });
}
