//! Many queries in one transaction and one round trip, with one picture of the database and text that does not depend on
//! the session's settings.

use super::CatalogError;
use super::template::Target;
use futures_util::TryStreamExt as _;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

/// `pg_catalog` comes before temporary objects, which would else shadow it; what is in neither is printed with its schema.
/// The rest is what changes how values and definitions are written. Just-in-time compilation costs more than it saves here.
const SETTINGS: &str = "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off; \
     SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; \
     SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'; \
     SET LOCAL standard_conforming_strings = on; SET LOCAL array_nulls = on; SET LOCAL xmlbinary = 'base64'; \
     SET LOCAL row_security = off; SET LOCAL jit = off";

/// Which server this is, and what the role may do.
pub(super) async fn target(client: &Client) -> Result<Target, CatalogError> {
    let reads = "the version of the server";
    let sql = "SELECT pg_catalog.current_setting('server_version_num') AS version, \
               pg_catalog.current_setting('is_superuser') AS superuser";
    let rows = all(client.simple_query_raw(sql).await, reads).await?;
    let field = |name| rows.first().and_then(|row| row.try_get(name).ok().flatten()).unwrap_or_default();
    let version: u32 = field("version").parse().map_err(|_| CatalogError::Answer {
        reads: reads.to_owned(),
        problem: format!("{:?} is no version", field("version")),
    })?;
    let major = version / 10_000;
    if !(14..=18).contains(&major) {
        return Err(CatalogError::UnsupportedVersion { major });
    }
    Ok(Target { major, superuser: field("superuser") == "on" })
}

/// A query, and what it reads in words.
pub(super) struct Ask {
    pub(super) reads: String,
    pub(super) sql: String,
}

/// Sends the queries in one read-only transaction, with its end, before it awaits the first answer: a future that is
/// dropped leaves no transaction open.
pub(super) async fn ask(client: &Client, asks: &[Ask]) -> Result<Vec<Vec<SimpleQueryRow>>, CatalogError> {
    let begin = client.simple_query_raw("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
    let settings = client.simple_query_raw(SETTINGS).await;
    let mut streams = Vec::with_capacity(asks.len());
    for ask in asks {
        streams.push(client.simple_query_raw(&ask.sql).await);
    }
    // After a failure it rolls back.
    let commit = client.simple_query_raw("COMMIT").await;
    all(begin, "nothing yet: BEGIN").await?;
    all(settings, "nothing yet: the settings").await?;
    let mut answers = Vec::with_capacity(asks.len());
    for (stream, ask) in streams.into_iter().zip(asks) {
        answers.push(all(stream, &ask.reads).await?);
    }
    all(commit, "everything, but COMMIT").await?;
    Ok(answers)
}

/// The rows of one query.
pub(super) async fn all(
    stream: Result<tokio_postgres::SimpleQueryStream, tokio_postgres::Error>,
    reads: &str,
) -> Result<Vec<SimpleQueryRow>, CatalogError> {
    let failed = |source| CatalogError::Query { reads: reads.to_owned(), source };
    stream
        .map_err(failed)?
        .try_filter_map(|message| {
            std::future::ready(Ok(match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            }))
        })
        .try_collect()
        .await
        .map_err(failed)
}
