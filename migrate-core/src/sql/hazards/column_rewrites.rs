//! Columns that are added or changed so that the table gets a new file.

use super::case::{Altered, Case, held, made_up};
use super::safe_form::{SafeForm, declared, step, struct_name};
use super::{Finding, Hazard, Severity, not_null};
use crate::model::{LockClass, Phase, Work};
use crate::sql::ast::{ColumnDef, ConstraintDef, ConstraintKind, Expr, TableAction, TypeName};
use crate::sql::locks;
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::schema::Type;

pub(super) static REWRITE: Hazard = Hazard {
    name: "blocking-rewrite",
    title: "A table is written anew under a lock that blocks everything",
    severity: Severity::Blocking,
    why: "Every row is copied to a new file, and every index is built again, while nobody can read or write the table: a volatile \
          default, serial, identity, a stored generated column, a constrained domain, or a type that is stored otherwise.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "A nullable column without default, the default for new rows, a backfill for the old ones, and constraints NOT VALID and \
           validated. A changed type: a new column, written by a trigger, filled by a backfill, and swapped by name.",
};

pub(super) static SCANS: Hazard = Hazard {
    name: "type-change-scans",
    title: "ALTER COLUMN TYPE that reads the table or rebuilds an index",
    severity: Severity::Blocking,
    why: "The rows stay as they are, but a CHECK on the column is checked again, or an index that uses it is built again, while \
          nobody can read or write the table.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "Drop the CHECK or index before and make it again after, NOT VALID and CONCURRENTLY; or a new column, written by a \
           trigger, filled by a backfill, and swapped by name.",
};

pub(super) fn detect_rewrite(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let lock = case.lock_on(&action.relation);
        if action.work != Work::Rewrite || !lock.blocks_writes() {
            continue;
        }
        let (what, form) = match action.action {
            TableAction::AddColumn { column, .. } => ("ADD COLUMN", added_in_steps(case, action, column)),
            TableAction::SetType { column, data_type, using, .. } => {
                ("ALTER COLUMN … TYPE", swapped(case, action, column, data_type, using.as_ref()))
            }
            TableAction::SetExpression { .. } => (
                "SET EXPRESSION",
                SafeForm::new()
                    .note("A new column with the new expression's value, filled by a backfill, and swapped by name."),
            ),
            _ => continue,
        };
        found.push(
            Finding::new(&REWRITE, held(what, lock, &action.relation, "every row is written anew", &action.because))
                .about(&action.relation)
                .at(case.text, words(action.action))
                .safe(form),
        );
    }
    found
}

pub(super) fn detect_scan(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let TableAction::SetType { column, data_type, using, .. } = action.action else { continue };
        let lock = case.lock_on(&action.relation);
        let work = match action.work {
            Work::Scan => "the rows are checked again",
            Work::IndexBuild => "its indexes are built again",
            _ => continue,
        };
        if !lock.blocks_writes() {
            continue;
        }
        found.push(
            Finding::new(&SCANS, held("ALTER COLUMN … TYPE", lock, &action.relation, work, &action.because))
                .about(&action.relation)
                .at(case.text, "type")
                .safe(swapped(case, action, column, data_type, using.as_ref())),
        );
    }
    found
}

fn words(action: &TableAction) -> &'static str {
    match action {
        TableAction::AddColumn { .. } => "add",
        TableAction::SetExpression { .. } => "set expression",
        _ => "type",
    }
}

/// The column nullable, its default for new rows, a backfill, and its constraints.
fn added_in_steps(case: &Case<'_>, action: &Altered<'_>, column: &ColumnDef) -> SafeForm {
    let table = &action.alter.name;
    let name = quoted(&column.name);
    let key = case.key(&action.relation);
    let drop = format!("ALTER TABLE {table} DROP COLUMN {name}");
    let (data_type, serial, from_domain) = plain_type(case, column);
    let mut form = SafeForm::new();
    let mut added = declared(Phase::Expand, LockClass::AccessExclusive);
    if from_domain == Domain::Unknown {
        form = form.note(
            "If the type is a domain with constraints, its base type stands here in its place, and its constraints follow as NOT \
             VALID constraints of the table; if it is none, nothing is rewritten, which the derive cannot know.",
        );
        added = added.allowing(REWRITE.name, "the type is no domain that has constraints");
    }
    let add = format!("ALTER TABLE {table} ADD COLUMN {name} {data_type}");

    if let Some(generated) = &column.generated {
        return generated_column(case, table, &column.name, &data_type, &generated.expression, &key);
    }
    let mut steps = vec![step(add, drop)];
    let mut value = column.default.as_ref().filter(|default| !default.null).map(|default| default.text.clone());
    if serial || column.identity.is_some() {
        let sequence =
            Name { schema: table.schema.clone(), name: made_up(table, std::slice::from_ref(&column.name), "seq") };
        let next = format!("nextval({})", print::literal(&sequence.to_string()));
        steps.push(step(
            format!("CREATE SEQUENCE {sequence} AS {data_type} OWNED BY {table}.{name}"),
            format!("DROP SEQUENCE {sequence}"),
        ));
        value = Some(next);
    }
    if let Some(value) = &value {
        steps.push(step(
            format!("ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {value}"),
            format!("ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"),
        ));
    }
    form = form.migration(&struct_name("Add", &[&table.name, &column.name]), added, &steps);
    if let Some(value) = &value {
        form = form.backfill(
            &struct_name("Fill", &[&table.name, &column.name]),
            table,
            &key,
            &format!("{name} = {value}"),
            &format!("{name} IS NULL"),
            "goes with the column",
        );
    }
    if column.not_null || serial || column.identity.is_some() {
        form = form.then(&not_null::proved(table, &column.name, case.pg));
    }
    for constraint in &column.constraints {
        if matches!(constraint.kind, ConstraintKind::Check(_) | ConstraintKind::ForeignKey(_)) {
            form = form.then(&super::constraint_not_valid::not_valid(case, table, constraint));
        }
    }
    for constraint in from_domain.checks(&column.name) {
        form = form.then(&super::constraint_not_valid::not_valid(case, table, &constraint));
    }
    if column.identity.is_some() {
        form = form.note("Identity, if it must be one: DROP DEFAULT, then ADD GENERATED … AS IDENTITY, with a start above the last value.");
    }
    form
}

#[derive(PartialEq)]
enum Domain {
    No,
    Unknown,
    Checks(Vec<Expr>),
}

impl Domain {
    /// The domain's checks as constraints of a column.
    fn checks(&self, column: &str) -> Vec<ConstraintDef> {
        let Self::Checks(checks) = self else { return Vec::new() };
        checks
            .iter()
            .map(|check| {
                let text = renamed(&check.text, "value", &quoted(column));
                ConstraintDef {
                    name: None,
                    kind: ConstraintKind::Check(Expr { text, columns: vec![column.to_owned()], ..check.clone() }),
                    not_valid: true,
                    deferrable: false,
                    initially_deferred: false,
                    no_inherit: false,
                    not_enforced: false,
                }
            })
            .collect()
    }
}

/// The type that adding the column with costs nothing; whether it was a serial; what a domain asked for.
fn plain_type(case: &Case<'_>, column: &ColumnDef) -> (String, bool, Domain) {
    let Some(data_type) = &column.data_type else { return ("text".to_owned(), false, Domain::No) };
    let serial = match data_type.name.name.as_str() {
        "serial2" | "smallserial" => Some("smallint"),
        "serial4" | "serial" => Some("integer"),
        "serial8" | "bigserial" => Some("bigint"),
        _ => None,
    };
    if let Some(serial) = serial {
        return (serial.to_owned(), true, Domain::No);
    }
    let listed = case.before.find_type(&data_type.name).and_then(|name| case.before.types.get(&name));
    match listed {
        Some(Type::Domain(domain)) => {
            let checks = domain.checks.values().map(|(check, _)| check.clone()).collect();
            (print::type_name(&domain.base), false, Domain::Checks(checks))
        }
        None if locks::may_be_domain(case.before, data_type) => (print::type_name(data_type), false, Domain::Unknown),
        _ => (print::type_name(data_type), false, Domain::No),
    }
}

fn generated_column(
    case: &Case<'_>,
    table: &Name,
    column: &str,
    data_type: &str,
    expression: &Expr,
    key: &str,
) -> SafeForm {
    let name = quoted(column);
    if case.pg.min() >= 18 {
        return SafeForm::new().migration(
            &struct_name("Add", &[&table.name, column]),
            declared(Phase::Expand, LockClass::AccessExclusive),
            &[step(
                format!(
                    "ALTER TABLE {table} ADD COLUMN {name} {data_type} GENERATED ALWAYS AS {} VIRTUAL",
                    print::parenthesised(expression)
                ),
                format!("ALTER TABLE {table} DROP COLUMN {name}"),
            )],
        );
    }
    SafeForm::new()
        .migration(
            &struct_name("Add", &[&table.name, column]),
            declared(Phase::Expand, LockClass::AccessExclusive),
            &[step(
                format!("ALTER TABLE {table} ADD COLUMN {name} {data_type}"),
                format!("ALTER TABLE {table} DROP COLUMN {name}"),
            )],
        )
        .then(&written_by_trigger(table, column, &expression.text, &expression.columns))
        .backfill(
            &struct_name("Fill", &[&table.name, column]),
            table,
            key,
            &format!("{name} = {}", expression.text),
            &format!("{name} IS NULL AND {} IS NOT NULL", print::parenthesised(expression)),
            "goes with the column",
        )
}

/// A trigger that gives the column its value from others of the row.
fn written_by_trigger(table: &Name, column: &str, expression: &str, columns: &[String]) -> SafeForm {
    let mut value = expression.to_owned();
    for used in columns {
        value = renamed(&value, &quoted(used), &format!("NEW.{}", quoted(used)));
    }
    let function = Name { schema: table.schema.clone(), name: made_up(table, &[column.to_owned()], "write") };
    let trigger = quoted(&function.name);
    SafeForm::new().migration(
        &struct_name("Write", &[&table.name, column]),
        declared(Phase::Contract, LockClass::ShareRowExclusive),
        &[
            step(
                format!(
                    "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.{} := {value}; RETURN NEW; END $$",
                    quoted(column)
                ),
                format!("DROP FUNCTION {function}()"),
            ),
            step(
                format!(
                    "CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
                ),
                format!("DROP TRIGGER {trigger} ON {table}"),
            ),
        ],
    )
}

/// A new column, written by a trigger, filled by a backfill, and swapped by name.
fn swapped(case: &Case<'_>, action: &Altered<'_>, column: &str, to: &TypeName, using: Option<&Expr>) -> SafeForm {
    let table = &action.alter.name;
    let new = format!("{column}_new");
    let old = format!("{column}_old");
    let data_type = print::type_name(to);
    let (value, columns) = match using {
        Some(using) => (using.text.clone(), using.columns.clone()),
        None => (format!("{}::{data_type}", quoted(column)), vec![column.to_owned()]),
    };
    let function = Name { schema: table.schema.clone(), name: made_up(table, std::slice::from_ref(&new), "write") };
    let trigger = quoted(&function.name);
    let (name, new_name, old_name) = (quoted(column), quoted(&new), quoted(&old));
    let rename = |from: &str, to: &str| format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}");
    let mut swap = vec![
        step(
            format!("DROP TRIGGER {trigger} ON {table}"),
            format!(
                "CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
            ),
        ),
        step(rename(&name, &old_name), rename(&old_name, &name)),
        step(rename(&new_name, &name), rename(&name, &new_name)),
    ];
    // Nobody writes the old column from then on.
    let required = case.table(&action.relation).and_then(|table| {
        table
            .columns
            .iter()
            .find(|candidate| candidate.name == column)
            .map(|column| column.not_null.known() == Some(&true))
    });
    let mut note = "Then what the old column has (default, NOT NULL, constraints, indexes) on the new one, each in its own safe form; and \
                    the swap:"
        .to_owned();
    if required.is_none() {
        note.push_str(
            " (if the old column is NOT NULL, with DROP NOT NULL on it as a last step: nobody writes it from then on)",
        );
    }
    if required == Some(true) {
        let old = |change: &str| format!("ALTER TABLE {table} ALTER COLUMN {old_name} {change} NOT NULL");
        swap.push(step(old("DROP"), old("SET")));
    }
    SafeForm::new()
        .migration(
            &struct_name("Add", &[&table.name, &new]),
            declared(Phase::Expand, LockClass::AccessExclusive),
            &[step(
                format!("ALTER TABLE {table} ADD COLUMN {new_name} {data_type}"),
                format!("ALTER TABLE {table} DROP COLUMN {new_name}"),
            )],
        )
        .then(&written_by_trigger(table, &new, &value, &columns))
        .backfill(
            &struct_name("Fill", &[&table.name, &new]),
            table,
            &case.key(&action.relation),
            &format!("{new_name} = {value}"),
            &format!("{new_name} IS NULL AND ({value}) IS NOT NULL"),
            "goes with the column",
        )
        .note(&note)
        .migration(
            &struct_name("Swap", &[&table.name, column]),
            declared(Phase::Contract, LockClass::AccessExclusive),
            &swap,
        )
        .note("And in the end, once nothing reads it, the old column is dropped (destructive) with the trigger's function.")
}

/// The text with one identifier replaced, outside of quotes.
fn renamed(text: &str, identifier: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut previous = ' ';
    let word = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
    while let Some(char) = rest.chars().next() {
        if char == '\'' {
            let end = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            previous = '\'';
            continue;
        }
        let starts = !word(previous)
            && previous != '.'
            && rest.get(..identifier.len()).is_some_and(|start| start.eq_ignore_ascii_case(identifier))
            && !rest[identifier.len()..].starts_with(|next| word(next) || next == '(');
        if starts {
            out.push_str(by);
            rest = &rest[identifier.len()..];
            previous = 'x';
        } else {
            out.push(char);
            previous = char;
            rest = &rest[char.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, safe_on, shop, unknown};
    use super::*;
    use crate::model::PgRange;

    #[test]
    fn columns_that_rewrite() {
        for sql in [
            "ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid()",
            "ALTER TABLE orders ADD COLUMN rank double precision NOT NULL DEFAULT random()",
            "ALTER TABLE orders ADD COLUMN number bigserial",
            "ALTER TABLE orders ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
            "ALTER TABLE orders ADD COLUMN twice integer GENERATED ALWAYS AS (total * 2) STORED",
        ] {
            for before in [shop(), unknown()] {
                assert_eq!(refused(&before, sql), ["blocking-rewrite"], "{sql}");
            }
            safe(&shop(), sql, "blocking-rewrite");
        }
        let sql = "ALTER TABLE orders ADD COLUMN cost price";
        assert_eq!(refused(&shop(), sql), ["blocking-rewrite"]);
        let form = safe(&shop(), sql, "blocking-rewrite");
        assert!(form.contains("CHECK (cost >= 0)"), "{form}");
        let sql = "ALTER TABLE orders ADD COLUMN twice integer GENERATED ALWAYS AS (total * 2) STORED";
        let form = safe_on(&shop(), sql, "blocking-rewrite", PgRange::new(18, 18).unwrap());
        assert!(form.contains("VIRTUAL"), "{form}");
    }

    #[test]
    fn types_that_rewrite() {
        let sql = "ALTER TABLE orders ALTER COLUMN weight TYPE bigint";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["blocking-rewrite"]);
        }
        safe(&shop(), sql, "blocking-rewrite");
        let using = "ALTER TABLE orders ALTER COLUMN note TYPE integer USING length(note)";
        let form = safe(&shop(), using, "blocking-rewrite");
        assert!(form.contains("NEW.note_new := length(NEW.note);"), "{form}");
    }

    #[test]
    fn types_that_do_not() {
        assert!(refused(&shop(), "ALTER TABLE orders ALTER COLUMN note TYPE varchar").is_empty());
        assert!(refused(&shop(), "ALTER TABLE orders ALTER COLUMN code TYPE varchar(20)").is_empty());
        assert!(refused(&shop(), "ALTER TABLE orders ALTER COLUMN code TYPE text").is_empty());
    }

    #[test]
    fn types_that_check_again() {
        let before =
            super::super::harness::made_by("CREATE TABLE t (id bigint PRIMARY KEY, a varchar(10) CHECK (a <> ''))");
        let sql = "ALTER TABLE t ALTER COLUMN a TYPE varchar(20)";
        assert_eq!(refused(&before, sql), ["type-change-scans"]);
        safe(&before, sql, "type-change-scans");
    }

    #[test]
    fn identifiers_are_replaced_whole_and_outside_of_strings() {
        assert_eq!(
            renamed("lower(name) || ' name ' || name_2", "name", "NEW.name"),
            "lower(NEW.name) || ' name ' || name_2"
        );
        assert_eq!(renamed("value > 0 and value < 10", "value", "price"), "price > 0 and price < 10");
        assert_eq!(renamed("t.name || name(x)", "name", "n"), "t.name || name(x)");
    }
}
