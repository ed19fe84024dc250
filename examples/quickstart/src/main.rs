//! A shop with 200,000 users and orders changes its schema: the plan, the run with a progress bar, the ledger, everything
//! taken back, and applied again. Runs on a PostgreSQL of its own, started from the binaries it finds, or on the database
//! that `QUICKSTART_DATABASE_URL` names. `QUICKSTART_ROWS` makes the shop smaller, or larger.

mod bar;
mod migrations;
mod names;

use migrate_pg::prelude::*;
use migrate_pg::testing::Server;
use std::error::Error;
use std::time::Instant;

/// How many users there are, and how many orders.
const ROWS: u32 = 200_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let rows = match std::env::var("QUICKSTART_ROWS") {
        Ok(rows) => rows.parse().map_err(|error| format!("QUICKSTART_ROWS is {rows:?}: {error}"))?,
        Err(_) => ROWS,
    };
    let server = match std::env::var("QUICKSTART_DATABASE_URL") {
        Ok(url) => Server::at(&url).await?,
        Err(_) => Server::start().await?,
    };
    let database = server.database().await?;
    let pool = database.pool();
    println!("PostgreSQL {} is up, with an empty database.\n", server.major());

    title("The release before this one, and its data");
    let first = Migrator::new(migrations::first_release());
    println!("{}", first.run(&pool).await?);
    let client = database.try_connect().await?;
    seed(&client, rows).await?;
    println!("{rows} users, {rows} orders.");

    let dumps = std::env::temp_dir().join(format!("quickstart-dumps-{}", std::process::id()));
    std::fs::create_dir_all(&dumps)?;
    let bar = bar::Bar::new();
    let migrator = Migrator::new(migrations::history())
        .gate(Dump::to(&dumps, database.config()))
        // The dropped column comes back empty; what it held is in the dump.
        .schema_only(true)
        .on_event(move |event| bar.show(event));

    title("The plan of this release");
    println!("{}", migrator.plan(Phase::Contract, &pool).await?);

    title("At start-up: Expand only");
    println!("{}", migrator.run(&pool).await?);

    title("In a job, when the old release is gone: Migrate and Contract");
    println!("{}", migrator.run_through(Phase::Contract, &pool).await?);

    title("The ledger");
    println!("{}", migrator.status(&pool).await?);
    let row = client.query_one("SELECT first_name, last_name FROM users WHERE id = 42", &[]).await?;
    println!("User 42 is {} {} now.", row.get::<_, String>(0), row.get::<_, String>(1));

    title("All of it taken back");
    println!("{}", migrator.down_to(0, &pool).await?);

    title("And applied again");
    println!("{}", migrator.run_through(Phase::Contract, &pool).await?);

    std::fs::remove_dir_all(&dumps)?;
    println!("\nDone in {:.1} s.", started.elapsed().as_secs_f64());
    Ok(())
}

fn title(text: &str) {
    println!("\n== {text}\n");
}

async fn seed(client: &tokio_postgres::Client, rows: u32) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(&format!(
            "INSERT INTO users (email, full_name)
               SELECT 'user' || n || '@example.test', CASE n % 3 WHEN 0 THEN 'Lovelace, Ada' || n ELSE 'Dr. Ludwig' || n || ' van der Meer' END FROM generate_series(1, {rows}) n;
             INSERT INTO orders (user_id, total_cents) SELECT n, n * 7 % 10000 FROM generate_series(1, {rows}) n;
             ANALYZE users, orders;"
        ))
        .await
}
