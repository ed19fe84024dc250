//! Rows that people write, for a version: SQL, or a function.

use crate::connect::chain;
use migrate_core::model::Version;
use std::error::Error as StdError;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use tokio_postgres::Client;

type Seeding<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// Writes rows once a migration has been applied.
#[derive(Clone)]
pub(super) struct Seed {
    /// After which migration; 0 is before the first.
    pub(super) version: Version,
    write: Arc<dyn Write>,
}

trait Write {
    fn write<'a>(&'a self, client: &'a Client) -> Seeding<'a>;
}

struct Sql(String);

impl Write for Sql {
    fn write<'a>(&'a self, client: &'a Client) -> Seeding<'a> {
        Box::pin(async { client.batch_execute(&self.0).await.map_err(|error| said(&error)) })
    }
}

struct Function<F, E>(F, PhantomData<fn() -> E>);

impl<F, E> Write for Function<F, E>
where
    F: for<'a> AsyncFn(&'a Client) -> Result<(), E>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn write<'a>(&'a self, client: &'a Client) -> Seeding<'a> {
        Box::pin(async { (self.0)(client).await.map_err(|error| chain(&*error.into())) })
    }
}

impl Seed {
    pub(super) fn sql(version: Version, sql: String) -> Self {
        Self { version, write: Arc::new(Sql(sql)) }
    }

    pub(super) fn function<F, E>(version: Version, function: F) -> Self
    where
        F: for<'a> AsyncFn(&'a Client) -> Result<(), E> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        Self { version, write: Arc::new(Function(function, PhantomData)) }
    }

    pub(super) async fn write(&self, client: &Client) -> Result<(), String> {
        self.write.write(client).await
    }
}

/// What the server said, with detail and context where there are any.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else { return chain(error) };
    let mut text = format!("{} ({})", db.message(), db.code().code());
    for part in [db.detail(), db.hint(), db.where_()].into_iter().flatten() {
        text.push('\n');
        text.push_str(part);
    }
    text
}
