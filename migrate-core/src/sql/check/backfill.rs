//! One `#[backfill(…)]`: its parts, its parameters, and the UPDATE it amounts to.

use super::analysed::{Analysed, Knowledge};
use super::checked::{CheckedDown, CheckedStep};
use super::declaration::{Declaration, DownDeclaration, Fill, Site, SqlText, StepDeclaration};
use super::down;
use super::effects::effects;
use super::overwritten::overwritten;
use super::read;
use super::run::Problems;
use crate::bound::{BIND_AS_TEXT, bound_type, bound_type_names, plain};
use crate::model::{EffectKind, Phase, Space, Verb, Work};
use crate::sql::facts::{Change, ObjectId};
use crate::sql::locks::facts_over;
use crate::sql::name::Name;
use crate::sql::parse::{
    parameters, parse_column_list, parse_expression, parse_set_list, parse_table_name, parse_type,
};
use crate::sql::similar::did_you_mean;
use std::collections::BTreeSet;

/// The longest tuple that a row can be.
const MOST_COLUMNS: usize = 12;

pub(super) struct Parts<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a [String],
    pub(super) batch: u32,
    pub(super) fill: &'a Fill,
    pub(super) filter: Option<&'a str>,
    pub(super) down: Option<&'a DownDeclaration>,
}

/// Every bound field is a parameter of some backfill.
pub(super) fn binds(declaration: &Declaration, problems: &mut Problems) {
    let backfills = declaration.steps.iter().filter_map(|step| match step {
        StepDeclaration::Backfill { fill, filter, .. } => {
            let set = if let Fill::Set(set) = fill { set } else { "" };
            Some(format!("{set} {}", filter.as_deref().unwrap_or_default()))
        }
        StepDeclaration::Statement { .. } | StepDeclaration::Sync { .. } => None,
    });
    for (at, sql_type) in declaration.binds.iter().enumerate() {
        if let Err(error) = parse_type(sql_type) {
            let text = SqlText { text: sql_type.clone(), file: None };
            problems.list.push(read::syntax(&text, &error, Site::BindType(at)));
        } else if bound_type(sql_type).is_none() {
            let hint = did_you_mean(&plain(sql_type).0, bound_type_names());
            problems.add(
                Site::BindType(at),
                format!(
                    "`{sql_type}` is no built-in type, or none that a field can be bound as{hint}\n  = where it is a type of \
                     your own, {BIND_AS_TEXT}"
                ),
            );
        }
    }
    let mut used = vec![false; declaration.binds.len()];
    for text in backfills {
        // A parameter of text that does not parse is looked for all the same: the syntax error is said elsewhere.
        for number in parameters(&text).unwrap_or_else(|_| numbers_after_dollar(&text)) {
            if let Some(bind) = (number as usize).checked_sub(1).and_then(|at| used.get_mut(at)) {
                *bind = true;
            }
        }
    }
    for (at, used) in used.into_iter().enumerate() {
        if !used {
            problems.add(
                Site::Bind(at),
                format!(
                    "this field is bound to `${}`, which no backfill of this migration uses\n  = use it in `set` or `filter`, or take the field away",
                    at + 1
                ),
            );
        }
    }
}

fn numbers_after_dollar(text: &str) -> BTreeSet<u32> {
    text.split('$')
        .skip(1)
        .filter_map(|rest| rest[..rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())].parse().ok())
        .collect()
}

/// The columns that a backfill fills, by name.
fn filled(at: usize, parts: &Parts<'_>, problems: &mut Problems) -> Vec<String> {
    let literal = |text: &str| SqlText { text: text.to_owned(), file: None };
    let (read, write) = match parts.fill {
        Fill::Set(set) => match parse_set_list(set) {
            Ok(assignments) => return assignments.into_iter().map(|(column, _)| column).collect(),
            Err(error) => {
                problems.list.push(read::syntax(&literal(set), &error, Site::BackfillSet(at)));
                return Vec::new();
            }
        },
        Fill::Rows { read, write } => (read, write),
    };
    let mut columns = |list: &[String], site: Site, name: &str| {
        if list.is_empty() {
            problems.add(
                site,
                format!("a backfill in Rust names the columns that it {name}s\n  = write `{name} = \"column, …\"`"),
            );
        }
        if list.len() > MOST_COLUMNS {
            problems.add(
                site,
                format!("`{name}` has {} columns, and a row of a conversion at most {MOST_COLUMNS}", list.len()),
            );
        }
        let mut names = Vec::new();
        for column in list {
            match parse_column_list(column) {
                Ok(mut found) if found.len() == 1 => {
                    let found = found.remove(0);
                    if names.contains(&found) {
                        problems.add(site, format!("`{column}` stands in `{name}` twice"));
                    }
                    names.push(found);
                }
                Ok(_) => problems.add(site, format!("`{column}` is not one column")),
                Err(error) => problems.list.push(read::syntax(&literal(column), &error, site)),
            }
        }
        names
    };
    columns(read, Site::BackfillRead(at), "read");
    columns(write, Site::BackfillWrite(at), "write")
}

/// The columns of the key are read, though the UPDATE does not name them: the history check is to know of a misspelt one.
fn reads(key: &[String], changes: &[Change]) -> Vec<Change> {
    let Some(table) = changes.iter().find(|change| change.verb == Verb::Rows).map(|change| &change.object.name) else {
        return Vec::new();
    };
    let column = |name: &String| ObjectId {
        space: Space::Column,
        noun: "column",
        owner: Some(table.clone()),
        name: Name::bare(name),
    };
    let named = |object: &ObjectId| changes.iter().any(|change| change.object == *object);
    let read =
        |object| Change { kind: EffectKind::ReadRows, verb: Verb::Use, object, to: None, definition: String::new() };
    key.iter().map(column).filter(|object| !named(object)).map(read).collect()
}

pub(super) fn backfill(
    at: usize,
    parts: &Parts<'_>,
    declaration: &Declaration,
    knowledge: &mut Knowledge,
    problems: &mut Problems,
) -> Option<Analysed> {
    let before_problems = problems.list.len();
    let literal = |text: &str| SqlText { text: text.to_owned(), file: None };
    let table = match parse_table_name(parts.table) {
        Ok(table) => Some(table),
        Err(error) => {
            problems.list.push(read::syntax(&literal(parts.table), &error, Site::BackfillTable(at)));
            None
        }
    };
    if parts.key.is_empty() {
        problems.add(
            Site::BackfillKey(at),
            "a backfill walks along a key: columns that are unique together and NOT NULL, usually the primary key\n  = write `key = \"id\"`",
        );
    }
    let mut key = Vec::new();
    for column in parts.key {
        match parse_column_list(column) {
            Ok(columns) if columns.len() == 1 => key.extend(columns),
            Ok(_) => problems.add(Site::BackfillKey(at), format!("`{column}` is not one column")),
            Err(error) => problems.list.push(read::syntax(&literal(column), &error, Site::BackfillKey(at))),
        }
    }
    if parts.batch == 0 {
        problems
            .add(Site::BackfillKey(at), "`batch` is the number of rows a batch: at least 1, by custom 1_000 to 10_000");
    }
    let filled = filled(at, parts, problems);
    let written = match parts.fill {
        Fill::Set(_) => Site::BackfillSet(at),
        Fill::Rows { .. } => Site::BackfillWrite(at),
    };
    for column in &filled {
        let is_key = |key: &String| parse_column_list(key).is_ok_and(|names| names.first() == Some(column));
        if parts.key.iter().any(is_key) {
            problems.add(
                written,
                format!("`{column}` is the key that the backfill walks along, and cannot be set by it: rows would move under the cursor"),
            );
        }
    }
    match parts.filter {
        None => {
            let column = filled.first().map_or("column", String::as_str);
            problems.add(
                Site::BackfillFilter(at),
                format!(
                    "a backfill has a filter: which rows still want filling, so that it can be resumed and comes to an end\n  = write `filter = \"{} IS NULL\"`",
                    crate::sql::name::quoted(column)
                ),
            );
        }
        Some(filter) => {
            if let Err(error) = parse_expression(filter) {
                problems.list.push(read::syntax(&literal(filter), &error, Site::BackfillFilter(at)));
            }
        }
    }
    let set = if let Fill::Set(set) = parts.fill { Some(set.as_str()) } else { None };
    for (text, site) in [(set, Site::BackfillSet(at)), (parts.filter, Site::BackfillFilter(at))] {
        let highest = text.and_then(|text| parameters(text).ok()).and_then(|used| used.into_iter().max()).unwrap_or(0);
        if highest as usize > declaration.binds.len() {
            problems.add(
                site,
                format!(
                    "`${highest}` has no field: the struct binds {}\n  = fields bind in order; give the struct a field for it, `#[bind(\"text\")] pub name: &'static str`",
                    match declaration.binds.len() {
                        0 => "none".to_owned(),
                        count => format!("{count}, `$1` to `${count}`"),
                    }
                ),
            );
        }
    }
    let down = match parts.down {
        Some(DownDeclaration::Keep(reason)) => {
            if reason.trim().is_empty() {
                problems.add(Site::Down(at), "say why the rows may stay as they are: keep(\"…\")");
            }
            Some(CheckedDown::Keep(reason.clone()))
        }
        Some(DownDeclaration::Sql(_)) => down::of_assumed(at, &knowledge.schema, parts.down, declaration, problems)
            .map(|taken_back| taken_back.checked),
        Some(DownDeclaration::Derived | DownDeclaration::Nothing(_)) => {
            problems.add(
                Site::Down(at),
                "what the rows held before is not in this migration\n  = write the statement that takes the values back, or `down = keep(\"why the rows may stay as they are\")`",
            );
            None
        }
        None => {
            problems.add(
                Site::Step(at),
                "this backfill has no `down`: what becomes of the rows it filled?\n  = write the statement that takes the values back, or `down = keep(\"why the rows may stay as they are\")`",
            );
            None
        }
    };
    if problems.list.len() > before_problems {
        return None;
    }
    let (down, filter, table) = (down?, parts.filter?, table?);

    let (set, up) = match parts.fill {
        Fill::Set(set) => (set.clone(), None),
        Fill::Rows { read, write } => {
            // What the columns become is not for SQL to say: the statement that is judged names what is read and written.
            let set: Vec<_> =
                write.iter().map(|column| format!("{column} = coalesce(NULL, {})", read.join(", "))).collect();
            let up = format!(
                "UPDATE {table} SET ({}) = {}({}) WHERE {filter}",
                write.join(", "),
                declaration.name,
                read.join(", ")
            );
            (set.join(", "), Some(up))
        }
    };
    let update = literal(&format!("UPDATE {table} SET {set} WHERE {filter}"));
    let statement = read::one(&update, written, "the backfill", problems)?;
    let facts = match facts_over(&statement, &knowledge.schema, declaration.pg) {
        Ok(facts) => facts,
        Err(error) => {
            problems.add(
                written,
                format!("PostgreSQL would refuse this: {error}\n{}", read::excerpt(&update, statement.span.clone())),
            );
            return None;
        }
    };
    let downs = if let Some(DownDeclaration::Sql(texts)) = parts.down { texts.as_slice() } else { &[] };
    let mut changes = facts.changes;
    changes.extend(reads(&key, &changes));
    let overwritten = overwritten(&statement.stmt, downs, &knowledge.schema, &knowledge.fresh);
    let checked = CheckedStep {
        up: up.unwrap_or_else(|| statement.text.clone()),
        down,
        phase: Phase::Migrate,
        lock: facts.lock_class,
        locks: facts.locks.iter().map(|(name, lock)| (name.to_string(), lock.class)).collect(),
        work: Work::Rows,
        // Each batch is a transaction of its own.
        transactional: false,
        destructive: !overwritten.is_empty(),
        effects: effects(&statement.stmt, &changes),
        makes: Vec::new(),
        restores: Vec::new(),
        destroys: overwritten.clone(),
        concurrent: None,
        notes: facts.unknowns.clone(),
    };
    Some(Analysed {
        checked,
        detail: None,
        findings: Vec::new(),
        overwritten,
        may_be_stronger: facts.may_be_stronger,
        relied_on_new: Vec::new(),
        unsure: false,
    })
}
