//! How a step is reversed: written, derived, kept, or nothing to take back; and whether it is.

use super::checked::{CheckedDown, CheckedDownStatement};
use super::declaration::{Declaration, DownDeclaration, Site, SqlText};
use super::effects::effects;
use super::read;
use super::run::Problems;
use super::step::{apply_over, concurrent};
use crate::sql::Change;
use crate::sql::ast::{ObjectKind, Statement, Stmt};
use crate::sql::hazards::{self, StatementContext};
use crate::sql::locks::facts_over;
use crate::sql::phase::Fresh;
use crate::sql::reverse::{Derived, decide, derive};
use crate::sql::schema::{Schema, described, is_followed, is_held};

/// A down that was accepted.
pub(super) struct TakenBack {
    pub(super) checked: CheckedDown,
    /// The schema after up and down.
    pub(super) restored: Option<Schema>,
    /// What the downs change.
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<String>,
}

pub(super) fn down(
    at: usize,
    up: &Statement,
    before: &Schema,
    after: &Schema,
    declared: Option<&DownDeclaration>,
    declaration: &Declaration,
    problems: &mut Problems,
) -> Option<TakenBack> {
    let derived = || derive(up, before, declaration.pg);
    match declared {
        None => {
            problems.add(Site::Step(at), missing(&derived()));
            None
        }
        Some(DownDeclaration::Sql(texts)) => written(at, texts, up, before, after, declaration, problems),
        Some(DownDeclaration::Derived) => match derived() {
            Derived::Sql(sql) => {
                let texts: Vec<SqlText> = sql.into_iter().map(|text| SqlText { text, file: None }).collect();
                written(at, &texts, up, before, after, declaration, problems)
            }
            Derived::Nothing(why) => {
                problems.add(
                    Site::Down(at),
                    format!("nothing can be derived, since there is nothing to take back: {why}\n  = write `down = nothing(\"{why}\")`"),
                );
                None
            }
            Derived::Irreversible(why) => {
                problems.add(
                    Site::Down(at),
                    format!("nothing can be derived, since PostgreSQL cannot take it back: {why}\n  = write `down = nothing(\"{why}\")`: it is recorded as irreversible"),
                );
                None
            }
            Derived::Needs(why, template) => {
                problems.add(
                    Site::Down(at),
                    format!("the down cannot be derived: {why}{}", written_as(template.as_deref())),
                );
                None
            }
        },
        Some(DownDeclaration::Keep(_)) => {
            let instead = match derived() {
                Derived::Sql(sql) => format!("this is reversed by\n{}", downs(&sql)),
                Derived::Nothing(why) => format!("write `down = nothing(\"{why}\")`"),
                Derived::Irreversible(why) => format!("write `down = nothing(\"{why}\")`"),
                Derived::Needs(why, template) => format!("{why}{}", written_as(template.as_deref())),
            };
            problems.add(
                Site::Down(at),
                format!("`keep` is for rows that a backfill filled, and this is a statement\n  = {instead}"),
            );
            None
        }
        Some(DownDeclaration::Nothing(reason)) => {
            if reason.trim().is_empty() {
                problems.add(Site::Down(at), "say why there is nothing to take back: nothing(\"…\")");
            }
            match derived() {
                Derived::Nothing(_) => Some(TakenBack {
                    checked: CheckedDown::Nothing(reason.clone()),
                    restored: None,
                    changes: Vec::new(),
                    notes: Vec::new(),
                }),
                Derived::Irreversible(why) => Some(TakenBack {
                    checked: CheckedDown::Irreversible(reason.clone()),
                    restored: None,
                    changes: Vec::new(),
                    notes: vec![why],
                }),
                Derived::Sql(sql) => {
                    problems.add(
                        Site::Down(at),
                        format!("there is something to take back, and it has a reverse:\n{}  = write it, or `down = derived`{}", downs(&sql), own_down(up, before)),
                    );
                    None
                }
                Derived::Needs(why, template) => {
                    problems.add(
                        Site::Down(at),
                        format!(
                            "there is something to take back: {why}{}{}",
                            written_as(template.as_deref()),
                            own_down(up, before)
                        ),
                    );
                    None
                }
            }
        }
    }
}

/// Where the table goes with the down of an earlier step, which one may think to be enough.
fn own_down(up: &Statement, before: &Schema) -> &'static str {
    let table = match &up.stmt {
        Stmt::CreateIndex(index) => Some(&index.table),
        Stmt::AlterTable(alter) => Some(&alter.name),
        Stmt::Query(query) => query.writes.first().map(|write| &write.table),
        _ => None,
    };
    if table.is_some_and(|table| before.is_new(&before.resolve(table))) {
        "\n  = each step is taken back by a down of its own, the last one first, also where an earlier one's drops the table"
    } else {
        ""
    }
}

/// The down of a statement that was taken on trust: it must be there, and is not compared.
pub(super) fn of_assumed(
    at: usize,
    before: &Schema,
    declared: Option<&DownDeclaration>,
    declaration: &Declaration,
    problems: &mut Problems,
) -> Option<TakenBack> {
    match declared {
        Some(DownDeclaration::Sql(texts)) => {
            let statements = statements(at, texts, problems)?;
            let mut schema = before.clone();
            let (checked, changes) = analyse(at, &statements, texts, &mut schema, declaration, problems)?;
            let notes = vec![
                "reversal of this step is checked in cargo test only, because what its up does is taken on trust"
                    .to_owned(),
            ];
            Some(TakenBack { checked: CheckedDown::Sql(checked), restored: None, changes, notes })
        }
        Some(DownDeclaration::Nothing(reason)) => Some(TakenBack {
            checked: CheckedDown::Irreversible(reason.clone()),
            restored: None,
            changes: Vec::new(),
            notes: vec!["taken on trust: nothing takes it back".to_owned()],
        }),
        None | Some(DownDeclaration::Derived | DownDeclaration::Keep(_)) => {
            let site = if declared.is_some() { Site::Down(at) } else { Site::Step(at) };
            problems.add(
                site,
                "what this statement does is taken on trust, so its down has to be written\n  = write `down = \"…\"`, or `down = nothing(\"why it cannot be taken back\")`: it is then recorded as irreversible",
            );
            None
        }
    }
}

fn missing(derived: &Derived) -> String {
    let accepted = match derived {
        Derived::Sql(sql) => format!("this down would be accepted:\n{}  = write it, or `down = derived`", downs(sql)),
        Derived::Nothing(why) => format!("there is nothing to take back here: write `down = nothing(\"{why}\")`"),
        Derived::Irreversible(why) => {
            format!(
                "PostgreSQL cannot take this back: write `down = nothing(\"{why}\")`, which is recorded as irreversible"
            )
        }
        Derived::Needs(why, template) => format!("{why}{}", written_as(template.as_deref())),
    };
    format!("this step has no `down`: how is it reversed?\n  = {accepted}")
}

fn written_as(template: Option<&str>) -> String {
    template.map_or(String::new(), |template| format!("\n  = write it by hand, as in\n        down = {template:?}"))
}

fn downs(sql: &[String]) -> String {
    match sql {
        [one] => format!("        down = {one:?}\n"),
        many => {
            let lines: Vec<String> = many.iter().map(|statement| format!("            {statement:?},\n")).collect();
            format!("        down = [\n{}        ]\n", lines.concat())
        }
    }
}

fn statements(at: usize, texts: &[SqlText], problems: &mut Problems) -> Option<Vec<Statement>> {
    if texts.is_empty() {
        problems
            .add(Site::Down(at), "`down` is an empty list\n  = write the statements that reverse the up, or `derived`");
        return None;
    }
    // All of them are read before one that is wrong ends it: each is an error of its own.
    let read: Vec<Option<Statement>> = texts
        .iter()
        .enumerate()
        .map(|(which, text)| read::one(text, Site::DownStatement(at, which), "a `down` statement", problems))
        .collect();
    read.into_iter().collect()
}

fn written(
    at: usize,
    texts: &[SqlText],
    up: &Statement,
    before: &Schema,
    after: &Schema,
    declaration: &Declaration,
    problems: &mut Problems,
) -> Option<TakenBack> {
    let statements = statements(at, texts, problems)?;
    let verdict = decide(before, std::slice::from_ref(up), &statements, declaration.pg);
    if !verdict.differences.is_empty() {
        let derived = match derive(up, before, declaration.pg) {
            Derived::Sql(sql) => format!("  = this down would be accepted:\n{}", downs(&sql)),
            Derived::Needs(_, Some(template)) => format!("  = it would be written\n        down = {template:?}\n"),
            _ => String::new(),
        };
        let list: String = verdict.differences.iter().map(|difference| format!("    - {difference}\n")).collect();
        problems.add(
            Site::Down(at),
            format!("this `down` does not reverse its `up`; after up and down:\n{list}{derived}").trim_end().to_owned(),
        );
        return None;
    }
    let mut schema = after.clone();
    let (checked, changes) = analyse(at, &statements, texts, &mut schema, declaration, problems)?;
    // What a history does not follow it cannot verify either.
    let unverified = verdict.assumes.iter().filter(|witness| !is_followed(&witness.object, witness.property));
    let unverified = unverified.map(|witness| format!("nothing else says whether {}", witness.sentence));
    let mut because: Vec<String> = verdict.server_only.into_iter().chain(unverified.collect::<Vec<_>>()).collect();
    because.extend(verdict.notes);
    if because.is_empty()
        && let Ok(changes) = before.clone().apply(up, declaration.pg.max())
        && let Some(change) = changes.iter().find(|change| !is_held(change))
    {
        because.push(format!("what {} was like before is not followed over the history", described(&change.object)));
    }
    because.extend(beside(&up.stmt).map(|what| format!("{what} not followed over the history")));
    because.dedup();
    let notes = because
        .into_iter()
        .map(|why| format!("reversal of this step is checked in cargo test only, because {why}"))
        .collect();
    Some(TakenBack { checked: CheckedDown::Sql(checked), restored: Some(schema), changes, notes })
}

/// What no property says of what the statement takes or changes.
fn beside(up: &Stmt) -> Option<&'static str> {
    match up {
        Stmt::Drop(drop) => drop.targets.iter().find_map(|target| match target.kind {
            ObjectKind::Table => Some("the order of a table's columns, its owner and its default privileges are"),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => Some("who may call a function is"),
            _ => None,
        }),
        Stmt::AlterTable(alter) if alter.kind == ObjectKind::View => Some("the defaults of a view's columns are"),
        _ => None,
    }
}

/// The facts of each down statement, over the schema that it meets.
fn analyse(
    at: usize,
    statements: &[Statement],
    texts: &[SqlText],
    schema: &mut Schema,
    declaration: &Declaration,
    problems: &mut Problems,
) -> Option<(Vec<CheckedDownStatement>, Vec<Change>)> {
    let mut out = Vec::new();
    let mut changes = Vec::new();
    // When a down runs, what the up made has long had clients.
    schema.settle();
    let fresh = Fresh::default();
    for (which, statement) in statements.iter().enumerate() {
        let facts = match facts_over(statement, schema, declaration.pg) {
            Ok(facts) => facts,
            Err(error) => {
                problems.add(
                    Site::DownStatement(at, which),
                    format!(
                        "PostgreSQL would refuse this: {error}\n{}",
                        read::excerpt(&texts[which], statement.span.clone())
                    ),
                );
                return None;
            }
        };
        let context = StatementContext { statement, facts: &facts, before: schema, pg: declaration.pg, fresh: &fresh };
        let mut raised: Vec<&'static str> = hazards::in_statement(&context)
            .iter()
            .filter(|finding| finding.hazard.severity == hazards::Severity::Blocking)
            .map(|finding| finding.hazard.name)
            .collect();
        raised.dedup();
        if facts.destructive && facts.losses.is_empty() {
            problems.add(
                Site::DownStatement(at, which),
                format!(
                    "what this down destroys cannot be known from the SQL, so that no gate can keep it\n{}  = drop each object by its name, or write `down = nothing(\"why it cannot be taken back\")`",
                    read::excerpt(&texts[which], statement.span.clone())
                ),
            );
            return None;
        }
        out.push(CheckedDownStatement {
            sql: statement.text.clone(),
            lock: facts.lock_class,
            locks: facts.locks.iter().map(|(name, lock)| (name.to_string(), lock.class)).collect(),
            work: facts.work,
            transactional: facts.in_transaction,
            destroys: facts.losses.clone(),
            concurrent: concurrent(&statement.stmt, schema),
            hazards: raised,
            effects: effects(&statement.stmt, &facts.changes),
        });
        changes.extend(facts.changes);
        if let Err(error) = apply_over(schema, statement, declaration.pg) {
            problems.add(Site::DownStatement(at, which), format!("PostgreSQL would refuse this: {error}"));
            return None;
        }
    }
    Some((out, changes))
}
