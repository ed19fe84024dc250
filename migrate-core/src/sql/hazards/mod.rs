//! What hurts in production: one file a hazard, with its detection first, then its explanation, then the safe form as
//! migrations ready to paste. All of them are listed in [`all`].
//!
//! What is locked and what is done meanwhile is decided by the lock table (`Facts`), not here: a hazard only knows which
//! of it hurts, says so for this statement, and proposes what to write instead. Relations and columns that came with the
//! same migration or deploy have no clients, and raise nothing.

mod add_column_constraint;
mod cascade;
mod case;
mod column_rewrites;
mod concurrently_refused;
mod constraint_builds_index;
mod constraint_not_valid;
mod docs;
mod domain_constraint_scans;
mod drop_index_not_concurrent;
mod enum_value_used;
mod explicit_lock;
mod index_if_not_exists;
mod index_not_concurrent;
mod live_table;
mod not_null;
mod not_safe_to_run_twice;
mod opaque;
mod partitions;
mod pending_trigger_events;
mod physical_rewrite;
mod refresh_not_concurrent;
mod reindex_not_concurrent;
mod rename;
mod replication;
mod safe_form;
mod style;
mod together;
mod unbatched_rows;
mod work_under_lock;

pub use docs::docs;

use super::ast::Statement;
use super::facts::Facts;
use super::name::Name;
use super::phase::Fresh;
use super::schema::Schema;
use crate::model::PgRange;
use case::Case;
use std::ops::Range;

/// A named thing that hurts in production.
#[derive(Debug, PartialEq, Eq)]
pub struct Hazard {
    /// The name, as reports and documentation spell it: `index-not-concurrent`. In `allow(…)` with underscores.
    pub name: &'static str,
    /// What it is, in a line.
    pub title: &'static str,
    /// Whether it is refused.
    pub severity: Severity,
    /// What happens to clients, and why.
    pub why: &'static str,
    /// The lock that does it.
    pub lock: &'static str,
    /// What to do instead.
    pub safe: &'static str,
}

/// Whether a hazard is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Style, or something to know: off unless asked for.
    Advice,
    /// An error, unless allowed by name with a reason.
    Blocking,
}

/// One hazard in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub hazard: &'static Hazard,
    /// What, where and why, in this statement.
    pub message: String,
    /// Where, as bytes of the statement's text; `None` for the whole of it.
    pub span: Option<Range<usize>>,
    /// The relation that clients wait for.
    pub relation: Option<Name>,
    /// Migrations ready to paste, their versions left to fill in; empty where there is no other form.
    pub safe_form: String,
}

/// One statement and what is known of it.
pub(crate) struct StatementContext<'a> {
    pub statement: &'a Statement,
    pub facts: &'a Facts,
    pub before: &'a Schema,
    pub pg: PgRange,
    /// What came with this migration or deploy.
    pub fresh: &'a Fresh,
}

/// One step of a migration.
pub(crate) struct StepContext<'a> {
    pub statement: &'a Statement,
    pub facts: &'a Facts,
    pub before: &'a Schema,
    /// The statements that take it back, where it says so.
    pub downs: Vec<&'a str>,
}

/// A migration as a whole.
pub(crate) struct MigrationContext<'a> {
    steps: &'a [StepContext<'a>],
    transactional: bool,
}

struct Rule {
    hazard: &'static Hazard,
    detect: Detect,
}

enum Detect {
    /// In one statement, unless another has been found in it.
    Rest(fn(&Case<'_>, &[Finding]) -> Option<Finding>),
    /// In one statement.
    Statement(fn(&Case<'_>) -> Vec<Finding>),
    /// In the steps of one migration together.
    Migration(fn(&MigrationContext<'_>) -> Vec<(usize, Finding)>),
}

const fn statement(hazard: &'static Hazard, detect: fn(&Case<'_>) -> Vec<Finding>) -> Rule {
    Rule { hazard, detect: Detect::Statement(detect) }
}

const fn migration(hazard: &'static Hazard, detect: fn(&MigrationContext<'_>) -> Vec<(usize, Finding)>) -> Rule {
    Rule { hazard, detect: Detect::Migration(detect) }
}

const RULES: &[Rule] = &[
    statement(&column_rewrites::REWRITE, column_rewrites::detect_rewrite),
    statement(&column_rewrites::SCANS, column_rewrites::detect_scan),
    statement(&add_column_constraint::HAZARD, add_column_constraint::detect),
    statement(&add_column_constraint::NOT_NULL, add_column_constraint::detect_not_null),
    statement(&not_null::HAZARD, not_null::detect),
    statement(&constraint_not_valid::CHECK, constraint_not_valid::detect_check),
    statement(&constraint_not_valid::FOREIGN_KEY, constraint_not_valid::detect_foreign_key),
    statement(&constraint_builds_index::UNIQUE, constraint_builds_index::detect_unique),
    statement(&constraint_builds_index::PRIMARY_KEY, constraint_builds_index::detect_primary_key),
    statement(&constraint_builds_index::EXCLUDE, constraint_builds_index::detect_exclude),
    statement(&domain_constraint_scans::HAZARD, domain_constraint_scans::detect),
    statement(&physical_rewrite::HAZARD, physical_rewrite::detect),
    statement(&index_not_concurrent::HAZARD, index_not_concurrent::detect),
    statement(&drop_index_not_concurrent::HAZARD, drop_index_not_concurrent::detect),
    statement(&reindex_not_concurrent::HAZARD, reindex_not_concurrent::detect),
    statement(&refresh_not_concurrent::HAZARD, refresh_not_concurrent::detect),
    statement(&partitions::CREATE, partitions::detect_create),
    statement(&partitions::ATTACH, partitions::detect_attach),
    statement(&partitions::DETACH, partitions::detect_detach),
    statement(&explicit_lock::HAZARD, explicit_lock::detect),
    statement(&unbatched_rows::HAZARD, unbatched_rows::detect),
    migration(&together::WORK, together::detect_work),
    migration(&together::SEVERAL, together::detect_several),
    migration(&together::VALIDATE, together::detect_validate),
    statement(&concurrently_refused::HAZARD, concurrently_refused::detect),
    statement(&index_if_not_exists::HAZARD, index_if_not_exists::detect),
    statement(&opaque::TRANSACTION, opaque::detect_transaction),
    migration(&enum_value_used::HAZARD, enum_value_used::detect),
    migration(&not_safe_to_run_twice::HAZARD, not_safe_to_run_twice::detect),
    migration(&pending_trigger_events::HAZARD, pending_trigger_events::detect),
    statement(&cascade::CASCADE, cascade::detect),
    statement(&cascade::OWNED, cascade::detect_owned),
    statement(&opaque::DYNAMIC, opaque::detect_dynamic),
    migration(&rename::HAZARD, rename::detect),
    statement(&replication::DROPPED, replication::detect_dropped),
    statement(&replication::COLUMN_LIST, replication::detect_column_list),
    Rule { hazard: &work_under_lock::HAZARD, detect: Detect::Rest(work_under_lock::detect) },
    statement(&live_table::SECOND, live_table::detect_second),
    statement(&live_table::BEHAVIOUR, live_table::detect_behaviour),
    statement(&live_table::ON_CONFLICT, live_table::detect_on_conflict),
    statement(&live_table::PREPARED, live_table::detect_prepared),
    statement(&live_table::SEARCH_PATH, live_table::detect_search_path),
    statement(&style::INT_KEY, style::int_key),
    statement(&style::VARCHAR, style::varchar),
    statement(&style::CHAR, style::char),
    statement(&style::TIMESTAMP, style::timestamp),
    statement(&style::JSON, style::json),
    statement(&style::SERIAL, style::serial),
    statement(&style::NO_KEY, style::no_key),
    statement(&style::WIDE_INDEX, style::wide_index),
    statement(&style::UNNAMED, style::unnamed),
    statement(&style::UNCOVERED, style::uncovered),
    statement(&style::LONG_NAME, style::long_name),
    statement(&style::UNQUALIFIED, style::unqualified),
    migration(&style::SPLIT_ALTER, style::split_alter),
    statement(&style::ENUM_PLACE, style::enum_place),
    statement(&style::REVOKE, style::revoke),
];

const ALL: [&Hazard; RULES.len()] = {
    let mut all = [RULES[0].hazard; RULES.len()];
    let mut at = 0;
    while at < RULES.len() {
        all[at] = RULES[at].hazard;
        at += 1;
    }
    all
};

/// Every hazard, in the order of the documentation.
pub fn all() -> &'static [&'static Hazard] {
    &ALL
}

/// The hazard by its name, with `-` or `_`.
pub fn named(name: &str) -> Option<&'static Hazard> {
    let name = name.replace('_', "-");
    ALL.iter().copied().find(|hazard| hazard.name == name)
}

/// The hazards of one statement, in the order of [`all`].
pub(crate) fn in_statement(ctx: &StatementContext<'_>) -> Vec<Finding> {
    in_statement_within(ctx, &mut Vec::new())
}

/// The same, inside the functions that are running.
fn in_statement_within(ctx: &StatementContext<'_>, running: &mut Vec<Name>) -> Vec<Finding> {
    let case = Case::of(ctx);
    let mut found = Vec::new();
    for rule in RULES {
        match rule.detect {
            Detect::Statement(detect) => found.extend(detect(&case)),
            Detect::Rest(detect) => found.extend(detect(&case, &found)),
            Detect::Migration(_) => {}
        }
    }
    if case.actions.len() > 1 {
        for finding in found.iter_mut().filter(|finding| !finding.safe_form.is_empty()) {
            let rest = "In the place of this action. The other actions of the statement go into a migration of their own, before:";
            finding.safe_form = safe_form::SafeForm::new().note(rest).then_text(&finding.safe_form).render();
        }
    }
    // A function is looked at once a statement: calls into calls are a graph, and a walk along each path would not end.
    for inner in case.inner(running) {
        for finding in in_statement_within(&inner.context(ctx), running) {
            if !found.iter().any(|known| known.hazard == finding.hazard && known.relation == finding.relation) {
                found.push(Finding { span: None, ..finding });
            }
        }
    }
    found
}

/// The hazards that the steps of a migration make together, each at the step that completes it.
pub(crate) fn in_migration(steps: &[StepContext<'_>], transactional: bool) -> Vec<(usize, Finding)> {
    let ctx = MigrationContext { steps, transactional };
    let mut found = Vec::new();
    for rule in RULES {
        if let Detect::Migration(detect) = rule.detect {
            found.extend(detect(&ctx));
        }
    }
    found.sort_by_key(|(step, _)| *step);
    found
}

#[cfg(test)]
mod field;
#[cfg(test)]
mod harness;

#[cfg(test)]
mod tests {
    use super::harness::{refused, shop, unknown};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: BTreeSet<_> = all().iter().map(|hazard| hazard.name).collect();
        assert_eq!(names.len(), all().len());
        for hazard in all() {
            assert!(hazard.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", hazard.name);
            assert_eq!(named(&hazard.name.replace('-', "_")), Some(*hazard));
            for text in [hazard.title, hazard.why, hazard.lock, hazard.safe] {
                assert!(!text.is_empty(), "{}", hazard.name);
            }
        }
        assert_eq!(named("no-such-hazard"), None);
    }

    #[test]
    fn safe_forms_compile() {
        let mut refused = String::new();
        for (sql, hazard) in [
            ("CREATE INDEX idx ON orders (note) WHERE total > 5", "index-not-concurrent"),
            ("CREATE UNIQUE INDEX idx ON orders (lower(note))", "index-not-concurrent"),
            ("DROP INDEX orders_code_idx", "drop-index-not-concurrent"),
            ("REINDEX TABLE orders", "reindex-not-concurrent"),
            ("REINDEX INDEX orders_code_idx", "reindex-not-concurrent"),
            ("REINDEX SCHEMA public", "reindex-not-concurrent"),
            ("REFRESH MATERIALIZED VIEW totals", "refresh-not-concurrent"),
            ("ALTER TABLE events DETACH PARTITION events_2025", "detach-not-concurrent"),
            (
                "CREATE TABLE e26 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
                "partition-of-live-parent",
            ),
            ("ALTER TABLE orders ALTER COLUMN note SET NOT NULL", "set-not-null-scans"),
            ("ALTER TABLE orders ADD CONSTRAINT small CHECK (total < 1000)", "check-not-valid"),
            (
                "ALTER TABLE orders ADD CONSTRAINT o FOREIGN KEY (user_id) REFERENCES users (id)",
                "foreign-key-not-valid",
            ),
            ("ALTER TABLE orders ADD CONSTRAINT orders_code UNIQUE (code)", "unique-builds-index"),
            ("ALTER TABLE orders ADD UNIQUE (code)", "unique-builds-index"),
            ("ALTER TABLE orders ADD PRIMARY KEY (code)", "primary-key-builds-index"),
            ("ALTER TABLE orders ADD CONSTRAINT x EXCLUDE USING gist (at WITH =)", "exclude-builds-index"),
            ("ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid()", "blocking-rewrite"),
            ("ALTER TABLE orders ADD COLUMN rank double precision NOT NULL DEFAULT random()", "blocking-rewrite"),
            ("ALTER TABLE orders ADD COLUMN number bigserial", "blocking-rewrite"),
            ("ALTER TABLE orders ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY", "blocking-rewrite"),
            ("ALTER TABLE orders ADD COLUMN twice integer GENERATED ALWAYS AS (total * 2) STORED", "blocking-rewrite"),
            ("ALTER TABLE orders ALTER COLUMN total TYPE bigint", "blocking-rewrite"),
            ("ALTER TABLE orders ALTER COLUMN note TYPE integer USING length(note)", "blocking-rewrite"),
            ("ALTER TABLE orders ADD COLUMN a integer CHECK (a > 0)", "add-column-constraint"),
            ("ALTER TABLE orders ADD COLUMN a integer UNIQUE", "add-column-constraint"),
            ("ALTER TABLE orders ADD COLUMN a bigint DEFAULT 1 REFERENCES users (id)", "add-column-constraint"),
            ("ALTER DOMAIN price ADD CONSTRAINT cheap CHECK (VALUE < 100)", "domain-constraint-scans"),
            ("ALTER DOMAIN price SET NOT NULL", "domain-constraint-scans"),
            ("ALTER TABLE orders SET UNLOGGED", "physical-rewrite"),
            ("ALTER TABLE orders SET TABLESPACE fast", "physical-rewrite"),
            ("CLUSTER orders USING orders_code_idx", "physical-rewrite"),
            ("ALTER INDEX orders_code_idx SET TABLESPACE fast", "physical-rewrite"),
            ("VACUUM FULL orders", "physical-rewrite"),
            ("UPDATE orders SET note = 'x' WHERE note IS NULL", "unbatched-rows"),
            (
                "ALTER TABLE users ADD COLUMN a integer; ALTER TABLE orders ADD COLUMN a integer",
                "several-tables-locked",
            ),
            (
                "ALTER TABLE users ADD COLUMN a integer; CREATE TABLE copies AS SELECT * FROM orders",
                "work-after-strong-lock",
            ),
            (
                "ALTER TABLE orders ADD CONSTRAINT c CHECK (total < 9) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT c",
                "validate-with-not-valid",
            ),
            ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (note)", "index-if-not-exists-concurrently"),
            (
                "ALTER TYPE mood ADD VALUE 'glad'; ALTER TABLE people ALTER COLUMN now SET DEFAULT 'glad'",
                "enum-value-used",
            ),
            ("ALTER TABLE orders ADD COLUMN a integer; CREATE INDEX i ON orders (note)", "work-after-strong-lock"),
            (
                "ALTER TABLE orders ADD COLUMN a integer, ADD COLUMN b text UNIQUE, ADD COLUMN c bigint DEFAULT 1 REFERENCES users (id)",
                "add-column-constraint",
            ),
            ("ALTER TABLE orders ADD COLUMN a integer NOT NULL", "add-column-not-null"),
            (
                "ALTER TABLE orders ADD COLUMN a integer NOT NULL, ALTER COLUMN note DROP NOT NULL",
                "add-column-not-null",
            ),
        ] {
            refused.push_str(&super::harness::what_the_check_refuses(sql, hazard));
        }
        assert!(refused.is_empty(), "{refused}");
    }

    /// What takes a strong lock for a moment only is the runner's business, under a lock timeout.
    #[test]
    fn short_changes_raise_nothing() {
        for sql in [
            "ALTER TABLE orders ADD COLUMN status text",
            "ALTER TABLE orders ADD COLUMN status text; ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'",
            "ALTER TABLE orders ADD COLUMN status text NOT NULL DEFAULT 'new'",
            "ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT now()",
            "ALTER TABLE orders ADD COLUMN user_2 bigint REFERENCES users (id)",
            "CREATE INDEX CONCURRENTLY idx_orders_note ON orders (note)",
            "DROP INDEX CONCURRENTLY IF EXISTS orders_code_idx",
            "ALTER TABLE users DROP COLUMN full_name",
            "CREATE TABLE payments (id bigint PRIMARY KEY, order_id bigint REFERENCES orders (id), user_id bigint REFERENCES users (id))",
            "CREATE TABLE tags (id bigint PRIMARY KEY); CREATE INDEX ON tags (id); ALTER TABLE tags ADD CHECK (id > 0); UPDATE tags SET id = 1",
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (total < 10) NOT VALID",
            "ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check",
            "ALTER TABLE orders SET (fillfactor = 80)",
            "DROP TABLE people",
            "INSERT INTO users (id, email) VALUES (1, 'a')",
            "UPDATE users SET email = 'a' WHERE id = 5",
            "TRUNCATE people",
            "GRANT SELECT ON orders TO PUBLIC",
            "COMMENT ON TABLE orders IS 'x'",
            "ANALYZE orders",
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "ALTER TYPE mood ADD VALUE 'glad' AFTER 'ok'",
        ] {
            assert_eq!(refused(&shop(), sql), Vec::<&str>::new(), "{sql}");
            if !sql.contains("VALIDATE") && !sql.contains("mood") {
                assert_eq!(refused(&unknown(), sql), Vec::<&str>::new(), "{sql} over an unknown schema");
            }
        }
    }
}
