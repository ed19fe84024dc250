//! UNIQUE, PRIMARY KEY and EXCLUDE constraints whose index is built under the lock that adds them.

use super::case::{Altered, Case, held, made_up};
use super::safe_form::{SafeForm, declared, step, step_back_by, struct_name};
use super::{Finding, Hazard, Severity, not_null};
use crate::model::{LockClass, Phase};
use crate::sql::ast::{ConstraintDef, ConstraintKind, TableAction};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::schema::Fact;

pub(super) static UNIQUE: Hazard = Hazard {
    name: "unique-builds-index",
    title: "ADD UNIQUE without USING INDEX",
    severity: Severity::Blocking,
    why: "The index behind the constraint is built while nobody can read or write the table.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX. On a partitioned table: a unique index ON \
           ONLY the parent, one CONCURRENTLY on each partition, and each attached.",
};

pub(super) static PRIMARY_KEY: Hazard = Hazard {
    name: "primary-key-builds-index",
    title: "ADD PRIMARY KEY without USING INDEX",
    severity: Severity::Blocking,
    why: "The index behind the key is built, and its columns are checked for NULL, while nobody can read or write the table.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "NOT NULL with a validated proof, CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … PRIMARY KEY USING INDEX.",
};
use std::fmt::Write;

pub(super) static EXCLUDE: Hazard = Hazard {
    name: "exclude-builds-index",
    title: "ADD EXCLUDE on an existing table",
    severity: Severity::Blocking,
    why: "The index behind the constraint is built, and every row compared, while nobody can read or write the table; PostgreSQL \
          has no other form of it.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "A new table that has the constraint from the start, filled by a backfill while a trigger writes to both, and renamed \
           in the end. Or a window, allowed by name.",
};

pub(super) fn detect_unique(case: &Case<'_>) -> Vec<Finding> {
    detect(case, &UNIQUE, "ADD UNIQUE", |kind| matches!(kind, ConstraintKind::Unique { .. }))
}

pub(super) fn detect_primary_key(case: &Case<'_>) -> Vec<Finding> {
    detect(case, &PRIMARY_KEY, "ADD PRIMARY KEY", |kind| matches!(kind, ConstraintKind::PrimaryKey { .. }))
}

pub(super) fn detect_exclude(case: &Case<'_>) -> Vec<Finding> {
    detect(case, &EXCLUDE, "ADD EXCLUDE", |kind| matches!(kind, ConstraintKind::Exclude { .. }))
}

fn detect(case: &Case<'_>, hazard: &'static Hazard, what: &str, which: fn(&ConstraintKind) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let TableAction::AddConstraint(constraint) = action.action else { continue };
        if !which(&constraint.kind) {
            continue;
        }
        let lock = case.lock_on(&action.relation);
        if !lock.blocks_writes() || !action.works() {
            continue;
        }
        found.push(
            Finding::new(hazard, held(what, lock, &action.relation, "its index is built", &action.because))
                .about(&action.relation)
                .at(case.text, "add")
                .safe(form(case, action, constraint)),
        );
    }
    found
}

fn form(case: &Case<'_>, action: &Altered<'_>, constraint: &ConstraintDef) -> SafeForm {
    let table = &action.alter.name;
    match &constraint.kind {
        ConstraintKind::Unique { columns, .. } => using_index(case, table, constraint, columns),
        ConstraintKind::PrimaryKey { columns, .. } => {
            let mut form = SafeForm::new();
            for column in columns {
                if !known_not_null(case, &action.relation, column) {
                    form = form.then(&not_null::proved(table, column, case.pg));
                }
            }
            form.then(&using_index(case, table, constraint, columns))
        }
        _ => apart(table, constraint),
    }
}

fn known_not_null(case: &Case<'_>, table: &Name, column: &str) -> bool {
    case.table(table).is_some_and(|table| {
        table.columns.iter().any(|listed| listed.name == column && listed.not_null == Fact::Known(true))
    })
}

/// The unique index first, then the constraint over it.
pub(super) fn using_index(case: &Case<'_>, table: &Name, constraint: &ConstraintDef, columns: &[String]) -> SafeForm {
    let (label, include, nulls_not_distinct, with, tablespace) = match &constraint.kind {
        ConstraintKind::Unique { include, nulls_not_distinct, with, tablespace, .. } => {
            ("key", include, *nulls_not_distinct, with, tablespace)
        }
        ConstraintKind::PrimaryKey { include, with, tablespace, .. } => ("pkey", include, false, with, tablespace),
        _ => return SafeForm::new(),
    };
    let columns_in_name = if label == "pkey" { &[] } else { columns };
    let name = constraint.name.clone().unwrap_or_else(|| made_up(table, columns_in_name, label));
    let qualified = Name { schema: table.schema.clone(), name: name.clone() };
    let mut on = format!("{} ON {table} ({})", quoted(&name), print::list(columns));
    if !include.is_empty() {
        let _ = write!(on, " INCLUDE ({})", print::list(include));
    }
    if nulls_not_distinct {
        on.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(with) = with {
        let _ = write!(on, " {}", print::with_clause(with));
    }
    if let Some(tablespace) = tablespace {
        let _ = write!(on, " TABLESPACE {}", quoted(tablespace));
    }
    if case.before.is_partitioned(&case.before.resolve(table)) {
        return SafeForm::new().note(
            "USING INDEX does not exist for a partitioned table: make the unique index ON ONLY the parent, one CONCURRENTLY on \
             each partition, and attach each; the index refuses duplicates without a constraint.",
        );
    }
    let kind = if label == "pkey" {
        ConstraintKind::PrimaryKeyUsingIndex { index: name.clone() }
    } else {
        ConstraintKind::UniqueUsingIndex { index: name.clone() }
    };
    let over = ConstraintDef { name: Some(name.clone()), kind, ..constraint.clone() };
    let phase = if label == "pkey" { Phase::Contract } else { Phase::Expand };
    SafeForm::new()
        .migration(
            &struct_name("Index", &[&name]),
            declared(Phase::Contract, LockClass::ShareUpdateExclusive).alone(),
            &[step(
                format!("CREATE UNIQUE INDEX CONCURRENTLY {on}"),
                format!("DROP INDEX CONCURRENTLY IF EXISTS {qualified}"),
            )],
        )
        .migration(
            &struct_name("Constrain", &[&name]),
            declared(phase, LockClass::AccessExclusive),
            // The index goes with its constraint.
            &[step_back_by(
                format!("ALTER TABLE {table} ADD {}", print::constraint(&over)),
                vec![
                    format!("ALTER TABLE {table} DROP CONSTRAINT {}", quoted(&name)),
                    format!("CREATE UNIQUE INDEX CONCURRENTLY {on}"),
                ],
            )],
        )
}

fn apart(table: &Name, constraint: &ConstraintDef) -> SafeForm {
    let new = Name { schema: table.schema.clone(), name: format!("{}_new", table.name) };
    SafeForm::new()
        .note("There is no online form of EXCLUDE. A new table has it from the start:")
        .migration(
            &struct_name("Create", &[&new.name]),
            declared(Phase::Expand, LockClass::AccessShare),
            &[step(
                format!("CREATE TABLE {new} (LIKE {table} INCLUDING ALL, {})", print::constraint(constraint)),
                format!("DROP TABLE {new}"),
            )],
        )
        .note(
            "Then: a trigger that writes to both tables, a backfill of the rows that are there, a check that both hold the \
             same, and a migration that swaps the names.",
        )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, safe, safe_on, shop, unknown};
    use crate::model::PgRange;

    #[test]
    fn unique() {
        for before in [shop(), unknown()] {
            let sql = "ALTER TABLE orders ADD CONSTRAINT orders_code UNIQUE (code)";
            assert_eq!(refused(&before, sql), ["unique-builds-index"]);
            let form = safe(&before, sql, "unique-builds-index");
            assert!(form.contains("CREATE UNIQUE INDEX CONCURRENTLY orders_code ON orders (code)"), "{form}");
            assert!(form.contains("ADD CONSTRAINT orders_code UNIQUE USING INDEX orders_code"), "{form}");
            safe(&before, "ALTER TABLE orders ADD UNIQUE (code, note) DEFERRABLE", "unique-builds-index");
        }
    }

    #[test]
    fn primary_key() {
        let keyless = made_by("CREATE TABLE t (a int, b int)");
        let sql = "ALTER TABLE t ADD PRIMARY KEY (a)";
        assert_eq!(refused(&keyless, sql), ["primary-key-builds-index"]);
        let form = safe(&keyless, sql, "primary-key-builds-index");
        assert!(form.contains("PRIMARY KEY USING INDEX t_pkey"), "{form}");
        safe_on(&keyless, sql, "primary-key-builds-index", PgRange::new(18, 18).unwrap());
    }

    #[test]
    fn exclude() {
        let sql = "ALTER TABLE orders ADD CONSTRAINT apart EXCLUDE USING gist (at WITH =)";
        assert_eq!(refused(&shop(), sql), ["exclude-builds-index"]);
        safe(&shop(), sql, "exclude-builds-index");
    }

    #[test]
    fn of_a_new_table() {
        assert!(refused(&unknown(), "CREATE TABLE t (a int); ALTER TABLE t ADD UNIQUE (a)").is_empty());
    }
}
