//! What the writing of rows sets off: foreign keys, triggers, rules, and the sequences of defaults.

use super::dml::{Literals, dml_row, route};
use super::look::Look;
use super::query::{DEPTH, query_of, run};
use super::{bound, column, program, table};
use crate::model::{LockClass, Work};
use crate::sql::ast::{DmlKind, ForeignKey, Query};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::Fact;
use std::collections::BTreeSet;

/// What the triggers of foreign keys open (`ri_triggers.c`): the referenced row is locked FOR KEY SHARE, referencing
/// rows are looked for, or changed.
pub(super) fn foreign_keys(
    look: &mut Look<'_>,
    name: &Name,
    (kind, columns, rows): (DmlKind, &[String], Option<&[Literals]>),
    seen: &mut BTreeSet<(Name, DmlKind)>,
    depth: u8,
) {
    if depth > DEPTH || !seen.insert((name.clone(), kind)) {
        return;
    }
    let row = dml_row(kind);
    let before = look.before;
    if kind != DmlKind::Delete {
        for key in before.foreign_keys_of(name) {
            if is_checked_now(look, key.table, key.constraint) && sets(look, name, kind, columns, &key.key.columns) {
                let referenced = look.resolve(&key.key.references);
                let mut looked_in = looked_up(look, key.key, rows);
                looked_in.push(referenced);
                for name in looked_in {
                    look.lock_because(row, &name, LockClass::RowShare, || {
                        format!("the foreign key {} looks the row up in {name}", key.constraint)
                    });
                }
            }
        }
    }
    if kind == DmlKind::Insert {
        return;
    }
    // The triggers of a key that references a partitioned table are on its partitions too.
    let mut referenced_as = vec![name.clone()];
    while let Some((parent, _)) = referenced_as
        .last()
        .and_then(|last| before.table(last))
        .and_then(|table| table.partition_of.known())
        .cloned()
        .flatten()
    {
        referenced_as.push(parent);
    }
    for key in before.all_foreign_keys().filter(|key| referenced_as.contains(&before.resolve(&key.key.references))) {
        let referenced = column::referenced_columns(before.table(name), key.key);
        if !is_enforced(look, key.table, key.constraint)
            || (kind == DmlKind::Update
                && !columns.is_empty()
                && !referenced.iter().any(|column| columns.contains(column)))
        {
            continue;
        }
        let action = if kind == DmlKind::Delete { &key.key.on_delete } else { &key.key.on_update };
        let action = action.as_deref().unwrap_or("NO ACTION").to_ascii_uppercase();
        // Only the check of NO ACTION can wait for COMMIT; the other actions never do.
        if action == "NO ACTION" && !is_checked_now(look, key.table, key.constraint) {
            continue;
        }
        let other = key.table.clone();
        let constraint = key.constraint;
        let changes = action.starts_with("CASCADE") || action.starts_with("SET");
        let class = if changes { LockClass::RowExclusive } else { LockClass::RowShare };
        for target in look.family(&other, false) {
            look.lock_because(row, &target, class, || {
                format!("the foreign key {constraint} of {target} references {name}: ON {} {action}", row.statement)
            });
            if changes && !before.is_partitioned(&target) {
                look.work(row, &target, Work::Rows, format!("{action} changes rows of {target}"));
            }
        }
        if changes {
            let next = if action.starts_with("CASCADE") && kind == DmlKind::Delete {
                DmlKind::Delete
            } else {
                DmlKind::Update
            };
            if next == DmlKind::Delete {
                look.lose(&other, None);
            }
            foreign_keys(look, &other, (next, &key.key.columns, None), seen, depth + 1);
            triggers(look, &other, next, if next == DmlKind::Update { &key.key.columns } else { &[] });
        }
    }
}

/// The partitions of a referenced table in which the new rows' keys are looked up: those that the plan for each key is
/// left with (`RI_FKey_check`).
fn looked_up(look: &Look<'_>, key: &ForeignKey, rows: Option<&[Literals]>) -> Vec<Name> {
    let referenced = look.resolve(&key.references);
    if !look.before.is_partitioned(&referenced) {
        return Vec::new();
    }
    let Some(rows) = rows else { return look.before.descendants_of(&referenced) };
    let columns = column::referenced_columns(look.before.table(&referenced), key);
    let mut kept = Vec::new();
    for row in rows {
        let value = |column: &String| row.iter().find(|(of, _)| of == column).map(|(_, value)| value.as_str());
        if key.columns.iter().filter_map(value).any(bound::is_null) {
            continue;
        }
        let looked_for: Vec<(&str, &str)> =
            key.columns.iter().zip(&columns).filter_map(|(own, other)| Some((other.as_str(), value(own)?))).collect();
        route(look, &referenced, &looked_for, &mut kept);
    }
    kept
}

/// Whether rows are looked up by the statement: those of a key that is deferred are by COMMIT, which may come much later.
fn is_checked_now(look: &Look<'_>, table: &Name, constraint: &str) -> bool {
    let listed = look.before.table(table).and_then(|table| table.constraints.get(constraint));
    listed.is_none_or(|constraint| constraint.enforced && !constraint.initially_deferred)
}

fn is_enforced(look: &Look<'_>, table: &Name, constraint: &str) -> bool {
    look.before
        .table(table)
        .and_then(|table| table.constraints.get(constraint))
        .is_none_or(|constraint| constraint.enforced)
}

/// Whether the statement gives the key's columns values that may not be null.
fn sets(look: &Look<'_>, name: &Name, kind: DmlKind, columns: &[String], key: &[String]) -> bool {
    if columns.is_empty() {
        return kind == DmlKind::Insert;
    }
    if key.iter().any(|column| columns.contains(column)) {
        return true;
    }
    kind == DmlKind::Insert
        && look.before.table(name).is_some_and(|table| {
            key.iter().all(|wanted| {
                table
                    .columns
                    .iter()
                    .any(|column| column.name == *wanted && !matches!(column.default, Fact::Known(None)))
            })
        })
}

/// User triggers and rules: what the trigger's function does, where its body is known.
/// The triggers that the rows fire; `columns` are those that UPDATE sets, where they are known.
pub(super) fn triggers(look: &mut Look<'_>, name: &Name, kind: DmlKind, columns: &[String]) {
    let Some(listed) = look.before.table(name) else { return };
    let word = match kind {
        DmlKind::Insert => "insert",
        DmlKind::Update => "update",
        DmlKind::Delete => "delete",
        DmlKind::Merge => return,
    };
    let mut called = Vec::new();
    for (trigger, listed) in &listed.triggers {
        let fires = listed.definition.known().is_none_or(|text| {
            let text = text.to_ascii_lowercase();
            text.contains(word) && (kind != DmlKind::Update || is_of(&text, columns))
        });
        if fires {
            called.push((trigger.clone(), listed.function.known().cloned()));
        }
    }
    for (trigger, function) in called {
        match function {
            Some(function) => program::trigger(look, name, &trigger, &function),
            None => look.maybe_stronger(format!("what the trigger {trigger} of {name} does is not known")),
        }
    }
}

/// Whether `UPDATE OF …` names one of the columns, or names none.
fn is_of(trigger: &str, columns: &[String]) -> bool {
    let Some(at) = trigger.find("update of ") else { return true };
    let named = &trigger[at + "update of ".len()..];
    let ends = [
        " or ",
        " on ",
        " from ",
        " not deferrable",
        " deferrable",
        " initially ",
        " referencing ",
        " for ",
        " when ",
        " execute ",
    ];
    let end = ends.iter().filter_map(|word| named.find(word)).min().unwrap_or(named.len());
    columns.is_empty()
        || named[..end]
            .split(',')
            .any(|of| columns.iter().any(|column| of.trim() == quoted(column).to_ascii_lowercase()))
}

/// The actions of rules on the event, which the rewriter adds. Whether one is instead of the statement itself, without
/// condition.
pub(super) fn rules(look: &mut Look<'_>, name: &Name, kind: DmlKind) -> bool {
    let event = match kind {
        DmlKind::Insert => "on insert",
        DmlKind::Update => "on update",
        DmlKind::Delete => "on delete",
        DmlKind::Merge => return false,
    };
    let Some(listed) = look.before.table(name) else { return false };
    let of_event: Vec<(String, String)> = listed
        .rules
        .iter()
        .filter(|(_, text)| text.to_ascii_lowercase().contains(event))
        .map(|(rule, text)| (rule.clone(), text.clone()))
        .collect();
    let mut replaced = false;
    for (rule, text) in of_event {
        let itself = Name::bare(format!("rule {rule} on {name}"));
        if look.is_running(&itself) {
            continue;
        }
        let Some(parts) = RuleParts::read(&text) else {
            look.maybe_stronger(format!("the rule {rule} of {name} may reach other tables"));
            continue;
        };
        look.running(&itself, |look| {
            for action in &parts.actions {
                run(look, action);
            }
        });
        replaced |= parts.instead && !parts.conditional;
    }
    replaced
}

/// What a rule does, read from its text.
pub(super) struct RuleParts {
    pub conditional: bool,
    /// What its condition reads in subqueries.
    pub condition: Option<Query>,
    pub instead: bool,
    pub actions: Vec<Query>,
}

impl RuleParts {
    /// `None` where it cannot be read.
    pub(super) fn read(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let start = lower.find(" do ")? + 4;
        let condition = lower[..start].find(" where ").and_then(|at| text.get(at + 7..start - 4));
        let mut action = text[start..].trim();
        let instead = action.to_ascii_lowercase().starts_with("instead");
        for word in ["instead", "also"] {
            if action.to_ascii_lowercase().starts_with(word) {
                action = action[word.len()..].trim_start();
            }
        }
        let mut parts = Self { conditional: condition.is_some(), condition: None, instead, actions: Vec::new() };
        if let Some(condition) = condition {
            parts.condition = crate::sql::parse::parse_expression(condition).ok()?.subquery.map(|query| *query);
        }
        if !action.eq_ignore_ascii_case("nothing") {
            let inner = action.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(action);
            let statements = crate::sql::parse::parse(inner).ok()?;
            parts.actions = statements.iter().filter_map(query_of).cloned().collect();
        }
        Some(parts)
    }
}

/// Sequences that defaults and identities draw from.
pub(super) fn own_sequences(look: &mut Look<'_>, name: &Name, kind: DmlKind, columns: &[String]) {
    if kind != DmlKind::Insert {
        return;
    }
    let Some(listed) = look.before.table(name) else { return };
    let mut drawn = Vec::new();
    for column in &listed.columns {
        if columns.contains(&column.name) {
            continue;
        }
        if let Fact::Known(Some(default)) = &column.default {
            drawn.extend(default.sequences.iter().map(|sequence| look.resolve(sequence)));
        }
        if matches!(column.identity, Fact::Known(Some(_))) {
            drawn.extend(look.before.sequences_owned_by(name, Some(&column.name)));
        }
    }
    for sequence in drawn {
        look.lock(&table::DRAW_SEQUENCE, &sequence, table::DRAW_SEQUENCE.lock);
    }
}
