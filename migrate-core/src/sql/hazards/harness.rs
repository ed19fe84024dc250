//! Runs a migration over a schema as the check does, for the tests of hazards.

use super::{Finding, Severity, StatementContext, StepContext, in_migration, in_statement};
use crate::model::{LockClass, PgRange, Phase};
use crate::sql::check::{
    AllowDeclaration, Declaration, DestructiveDeclaration, DownDeclaration, Fill, SqlText, StepDeclaration, check,
};
use crate::sql::facts::Facts;
use crate::sql::locks::facts_over;
use crate::sql::parse::parse;
use crate::sql::phase::Fresh;
use crate::sql::schema::Schema;
use std::fmt::Write;

/// A schema of which nothing else is known.
pub(super) fn unknown() -> Schema {
    Schema::open()
}

/// The whole schema, as these statements made it some time ago.
pub(super) fn made_by(sql: &str) -> Schema {
    let mut schema = Schema::empty();
    for statement in parse(sql).expect("the setup parses") {
        schema.apply(&statement, 18).unwrap_or_else(|error| panic!("{}: {}", statement.text, error.message));
    }
    schema.settle();
    schema
}

/// A service's tables: `users`, `orders` that reference them, and a view of each kind.
pub(super) fn shop() -> Schema {
    shop_and("")
}

/// The same with what these statements add, some time ago too.
pub(super) fn shop_and(more: &str) -> Schema {
    made_by(&format!("{SHOP}{more}"))
}

const SHOP: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, full_name text);
         CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id), code varchar(10), total integer,
             weight integer, at timestamptz, note text, CONSTRAINT orders_total_check CHECK (total > 0));
         CREATE INDEX orders_code_idx ON orders (code);
         CREATE UNIQUE INDEX users_email_idx ON users (email);
         CREATE TABLE events (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
         CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
         CREATE TABLE events_old (id bigint, at timestamptz NOT NULL);
         CREATE DOMAIN price AS integer CHECK (value >= 0);
         CREATE TABLE items (id bigint PRIMARY KEY, cost price);
         CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id));
         CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE TABLE people (id bigint PRIMARY KEY, now mood);
         CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;";

/// Everything that is found in the statements as one migration.
pub(super) fn findings(before: &Schema, sql: &str, pg: PgRange, transactional: Option<bool>) -> Vec<Finding> {
    findings_or_error(before, sql, pg, transactional).unwrap_or_else(|error| panic!("{error}"))
}

/// The same, or why the statements do not run.
pub(super) fn findings_or_error(
    before: &Schema,
    sql: &str,
    pg: PgRange,
    transactional: Option<bool>,
) -> Result<Vec<Finding>, String> {
    let statements = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let mut schema = before.clone();
    let mut seen: Vec<(Facts, Schema)> = Vec::new();
    for statement in &statements {
        let facts =
            facts_over(statement, &schema, pg).map_err(|error| format!("{}: {}", statement.text, error.message))?;
        let then = schema.clone();
        schema.apply(statement, pg.max()).map_err(|error| format!("{}: {}", statement.text, error.message))?;
        seen.push((facts, then));
    }
    let transactional = transactional.unwrap_or_else(|| seen.iter().all(|(facts, _)| facts.in_transaction));
    let mut found = Vec::new();
    let mut fresh = Fresh::default();
    for (statement, (facts, before)) in statements.iter().zip(&seen) {
        found.extend(in_statement(&StatementContext { statement, facts, before, pg, fresh: &fresh }));
        fresh.remember(&facts.changes);
    }
    // What only the author knows how to take back.
    let downs: Vec<Option<String>> = statements
        .iter()
        .map(|statement| {
            let table = statement.text.strip_prefix("INSERT INTO ")?.split(' ').next()?;
            Some(format!("DELETE FROM {table} WHERE id = 1"))
        })
        .collect();
    let steps: Vec<_> = statements
        .iter()
        .zip(&seen)
        .zip(&downs)
        .map(|((statement, (facts, before)), down)| {
            let downs = down.iter().map(String::as_str).collect();
            StepContext { statement, facts, before, downs }
        })
        .collect();
    found.extend(in_migration(&steps, transactional).into_iter().map(|(_, finding)| finding));
    Ok(found)
}

/// The names of what is refused.
pub(super) fn refused(before: &Schema, sql: &str) -> Vec<&'static str> {
    names(&findings(before, sql, PgRange::SUPPORTED, None), Severity::Blocking)
}

/// The names of what is advised against.
pub(super) fn advised(before: &Schema, sql: &str) -> Vec<&'static str> {
    names(&findings(before, sql, PgRange::SUPPORTED, None), Severity::Advice)
}

fn names(found: &[Finding], severity: Severity) -> Vec<&'static str> {
    found
        .iter()
        .map(|finding| finding.hazard)
        .filter(|hazard| hazard.severity == severity)
        .map(|hazard| hazard.name)
        .collect()
}

/// One migration of a safe form.
#[derive(Debug)]
pub(super) struct Pasted {
    pub attributes: String,
    pub ups: Vec<String>,
    pub downs: Vec<String>,
}

/// The migrations of a safe form, read back from the text that a user pastes.
pub(super) fn pasted(form: &str) -> Vec<Pasted> {
    form.split("#[derive(Migration)]")
        .skip(1)
        .map(|text| {
            let attributes = text.lines().find(|line| line.starts_with("#[migration(")).unwrap_or_default();
            // An `allow` follows on a line of its own.
            let attributes =
                attributes.strip_suffix(',').map_or_else(|| attributes.to_owned(), |head| format!("{head})]"));
            let mut ups = Vec::new();
            let mut downs = Vec::new();
            for step in text.split("#[step(").skip(1) {
                let strings = strings(step);
                let has_down = !step.contains("down = nothing(") && !step.contains("down = derived");
                ups.push(strings[0].clone());
                if has_down {
                    downs.extend(strings[1..].iter().cloned());
                }
            }
            Pasted { attributes, ups, downs }
        })
        .collect()
}

/// The string literals of Rust text, plain and raw.
fn strings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let hashes = rest[..at].bytes().rev().take_while(|byte| *byte == b'#').count();
        let close = format!("\"{}", "#".repeat(hashes));
        let end = rest[at + 1..].find(&close).expect("a literal ends");
        found.push(rest[at + 1..at + 1 + end].to_owned());
        rest = &rest[at + 1 + end + close.len()..];
        // What follows the attribute is another migration's.
        if rest.starts_with(")]") {
            break;
        }
    }
    found
}

/// The only finding of that name, whose safe form is run over the schema as migrations one after the other: none of it is
/// refused.
pub(super) fn safe(before: &Schema, sql: &str, hazard: &str) -> String {
    safe_on(before, sql, hazard, PgRange::SUPPORTED)
}

pub(super) fn safe_on(before: &Schema, sql: &str, hazard: &str, pg: PgRange) -> String {
    let found = findings(before, sql, pg, None);
    let finding = found
        .iter()
        .find(|finding| finding.hazard.name == hazard)
        .unwrap_or_else(|| panic!("{hazard} is not found in {sql}: {found:#?}"));
    let mut schema = before.clone();
    for migration in pasted(&finding.safe_form) {
        schema.settle();
        let mut lock = crate::model::LockClass::None;
        let mut phase = crate::model::Phase::Expand;
        let mut transactional = true;
        let mut fresh = Fresh::default();
        let refused = names(&findings(&schema, &migration.ups.join(";\n"), pg, None), Severity::Blocking);
        assert_eq!(refused, Vec::<&str>::new(), "{}", finding.safe_form);
        for up in &migration.ups {
            let statements = parse(up).unwrap_or_else(|error| panic!("{up}: {error:?}"));
            assert_eq!(statements.len(), 1, "{up}");
            let facts = facts_over(&statements[0], &schema, pg).unwrap();
            lock = lock.max(facts.lock_class);
            transactional &= facts.in_transaction;
            phase = phase.max(
                pg.versions()
                    .map(|pg| crate::sql::phase::phase_with(&statements[0].stmt, &schema, pg.into(), &fresh))
                    .max()
                    .unwrap(),
            );
            schema.apply(&statements[0], pg.max()).unwrap_or_else(|error| panic!("{up}: {}", error.message));
            fresh.remember(&facts.changes);
        }
        if !migration.ups.is_empty() {
            let alone = if transactional { "" } else { ", transactional = false" };
            let wanted = format!("phase = {phase}, lock = {lock}{alone})]");
            // The derive sees one migration alone, and takes the worst where it does not know.
            let worst = format!("phase = Contract, lock = {lock}{alone})]");
            let declared = &migration.attributes;
            assert!(
                declared.ends_with(&wanted) || declared.ends_with(&worst),
                "{wanted} is computed for:\n{migration:#?}"
            );
        }
        for down in &migration.downs {
            parse(down).unwrap_or_else(|error| panic!("{down}: {error:?}"));
        }
    }
    finding.safe_form.clone()
}

/// The finding's safe form, held by the check that the derive runs: what of it does not compile once it has a version.
pub(super) fn what_the_check_refuses(sql: &str, hazard: &str) -> String {
    let found = findings(&unknown(), sql, PgRange::SUPPORTED, None);
    let finding = found
        .iter()
        .find(|finding| finding.hazard.name == hazard)
        .unwrap_or_else(|| panic!("{hazard} is not found in {sql}: {found:#?}"));
    assert!(finding.safe_form.contains(DERIVE), "{hazard} proposes no migration for {sql}");
    what_is_refused_of(sql, &finding.safe_form)
}

pub(super) const DERIVE: &str = "#[derive(Migration)]";

/// What of the safe form does not compile once it has a version.
pub(super) fn what_is_refused_of(sql: &str, form: &str) -> String {
    let mut refused = String::new();
    for text in form.split(DERIVE).skip(1) {
        let declaration = declaration(text);
        // Whoever pastes it has it approved first.
        let approved = format!("Jane Doe @ {}", crate::sql::digest(&declaration.steps).trim_start_matches("v1:"));
        let gate = DestructiveDeclaration { backup: Some(crate::model::Backup::Dump), approved: Some(approved) };
        let destructive = text.contains("#[destructive(").then_some(gate);
        if let Err(problems) = check(&Declaration { destructive, ..declaration }) {
            let problems: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
            writeln!(refused, "{sql}\n{text}{}\n", problems.join("\n")).unwrap();
        }
    }
    refused
}

/// A migration whose steps are pairs of up and down, as the derive reads it. A down may be several statements, and one that
/// is empty has nothing to take back.
pub(super) fn declare(phase: Phase, lock: LockClass, steps: &[(&str, &str)]) -> Declaration {
    let sql = |text: &str| SqlText { text: text.to_owned(), file: None };
    let down = |text: &str| match text {
        "" => DownDeclaration::Nothing("there is nothing to take back".to_owned()),
        text => DownDeclaration::Sql(text.split("; ").map(sql).collect()),
    };
    let steps =
        steps.iter().map(|(up, text)| StepDeclaration::Statement { up: sql(up), down: Some(down(text)), assume: None });
    Declaration {
        name: "Row".to_owned(),
        file: None,
        version: 202_603_010_900,
        phase,
        lock,
        transactional: true,
        pg: PgRange::SUPPORTED,
        steps: steps.collect(),
        destructive: None,
        allows: Vec::new(),
        deploy_from: None,
        binds: Vec::new(),
    }
}

/// A migration of a safe form as the derive reads it.
fn declaration(text: &str) -> Declaration {
    let sql = |text: &String| SqlText { text: text.clone(), file: None };
    let word = |key: &str| {
        let start = text.find(key).unwrap_or_else(|| panic!("{key}{text}")) + key.len();
        let end = text[start..].find([',', ')']).unwrap() + start;
        text[start..end].to_owned()
    };
    let mut steps = Vec::new();
    for step in text.split("#[step(").skip(1) {
        let strings = strings(step);
        let down = if step.contains("down = nothing(") {
            DownDeclaration::Nothing(strings[1].clone())
        } else if step.contains("down = derived") {
            DownDeclaration::Derived
        } else {
            DownDeclaration::Sql(strings[1..].iter().map(sql).collect())
        };
        steps.push(StepDeclaration::Statement { up: sql(&strings[0]), down: Some(down), assume: None });
    }
    let allow = |at: usize| {
        let text = &text[at + "allow(".len()..];
        let hazard = text[..text.find(',').unwrap()].to_owned();
        AllowDeclaration { hazard, reason: strings(text).swap_remove(0) }
    };
    for backfill in text.split("#[backfill(").skip(1) {
        let [table, key, set, filter, keep] = strings(backfill).try_into().expect("a backfill has five texts");
        steps.push(StepDeclaration::Backfill {
            table,
            key: vec![key],
            batch: 10_000,
            fill: Fill::Set(set),
            filter: Some(filter),
            down: Some(DownDeclaration::Keep(keep)),
        });
    }
    Declaration {
        name: "Pasted".to_owned(),
        file: None,
        version: 202_603_010_900,
        phase: word("phase = ").parse::<Phase>().unwrap(),
        lock: word("lock = ").parse::<LockClass>().unwrap(),
        transactional: !text.contains("transactional = false"),
        pg: PgRange::SUPPORTED,
        steps,
        destructive: None,
        allows: text.find("allow(").map(allow).into_iter().collect(),
        deploy_from: None,
        binds: Vec::new(),
    }
}
