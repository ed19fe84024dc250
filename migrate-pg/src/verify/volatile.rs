//! Columns whose values are not the same twice: filled from the clock, at random, from a sequence, by a trigger that does
//! so. They are recognised, so that a difference that means nothing is told from one that does.

use super::seed::said;
use super::words::{CHANGING, called};
use crate::quote::literal;
use migrate_core::model::{Down, EffectKind, Meta, StepKind};
use tokio_postgres::{Client, SimpleQueryMessage};

/// What a migration runs, up and down, as one text.
pub(super) fn text(meta: &Meta) -> String {
    let mut text = String::new();
    for step in meta.steps() {
        match step.kind() {
            StepKind::Backfill(backfill) => text.push_str(&format!("{}; {};\n", backfill.set(), backfill.filter())),
            _ => text.push_str(&format!("{};\n", step.up())),
        }
        if let Down::Sql(downs) = step.down() {
            downs.iter().for_each(|down| text.push_str(&format!("{};\n", down.sql())));
        }
    }
    text
}

/// Whether a migration says that it writes rows.
pub(super) fn writes(meta: &Meta) -> bool {
    meta.steps().iter().any(|step| {
        matches!(step.kind(), StepKind::Backfill(_))
            || step.effects().iter().any(|effect| {
                matches!(
                    effect.kind(),
                    EffectKind::InsertRows | EffectKind::UpdateRows | EffectKind::DeleteRows | EffectKind::Assumed
                )
            })
    })
}

/// Why a column of a table need not hold the same values twice, if so. `table` and `column` as a digest writes them.
pub(super) async fn reason(client: &Client, table: &str, column: &str, sql: &str) -> Result<Option<String>, String> {
    let found = first(
        client,
        &format!(
            "SELECT a.attidentity <> '', pg_get_expr(d.adbin, d.adrelid), coalesce((SELECT string_agg(p.prosrc, ';') \
             FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = a.attrelid AND NOT t.tgisinternal), '') \
             FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
             WHERE a.attrelid = to_regclass({}) AND quote_ident(a.attname) = {} AND NOT a.attisdropped",
            literal(table),
            literal(column)
        ),
    )
    .await?;
    let Some(found) = found else { return Ok(None) };
    let text = |at: usize| found.get(at).and_then(Option::as_deref).unwrap_or_default();
    if text(0) == "t" {
        return Ok(Some("is numbered by its identity".to_owned()));
    }
    for (sql, what) in [(text(1), "by its default"), (sql, "by the migration"), (text(2), "by a trigger")] {
        if let Some(function) = volatile(client, sql).await? {
            return Ok(Some(format!("is filled {what} from {function}()")));
        }
    }
    Ok(None)
}

/// The first function that SQL calls and that may answer otherwise the next time.
pub(super) async fn volatile(client: &Client, sql: &str) -> Result<Option<String>, String> {
    let called = called(sql);
    if let Some(word) = called.iter().find(|word| CHANGING.contains(&word.as_str())) {
        return Ok(Some(word.clone()));
    }
    if called.is_empty() {
        return Ok(None);
    }
    // Of the stable ones, those that look at the clock; others read what the proof holds still.
    let names: Vec<String> = called.iter().map(|name| literal(name)).collect();
    let found = first(
        client,
        &format!(
            "SELECT p.proname FROM pg_proc p WHERE p.proname IN ({}) AND (p.provolatile = 'v' OR p.proname IN \
             ('now', 'transaction_timestamp', 'statement_timestamp', 'txid_current', 'pg_current_xact_id', 'age')) \
             ORDER BY p.proname LIMIT 1",
            names.join(", ")
        ),
    )
    .await?;
    Ok(found.and_then(|row| row.into_iter().next().flatten()))
}

async fn first(client: &Client, sql: &str) -> Result<Option<Vec<Option<String>>>, String> {
    let failed = |error| format!("what fills a column could not be looked at: {}", said(&error));
    let messages = client.simple_query(sql).await.map_err(failed)?;
    Ok(messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
        _ => None,
    }))
}
