//! The text of a backfill's statements. Names that the declaration could also use are kept out of them: everything of ours
//! starts with `__migrate_`.

use super::target::{KeyColumn, Target};
use super::{Checkpoint, Key};
use crate::quote::literal;
use migrate_core::model::Backfill;

/// The CTE of [`Statements::whole_range`] that updates: EXPLAIN shows its plan under this name.
pub(super) const UPDATED: &str = "__migrate_updated";

/// The statements of one backfill. Their parameters are, in this order: the declaration's own `$1` …, then what each
/// method says.
pub(super) struct Statements<'a> {
    target: &'a Target,
    backfill: &'a Backfill,
    /// How many parameters the declaration has.
    binds: usize,
    checkpoint: &'a Checkpoint,
    place: Place,
    /// Whether rows may have been passed over on purpose, and are to be left out.
    skipping: bool,
}

/// The row of the ledger that has the cursor.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The step's own.
    Step,
    /// A range's, as long as it is this run's to walk.
    Range { number: i32, owner: String },
}

impl<'a> Statements<'a> {
    pub(super) const fn new(
        target: &'a Target,
        backfill: &'a Backfill,
        binds: usize,
        checkpoint: &'a Checkpoint,
        place: Place,
        skipping: bool,
    ) -> Self {
        Self { target, backfill, binds, checkpoint, place, skipping }
    }

    /// Whether rows that were passed over on purpose are left out.
    pub(super) const fn skips(&self) -> bool {
        self.skipping
    }

    /// The last key of the next `$n` rows after the cursor, as text, how many they are, and what is asked of the backfill;
    /// no row at the end of the table. Parameters: the cursor's columns where there is one, those of the last key of the range where it ends before
    /// the table, the number of rows. The declaration's are not among them: no filter, so that the time it takes does not
    /// hang on how many rows satisfy it.
    pub(super) fn window(&self, after: bool, until: bool) -> String {
        let Target { table, .. } = self.target;
        let width = self.target.key.len();
        let mut next = 1;
        let mut conditions = Vec::new();
        for (there, comparison) in [(after, ">"), (until, "<=")] {
            if there {
                conditions.push(format!("{} {comparison} {}", self.names(), self.values(next)));
                next += width;
            }
        }
        let range = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        format!(
            "WITH __migrate_window AS MATERIALIZED (\n\
             SELECT {columns} FROM {table} {range} ORDER BY {order} LIMIT ${next}\n\
             ) SELECT {text}, (SELECT count(*) FROM __migrate_window), ({asked}) FROM __migrate_window \
             ORDER BY {backwards} LIMIT 1",
            columns = self.columns(),
            order = self.order(),
            text = self.text(),
            asked = self.asked(),
            backwards = self.backwards(),
        )
    }

    /// How many rows statistics say there are behind the cursor. Parameters: the cursor's columns.
    pub(super) fn remaining(&self) -> String {
        format!("EXPLAIN (FORMAT JSON) SELECT FROM {} WHERE {} > {}", self.target.table, self.names(), self.values(1))
    }

    /// Locks the next rows of the range that satisfy the filter, in key order, updates them and moves the ledger's cursor.
    /// One row: how many were locked, how many updated, how many rows of the ledger, the last key as text, and what was
    /// asked of the backfill.
    ///
    /// The locked rows are counted first: that reads their CTE to its end, so that all are locked before any is updated.
    /// The UPDATE repeats the range for the planner's sake.
    ///
    /// Parameters: the cursor's columns where there is one, the end's columns, how many rows.
    pub(super) fn batch(&self, after: bool) -> String {
        let Target { table, .. } = self.target;
        let (range, _) = self.range(after);
        format!(
            "WITH __migrate_batch AS MATERIALIZED (\n{locked}\n\
             ), __migrate_updated AS (\n\
             UPDATE {table} SET\n{set}\nFROM __migrate_batch WHERE {same} AND {range} RETURNING 1\n\
             ), __migrate_last AS (\n\
             SELECT {text} AS __migrate_cursor FROM __migrate_batch ORDER BY {backwards} LIMIT 1\n\
             ), __migrate_ledger AS (\n{ledger}\n) \
             SELECT (SELECT count(*) FROM __migrate_batch), (SELECT count(*) FROM __migrate_updated), \
             (SELECT count(*) FROM __migrate_ledger), (SELECT __migrate_cursor FROM __migrate_last), \
             (SELECT __migrate_asked FROM __migrate_ledger)",
            locked = self.locked(after, ""),
            set = self.backfill.set(),
            same = self.same(),
            text = self.text(),
            backwards = self.backwards(),
            ledger = self.move_cursor("(SELECT count(*) FROM __migrate_updated)"),
        )
    }

    /// The key, as text, of the last of the first rows of the range that satisfy the filter; no row where there are fewer.
    /// Parameters: the cursor's columns where there is one, the end's columns, how many rows.
    pub(super) fn last_of_rows(&self, after: bool) -> String {
        let (range, next) = self.range(after);
        format!(
            "SELECT {text} FROM (SELECT {columns}, row_number() OVER (ORDER BY {order}) AS __migrate_at \
             FROM {table} WHERE {range} AND (\n{filter}\n) ORDER BY {order} LIMIT ${next}) AS __migrate_row \
             WHERE __migrate_at = ${next}",
            text = self.text(),
            columns = self.columns(),
            table = self.target.table,
            filter = self.backfill.filter(),
            order = self.order(),
        )
    }

    /// Updates the rows of the range that satisfy the filter, in whatever order the plan has, and moves the ledger's cursor
    /// to its end, if there were any. One row: how many were updated, how many rows of the ledger, and what was asked of the
    /// backfill. Parameters: the cursor's columns where there is one, the end's columns.
    pub(super) fn whole_range(&self, after: bool) -> String {
        let Target { table, key, .. } = self.target;
        let (range, next) = self.range(after);
        let end: Vec<String> = (next - key.len()..next).map(|parameter| format!("${parameter}")).collect();
        format!(
            "WITH {UPDATED} AS (\n\
             UPDATE {table} SET\n{set}\nWHERE {range} AND (\n{filter}\n) RETURNING 1\n\
             ), __migrate_last AS (\n\
             SELECT ARRAY[{end}]::text[] AS __migrate_cursor WHERE EXISTS (SELECT FROM {UPDATED})\n\
             ), __migrate_ledger AS (\n{ledger}\n) \
             SELECT (SELECT count(*) FROM {UPDATED}), (SELECT count(*) FROM __migrate_ledger), \
             (SELECT __migrate_asked FROM __migrate_ledger)",
            set = self.backfill.set(),
            filter = self.backfill.filter(),
            end = end.join(", "),
            ledger = self.move_cursor(&format!("(SELECT count(*) FROM {UPDATED})")),
        )
    }

    /// Whether a row of the range satisfies the filter, and what is asked of the backfill. Parameters: those of
    /// [`Statements::whole_range`].
    pub(super) fn is_any(&self, after: bool) -> String {
        let (range, _) = self.range(after);
        format!(
            "SELECT EXISTS (SELECT FROM {table} WHERE {range} AND (\n{filter}\n){skipped}), ({asked})",
            table = self.target.table,
            filter = self.backfill.filter(),
            skipped = self.not_skipped(),
            asked = self.asked(),
        )
    }

    /// Locks the next rows of the range that satisfy the filter, in key order: their keys and the columns to convert.
    /// Parameters: those of [`Statements::batch`].
    pub(super) fn fetch(&self, after: bool) -> String {
        self.locked(after, &format!(", {}", self.backfill.read().join(", ")))
    }

    /// Writes converted rows back and moves the ledger's cursor. One row: how many were updated, how many rows of the ledger,
    /// the last key as text, and what was asked of the backfill. The declaration's parameters are not among its own: for
    /// each column of the key an array, for each that is filled an array, for each column of the key its value in the last
    /// row of the batch; then, where rows are passed over, for each column of the key an array, and their reasons: their keys
    /// come back, too, as text.
    pub(super) fn write_back(&self, skipped: bool) -> String {
        let width = self.target.key.len();
        let write = self.backfill.write();
        let arrays: Vec<String> = (1..=width + write.len()).map(unnest).collect();
        let keys = (0..width).map(|place| format!("__migrate_{place}"));
        let names: Vec<String> = keys.chain((0..write.len()).map(|place| format!("__migrate_w{place}"))).collect();
        let set: Vec<String> = write
            .iter()
            .enumerate()
            .map(|(place, column)| format!("{column} = __migrate_batch.__migrate_w{place}"))
            .collect();
        let first = width + write.len() + 1;
        let skips = if skipped {
            let from = first + width;
            let arrays: Vec<String> = (from..=from + width).map(unnest).collect();
            let names: Vec<String> = (0..width).map(|place| format!("__migrate_{place}")).collect();
            format!(
                ", __migrate_skipped AS (\n{}\n)",
                self.skip(
                    &format!("pg_catalog.to_jsonb({})", self.text()),
                    "__migrate_reason",
                    &format!(
                        "ROWS FROM ({}) AS __migrate_bad({}, __migrate_reason)",
                        arrays.join(", "),
                        names.join(", ")
                    ),
                )
            )
        } else {
            String::new()
        };
        let last: Vec<String> = (0..width).map(|place| format!("${} AS __migrate_{place}", first + place)).collect();
        format!(
            "WITH __migrate_batch AS MATERIALIZED (\n\
             SELECT * FROM ROWS FROM ({arrays}) AS __migrate_rows({names})\n\
             ), __migrate_updated AS (\n\
             UPDATE {table} SET {set} FROM __migrate_batch WHERE {same} RETURNING 1\n\
             ), __migrate_last AS (\n\
             SELECT {text} AS __migrate_cursor FROM (SELECT {last}) AS __migrate_end\n\
             ), __migrate_ledger AS (\n{ledger}\n){skips} \
             SELECT (SELECT count(*) FROM __migrate_updated), (SELECT count(*) FROM __migrate_ledger), \
             (SELECT __migrate_cursor FROM __migrate_last), (SELECT __migrate_asked FROM __migrate_ledger){passed_over}",
            passed_over =
                if skipped { ", (SELECT pg_catalog.array_agg(__migrate_key) FROM __migrate_skipped)" } else { "" },
            arrays = arrays.join(", "),
            names = names.join(", "),
            table = self.target.table,
            set = set.join(", "),
            same = self.same(),
            text = self.text(),
            last = last.join(", "),
            ledger = self.move_cursor("(SELECT count(*) FROM __migrate_updated)"),
        )
    }

    /// A key as text. Parameters: its columns. The declaration's are not among them.
    pub(super) fn key_as_text(&self) -> String {
        let width = self.target.key.len();
        let columns: Vec<String> = (0..width).map(|place| format!("${} AS __migrate_{place}", place + 1)).collect();
        format!("SELECT {} FROM (SELECT {}) AS __migrate_row", self.text(), columns.join(", "))
    }

    /// The key, as text, of the next row of the range that satisfies the filter. Parameters: those of
    /// [`Statements::batch`].
    pub(super) fn next_row(&self, after: bool) -> String {
        format!("SELECT {} FROM (\n{}\n) AS __migrate_row", self.text(), self.locked(after, ""))
    }

    /// Passes over that row, for this reason, and moves the cursor behind it. One row: the key, how many rows of the
    /// ledger, and what was asked of the backfill. Parameters: those of [`Statements::batch`].
    pub(super) fn skip_next_row(&self, after: bool, reason: &str) -> String {
        format!(
            "WITH __migrate_batch AS MATERIALIZED (\n{locked}\n\
             ), __migrate_last AS (\n\
             SELECT {text} AS __migrate_cursor FROM __migrate_batch\n\
             ), __migrate_skipped AS (\n{skip}\n), __migrate_ledger AS (\n{ledger}\n) \
             SELECT __migrate_cursor, (SELECT count(*) FROM __migrate_ledger), \
             (SELECT __migrate_asked FROM __migrate_ledger) FROM __migrate_last",
            locked = self.locked(after, ""),
            text = self.text(),
            skip = self.skip("pg_catalog.to_jsonb(__migrate_cursor)", &literal(reason), "__migrate_last"),
            ledger = self.move_cursor("0"),
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

    /// The end of a batch that filled these many rows. Of a range, the step's row counts them too: it is every worker's, and
    /// so is locked last and for no longer than the commit takes.
    pub(super) fn commit(&self, filled: u64) -> String {
        let Checkpoint { steps_table, version, step, .. } = self.checkpoint;
        match &self.place {
            Place::Range { .. } if filled > 0 => format!(
                "UPDATE {steps_table} SET \"rows\" = \"rows\" + {filled} WHERE version = {version} AND step = {step}; COMMIT"
            ),
            _ => "COMMIT".to_owned(),
        }
    }

    /// The first key whose first column is at least this value. Parameters: the value, and the columns of the key that it
    /// is to come after, where there is one.
    pub(super) fn at_least(&self, after: bool) -> String {
        let Some(first) = self.target.key.first() else { return String::new() };
        let value = self.value(1, first);
        let behind = if after { format!(" AND {} > {}", self.names(), self.values(2)) } else { String::new() };
        format!(
            "SELECT {text} FROM (SELECT {columns} FROM {table} WHERE {name} >= {value}{behind} ORDER BY {order} LIMIT 1) \
             AS __migrate_row",
            text = self.text(),
            columns = self.columns(),
            table = self.target.table,
            name = first.name,
            order = self.order(),
        )
    }

    /// What is asked of the backfill by the ledger.
    pub(super) fn asked(&self) -> String {
        let Checkpoint { steps_table, version, step, .. } = self.checkpoint;
        format!("SELECT asked FROM {steps_table} WHERE version = {version} AND step = {step}")
    }

    fn locked(&self, after: bool, more: &str) -> String {
        let (range, next) = self.range(after);
        format!(
            "SELECT {columns}{more} FROM {table} WHERE {range} AND (\n{filter}\n){skipped} ORDER BY {order} LIMIT ${next} \
             FOR NO KEY UPDATE",
            columns = self.columns(),
            table = self.target.table,
            filter = self.backfill.filter(),
            skipped = self.not_skipped(),
            order = self.order(),
        )
    }

    /// The rows that were passed over on purpose are left out.
    fn not_skipped(&self) -> String {
        if !self.skipping {
            return String::new();
        }
        let Checkpoint { skipped_table, version, step, .. } = self.checkpoint;
        let key = self.target.key.iter().map(|column| text(&column.name, column)).collect::<Vec<_>>().join(", ");
        format!(
            " AND NOT EXISTS (SELECT FROM {skipped_table} AS __migrate_skipped WHERE __migrate_skipped.version = {version} \
             AND __migrate_skipped.step = {step} AND __migrate_skipped.key = pg_catalog.to_jsonb(ARRAY[{key}]))"
        )
    }

    fn skip(&self, key: &str, reason: &str, from: &str) -> String {
        let Checkpoint { skipped_table, version, step, .. } = self.checkpoint;
        format!(
            "INSERT INTO {skipped_table} (version, step, key, reason) SELECT {version}, {step}, {key}, {reason} FROM {from} \
             ON CONFLICT (version, step, key) DO UPDATE SET reason = EXCLUDED.reason, at = EXCLUDED.at \
             RETURNING (SELECT pg_catalog.string_agg(e.part, ', ' ORDER BY e.place) \
             FROM pg_catalog.jsonb_array_elements_text(key) WITH ORDINALITY AS e(part, place)) AS __migrate_key"
        )
    }

    fn move_cursor(&self, rows: &str) -> String {
        let Checkpoint { steps_table, ranges_table, version, step, .. } = self.checkpoint;
        let set = format!("SET \"cursor\" = pg_catalog.to_jsonb(__migrate_cursor), \"rows\" = \"rows\" + {rows}");
        match &self.place {
            Place::Step => format!(
                "UPDATE {steps_table} {set} FROM __migrate_last WHERE version = {version} AND step = {step} \
                 RETURNING asked AS __migrate_asked"
            ),
            Place::Range { number, owner } => format!(
                "UPDATE {ranges_table} {set} FROM __migrate_last WHERE version = {version} AND step = {step} \
                 AND range = {number} AND owner = {} RETURNING (SELECT s.asked FROM {steps_table} AS s \
                 WHERE s.version = {version} AND s.step = {step}) AS __migrate_asked",
                literal(owner)
            ),
        }
    }

    fn same(&self) -> String {
        let key = self.target.key.iter().enumerate();
        key.map(|(place, column)| format!("{} = __migrate_batch.__migrate_{place}", column.name))
            .collect::<Vec<_>>()
            .join(" AND ")
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
        row(self.target.key.iter().enumerate().map(|(place, column)| self.value(first + place, column)))
    }

    fn value(&self, parameter: usize, column: &KeyColumn) -> String {
        let value = format!("${parameter}::text::{}", column.sql_type);
        column.collation.as_ref().map_or(value.clone(), |collation| format!("{value} COLLATE {collation}"))
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
        let columns = self.target.key.iter().enumerate();
        // What a CTE hands on keeps the column's collation, and so its order.
        columns.map(|(place, _)| format!("__migrate_{place} DESC")).collect::<Vec<_>>().join(", ")
    }

    /// The key as an array of text that reads back whatever the session's settings are then.
    fn text(&self) -> String {
        let text =
            self.target.key.iter().enumerate().map(|(place, column)| text(&format!("__migrate_{place}"), column));
        format!("ARRAY[{}]", text.collect::<Vec<_>>().join(", "))
    }
}

/// Several arrays side by side: `unnest` with more than one argument is syntax, and not to be had by its schema.
fn unnest(parameter: usize) -> String {
    format!("pg_catalog.unnest(${parameter})")
}

/// A key for people: `1, abc`.
pub(super) fn shown(key: &Key) -> String {
    key.join(", ")
}

/// Dates and timestamps go through `to_jsonb`, which writes ISO 8601 with the offset from UTC in every `DateStyle`
/// (json.c, `JsonEncodeDateTime`).
fn text(value: &str, column: &KeyColumn) -> String {
    if column.dated { format!("pg_catalog.to_jsonb({value}) #>> '{{}}'") } else { format!("{value}::text") }
}

fn row(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match &parts[..] {
        [one] => one.clone(),
        _ => format!("ROW({})", parts.join(", ")),
    }
}
