//! The text of a backfill's statements. Names that the declaration could also use are kept out of them: everything of ours
//! starts with `__migrate_`.

use super::target::{KeyColumn, Target};
use migrate_core::model::Backfill;

/// The statements of one backfill. Their parameters are, in this order: the declaration's own `$1` …, then what each
/// method says.
pub(super) struct Statements<'a> {
    target: &'a Target,
    backfill: &'a Backfill,
    /// How many parameters the declaration has.
    binds: usize,
}

impl<'a> Statements<'a> {
    pub(super) const fn new(target: &'a Target, backfill: &'a Backfill, binds: usize) -> Self {
        Self { target, backfill, binds }
    }

    /// The last key of the next `$n` rows after the cursor, as text, and how many they are; no row at the end of the
    /// table. Parameters: the cursor's columns where there is one, the number of rows. The declaration's are not among
    /// them: no filter, so that the time it takes does not hang on how many rows satisfy it.
    pub(super) fn window(&self, after: bool) -> String {
        let Target { table, .. } = self.target;
        let width = self.target.key.len();
        let start = if after { format!("WHERE {} > {}", self.names(), self.values(1)) } else { String::new() };
        let limit = 1 + if after { width } else { 0 };
        format!(
            "WITH __migrate_window AS MATERIALIZED (\n\
             SELECT {columns} FROM {table} {start} ORDER BY {order} LIMIT ${limit}\n\
             ) SELECT {text}, (SELECT count(*) FROM __migrate_window) FROM __migrate_window ORDER BY {backwards} LIMIT 1",
            columns = self.columns(),
            order = self.order(),
            text = self.text(),
            backwards = self.backwards(),
        )
    }

    /// Locks the next rows of the range that satisfy the filter, in key order, updates them and moves the ledger's cursor.
    /// One row: how many were locked, how many updated, how many rows of the ledger, and the last key as text.
    ///
    /// The locked rows are counted first: that reads their CTE to its end, so that all are locked before any is updated.
    /// The UPDATE repeats the range for the planner's sake.
    ///
    /// Parameters: the cursor's columns where there is one, the end's columns, how many rows, version, step.
    pub(super) fn batch(&self, after: bool, ledger: &str) -> String {
        let Target { table, key, .. } = self.target;
        let (range, next) = self.range(after);
        let same: Vec<String> = key
            .iter()
            .enumerate()
            .map(|(place, column)| format!("{} = __migrate_batch.__migrate_{place}", column.name))
            .collect();
        format!(
            "WITH __migrate_batch AS MATERIALIZED (\n\
             SELECT {columns} FROM {table} WHERE {range} AND (\n{filter}\n) ORDER BY {order} LIMIT ${next} FOR NO KEY UPDATE\n\
             ), __migrate_updated AS (\n\
             UPDATE {table} SET\n{set}\nFROM __migrate_batch WHERE {same} AND {range} RETURNING 1\n\
             ), __migrate_last AS (\n\
             SELECT {text} AS __migrate_cursor FROM __migrate_batch ORDER BY {backwards} LIMIT 1\n\
             ), __migrate_ledger AS (\n\
             UPDATE {ledger} SET \"cursor\" = pg_catalog.to_jsonb(__migrate_cursor), \
             \"rows\" = \"rows\" + (SELECT count(*) FROM __migrate_updated) \
             FROM __migrate_last WHERE version = ${version} AND step = ${step} RETURNING 1\n\
             ) SELECT (SELECT count(*) FROM __migrate_batch), (SELECT count(*) FROM __migrate_updated), \
             (SELECT count(*) FROM __migrate_ledger), (SELECT __migrate_cursor FROM __migrate_last)",
            columns = self.columns(),
            filter = self.backfill.filter(),
            order = self.order(),
            set = self.backfill.set(),
            same = same.join(" AND "),
            text = self.text(),
            backwards = self.backwards(),
            version = next + 1,
            step = next + 2,
        )
    }

    /// The key, as text, of a row that this transaction updated and that satisfies the filter all the same. Parameters:
    /// those of [`Statements::batch`] up to the end's columns.
    pub(super) fn still_holds(&self, after: bool) -> String {
        let Target { table, .. } = self.target;
        let (range, _) = self.range(after);
        format!(
            "SELECT {text} FROM (SELECT {columns} FROM {table} WHERE {range} \
             AND xmin = pg_catalog.pg_current_xact_id()::xid AND (\n{filter}\n) LIMIT 1) AS __migrate_row",
            text = self.text(),
            columns = self.columns(),
            filter = self.backfill.filter(),
        )
    }

    /// The half-open range from the cursor to the end, and the number of the first parameter behind it.
    fn range(&self, after: bool) -> (String, usize) {
        let width = self.target.key.len();
        let first = self.binds + 1;
        if after {
            let (start, end) = (self.values(first), self.values(first + width));
            (format!("{names} > {start} AND {names} <= {end}", names = self.names()), first + 2 * width)
        } else {
            (format!("{} <= {}", self.names(), self.values(first)), first + width)
        }
    }

    /// `ROW(shop, number)`
    fn names(&self) -> String {
        row(self.target.key.iter().map(|column| column.name.clone()))
    }

    /// `ROW($3::text::integer, $4::text::varchar(20) COLLATE pg_catalog."de-x-icu")`: the collation is written out, since
    /// a domain's own would be at odds with the column's.
    fn values(&self, first: usize) -> String {
        row(self.target.key.iter().enumerate().map(|(place, column)| {
            let value = format!("${}::text::{}", first + place, column.sql_type);
            column.collation.as_ref().map_or(value.clone(), |collation| format!("{value} COLLATE {collation}"))
        }))
    }

    /// `shop AS __migrate_0, number AS __migrate_1`
    fn columns(&self) -> String {
        let columns = self.target.key.iter().enumerate();
        columns.map(|(place, column)| format!("{} AS __migrate_{place}", column.name)).collect::<Vec<_>>().join(", ")
    }

    fn order(&self) -> String {
        self.target.key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn backwards(&self) -> String {
        (0..self.target.key.len()).map(|place| format!("__migrate_{place} DESC")).collect::<Vec<_>>().join(", ")
    }

    /// The key as an array of text that reads back whatever the session's settings are then.
    fn text(&self) -> String {
        let text = self.target.key.iter().enumerate().map(|(place, column)| text(place, column));
        format!("ARRAY[{}]", text.collect::<Vec<_>>().join(", "))
    }
}

/// Dates and timestamps go through `to_jsonb`, which writes ISO 8601 with the offset from UTC in every `DateStyle`
/// (json.c, `JsonEncodeDateTime`).
fn text(place: usize, column: &KeyColumn) -> String {
    if column.dated {
        format!("pg_catalog.to_jsonb(__migrate_{place}) #>> '{{}}'")
    } else {
        format!("__migrate_{place}::text")
    }
}

fn row(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match &parts[..] {
        [one] => one.clone(),
        _ => format!("ROW({})", parts.join(", ")),
    }
}
