//! Values that belong together: columns under one CHECK, the columns of a foreign key. The server is asked which of the
//! candidates satisfy the conditions, all at once.

use super::pattern;
use super::shape::{Column, Constraint, Shape, Table, Type};
use super::value::Values;
use crate::quote::{ident, literal};
use crate::verify::seed::said;
use crate::verify::words::{Word, words};
use std::collections::{BTreeSet, HashMap};
use tokio_postgres::{Client, SimpleQueryMessage};

/// How many solutions are asked for.
const SOLUTIONS: usize = 60;
/// Up to how many combinations the solutions are taken from everywhere among them, and not from the beginning.
const MIXED: usize = 20_000;

/// Columns that are filled together.
#[derive(Debug)]
pub(super) struct Component<'a> {
    /// By their place in the table's list.
    pub(super) columns: Vec<usize>,
    pub(super) checks: Vec<&'a Constraint>,
    pub(super) keys: Vec<&'a Constraint>,
    /// Whether the bounds of a partition speak of them.
    pub(super) bounds: bool,
}

impl Component<'_> {
    /// Whether any value would do.
    pub(super) fn is_free(&self) -> bool {
        self.checks.is_empty() && self.keys.is_empty() && !self.bounds
    }

    /// The constraints in words.
    pub(super) fn constraints(&self) -> String {
        let checks =
            self.checks.iter().chain(&self.keys).map(|constraint| format!("constraint {}", ident(&constraint.name)));
        let bounds = self.bounds.then(|| "the bounds of the partition".to_owned());
        checks.chain(bounds).collect::<Vec<_>>().join(", ")
    }
}

/// The columns of a table, those together that a constraint puts together.
pub(super) fn components<'a>(table: &'a Table, filled: &[usize]) -> Vec<Component<'a>> {
    let mut group: Vec<usize> = (0..table.columns.len()).collect();
    let mut join = |places: &[usize]| {
        let Some(least) = places.iter().map(|&place| group[place]).min() else { return };
        let joined: Vec<usize> = places.iter().map(|&place| group[place]).collect();
        for member in &mut group {
            if joined.contains(member) {
                *member = least;
            }
        }
    };
    for constraint in table.constraints.iter().filter(|constraint| constraint.kind != 'x') {
        join(&places(table, constraint));
    }
    let bounded = bounded(table);
    join(&bounded);
    let numbers: BTreeSet<usize> = group.iter().copied().collect();
    let mut components = Vec::new();
    for number in numbers {
        let columns: Vec<usize> = (0..group.len()).filter(|&place| group[place] == number).collect();
        let of = |kind: char| {
            let all = table.constraints.iter().filter(move |constraint| constraint.kind == kind);
            all.filter(|constraint| places(table, constraint).iter().any(|place| columns.contains(place))).collect()
        };
        let (checks, keys): (Vec<_>, Vec<_>) = (of('c'), of('f'));
        let bounds = bounded.iter().any(|place| columns.contains(place));
        let columns: Vec<usize> = columns.into_iter().filter(|place| filled.contains(place)).collect();
        if !columns.is_empty() {
            components.push(Component { columns, checks, keys, bounds });
        }
    }
    components
}

/// The columns that a constraint puts together, by their places: of a table that must refer to itself, what it refers to as well.
pub(super) fn places(table: &Table, constraint: &Constraint) -> Vec<usize> {
    let mut places = own(table, constraint);
    if let Some(referred) = constraint.refers_to.as_ref().filter(|referred| referred.oid == table.oid)
        && places.iter().all(|&place| table.columns[place].not_null)
    {
        places.extend(
            referred.columns.iter().filter_map(|name| table.columns.iter().position(|column| column.name == *name)),
        );
    }
    places
}

fn own(table: &Table, constraint: &Constraint) -> Vec<usize> {
    constraint
        .columns
        .iter()
        .filter_map(|number| table.columns.iter().position(|column| column.number == *number))
        .collect()
}

/// Which columns the bounds of a partition speak of.
fn bounded(table: &Table) -> Vec<usize> {
    let Some(bounds) = &table.bounds else { return Vec::new() };
    let words = words(bounds);
    let named = |column: &Column| words.contains(&Word::Name(column.name.clone()));
    (0..table.columns.len()).filter(|&place| named(&table.columns[place])).collect()
}

/// Finds values for the columns of a component, as SQL texts: a row of them for each solution.
pub(super) async fn solve(
    client: &Client,
    values: &Values<'_>,
    table: &Table,
    component: &Component<'_>,
    first: u64,
) -> Result<Vec<Vec<String>>, String> {
    let mut factors = Vec::new();
    let mut conditions = Vec::new();
    let mut given: Vec<usize> = Vec::new();
    let mut combinations = 1_usize;
    for key in &component.keys {
        let Some(referred) = &key.refers_to else { continue };
        let own = own(table, key);
        if referred.oid == table.oid {
            // A row refers to nothing, or to itself where it must refer to something, or to one that is there.
            let optional = own.iter().any(|&place| !table.columns[place].not_null);
            let alone: Vec<String> = if optional {
                vec![
                    own.iter()
                        .map(|&place| format!("{} IS NULL", ident(&table.columns[place].name)))
                        .collect::<Vec<_>>()
                        .join(" OR "),
                ]
            } else {
                let pairs = own.iter().zip(&referred.columns);
                pairs
                    .map(|(&place, column)| format!("{} = {}", ident(&table.columns[place].name), ident(column)))
                    .collect()
            };
            let there = format!(
                "({}) IN (SELECT {} FROM {})",
                names(own.iter().map(|&place| &table.columns[place].name)),
                names(&referred.columns),
                referred.name
            );
            conditions.push(format!("(({}) OR {there})", alone.join(" AND ")));
            continue;
        }
        let fresh: Vec<bool> = own.iter().map(|place| !given.contains(place)).collect();
        let aliases: Vec<String> = own
            .iter()
            .zip(&fresh)
            .enumerate()
            .map(|(at, (&place, &fresh))| {
                let name = &table.columns[place].name;
                if fresh { ident(name) } else { ident(&format!("__{}_{at}_{}", factors.len(), place)) }
            })
            .collect();
        for ((&place, alias), fresh) in own.iter().zip(&aliases).zip(fresh) {
            if fresh {
                given.push(place);
            } else {
                conditions.push(format!("({} = {alias})", ident(&table.columns[place].name)));
            }
        }
        let referred_columns = names(&referred.columns);
        let nothing = if own.iter().any(|&place| !table.columns[place].not_null) {
            format!(" UNION ALL SELECT {}", vec!["NULL"; own.len()].join(", "))
        } else {
            String::new()
        };
        factors.push(format!(
            "(SELECT * FROM (SELECT DISTINCT {referred_columns} FROM {} ORDER BY {referred_columns} LIMIT 8) r{nothing}) AS f{}({})",
            referred.name,
            factors.len(),
            aliases.join(", ")
        ));
        combinations = combinations.saturating_mul(8);
    }
    for &place in component.columns.iter().filter(|place| !given.contains(place)) {
        let column = &table.columns[place];
        let mut candidates = candidates(values, table, component, column, first)?;
        if !column.not_null {
            candidates.push("NULL".to_owned());
        }
        combinations = combinations.saturating_mul(candidates.len());
        let list: Vec<String> = candidates.iter().map(|value| format!("({value}::{})", column.sql_type)).collect();
        factors.push(format!("(VALUES {}) AS f{}({})", list.join(", "), factors.len(), ident(&column.name)));
    }
    let checks = component.checks.iter().filter_map(|check| check.condition.as_deref());
    let bounds = table.bounds.as_deref().filter(|_| component.bounds);
    conditions.extend(checks.chain(bounds).map(|condition| format!("(({condition}) IS NOT FALSE)")));
    let columns: Vec<&String> = component.columns.iter().map(|&place| &table.columns[place].name).collect();
    let filter = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    // NULLs last: a row with all of its values is worth more.
    let nulls: Vec<String> = columns.iter().map(|name| format!("({} IS NULL)::int", ident(name))).collect();
    let order = if combinations <= MIXED {
        format!(
            "ORDER BY {}, hashtextextended(ROW({})::text, 7)",
            nulls.join(" + "),
            columns.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
        )
    } else {
        String::new()
    };
    let sql = format!(
        "SELECT {} FROM {} WHERE {filter} {order} LIMIT {SOLUTIONS}",
        names(columns.iter().copied()),
        factors.join(", ")
    );
    let rows = rows(client, &sql).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let texts = row.into_iter().zip(&component.columns);
            texts
                .map(|(text, &place)| {
                    let sql_type = &table.columns[place].sql_type;
                    text.map_or_else(|| "NULL".to_owned(), |text| format!("{}::{sql_type}", literal(&text)))
                })
                .collect()
        })
        .collect())
}

fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

async fn rows(client: &Client, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    // A product of many candidates is given up rather than waited for.
    let sql = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = '20s'; {sql}; COMMIT");
    let messages = match client.simple_query(&sql).await {
        Ok(messages) => messages,
        Err(error) => {
            let text = said(&error);
            client.batch_execute("ROLLBACK").await.map_err(|error| said(&error))?;
            return Err(text);
        }
    };
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

/// What a column could be: what its type offers, and what the conditions speak of.
fn candidates(
    values: &Values<'_>,
    table: &Table,
    component: &Component<'_>,
    column: &Column,
    first: u64,
) -> Result<Vec<String>, String> {
    let found = values.shape.types.get(&column.type_oid).ok_or("its type was not found")?;
    let conditions = component.checks.iter().filter_map(|check| check.condition.as_deref());
    let bounds = table.bounds.as_deref().filter(|_| component.bounds);
    let words: Vec<Word> = conditions.chain(bounds).flat_map(words).collect();
    let few = component.columns.len() > 4;
    let mut all = from_words(found, column.modifier, &words);
    if few {
        all.truncate(12);
    }
    // The hash of a partition lets one value in so many pass.
    let numbers = if component.bounds {
        24
    } else if few {
        4
    } else {
        8
    };
    for n in first..first + numbers {
        all.push(values.of(column, n)?);
    }
    let mut seen = BTreeSet::new();
    all.retain(|value| seen.insert(value.clone()));
    Ok(all)
}

/// The constants of a condition, and what lies next to them.
fn from_words(found: &Type, modifier: i32, words: &[Word]) -> Vec<String> {
    let mut all = Vec::new();
    let texts = || words.iter().filter_map(|word| if let Word::Text(text) = word { Some(text.as_str()) } else { None });
    let numbers = || {
        words.iter().filter_map(|word| if let Word::Number(number) = word { number.parse::<f64>().ok() } else { None })
    };
    // As constants of text they may stand in a pattern or in a list: `'5'::numeric`.
    let all_numbers = || numbers().chain(texts().filter_map(|text| text.parse().ok()));
    match found.name.as_str() {
        "int2" | "int4" | "int8" => {
            for number in all_numbers() {
                for near in [number, number + 1.0, number - 1.0, number + 2.0, (number / 2.0).trunc(), number * 2.0] {
                    if near.abs() < if found.name == "int2" { 32_000.0 } else { 2_000_000_000.0 } {
                        all.push(format!("({near:.0})"));
                    }
                }
            }
        }
        "numeric" | "float4" | "float8" => {
            for number in all_numbers() {
                for near in [number, number + 0.5, number - 0.5, number + 1.0, number - 1.0, number / 2.0, number * 2.0]
                {
                    if near.abs() < 1e12 && fits(modifier, near, &found.name) {
                        all.push(format!("({near})"));
                    }
                }
            }
        }
        "text" | "varchar" | "bpchar" | "citext" => {
            let most = usize::try_from(modifier - 4).unwrap_or(usize::MAX);
            for text in texts() {
                all.push(text.to_owned());
                for n in 0..3 {
                    all.extend(pattern::matching(text, n));
                    all.push(pattern::like(text, n));
                }
            }
            for number in numbers().filter(|number| (0.0..300.0).contains(number) && number.fract() == 0.0) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 300")]
                let length = number as usize;
                for near in [length, length + 1, length.saturating_sub(1)] {
                    all.push("x".repeat(near));
                }
            }
            all.push("lower".to_owned());
            all.push("UPPER".to_owned());
            all.push("1".to_owned());
            all.retain(|text| text.chars().count() <= most);
            all.iter_mut().for_each(|text| *text = literal(text));
        }
        "date" | "timestamp" | "timestamptz" => {
            for text in texts().filter(|text| is_date(text)) {
                for near in ["0 days", "1 day", "-1 day"] {
                    all.push(format!("({}::{} + interval '{near}')", literal(text), found.name));
                }
            }
        }
        "bool" => all.extend(["true".to_owned(), "false".to_owned()]),
        "jsonb" | "json" => {
            all.extend(["{}", "[]", "null", "1", "\"text\"", "[1]"].map(literal));
            let keys: Vec<&str> = texts().filter(|text| !text.is_empty()).collect();
            for value in ["1", "\"text\"", "{}", "[]"] {
                let entries: Vec<String> =
                    keys.iter().map(|key| format!("{}:{value}", serde_json::json!(key))).collect();
                all.push(literal(&format!("{{{}}}", entries.join(","))));
            }
        }
        "uuid" => all.extend(texts().filter(|text| text.len() == 36 && text.matches('-').count() == 4).map(literal)),
        _ if found.kind == 'a' => {
            all.push("'{}'".to_owned());
        }
        _ => {}
    }
    all
}

/// Whether a number is within `numeric(p, s)`.
fn fits(modifier: i32, number: f64, type_name: &str) -> bool {
    if type_name != "numeric" || modifier < 4 {
        return true;
    }
    let (precision, scale) = ((modifier - 4) >> 16, (modifier - 4) & 0x7ff);
    scale < 1024 && number.abs() < 10_f64.powi(precision - scale) - 1.0
}

fn is_date(text: &str) -> bool {
    let digits =
        |range: std::ops::Range<usize>| text.get(range).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
    text.len() >= 10
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
        && text.as_bytes()[4] == b'-'
        && text.as_bytes()[7] == b'-'
}

/// What each domain lets pass, the ones that others are over first.
pub(super) async fn domains(client: &Client, shape: &Shape, first: u64) -> HashMap<u32, Vec<String>> {
    let mut domains: HashMap<u32, Vec<String>> = HashMap::new();
    let mut left: Vec<&Type> = shape.types.values().filter(|found| found.kind == 'd').collect();
    while !left.is_empty() {
        let known = |found: &&Type| {
            shape.types.get(&found.inner).is_none_or(|inner| inner.kind != 'd' || domains.contains_key(&inner.oid))
        };
        let (ready, rest): (Vec<&Type>, Vec<&Type>) = left.into_iter().partition(known);
        if ready.is_empty() {
            break;
        }
        for domain in ready {
            // One that cannot be read has no values, and who needs one of it is told.
            let list = domain_values(client, shape, &domains, domain, first).await.unwrap_or_default();
            domains.insert(domain.oid, list);
        }
        left = rest;
    }
    domains
}

async fn domain_values(
    client: &Client,
    shape: &Shape,
    domains: &HashMap<u32, Vec<String>>,
    domain: &Type,
    first: u64,
) -> Result<Vec<String>, String> {
    let values = Values { shape, domains };
    let inner = shape.types.get(&domain.inner).ok_or("its type was not found")?;
    let words: Vec<Word> = domain.conditions.iter().flat_map(|condition| words(condition)).collect();
    let mut all = from_words(inner, domain.modifier, &words);
    for n in first..first + 12 {
        all.push(values.nth(domain.inner, domain.modifier, "value", n)?);
    }
    let list: Vec<String> = all.iter().map(|value| format!("({value}::{})", inner.sql)).collect();
    let conditions: Vec<String> =
        domain.conditions.iter().map(|condition| format!("(({condition}) IS NOT FALSE)")).collect();
    let filter = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    // VALUE is a key word that is a name as well: the conditions can be asked as they are.
    let sql = format!(
        "SELECT DISTINCT value::text FROM (VALUES {}) AS f(value) WHERE {filter} ORDER BY 1 LIMIT 30",
        list.join(", ")
    );
    let found = rows(client, &sql).await?;
    Ok(found.into_iter().flatten().flatten().map(|text| format!("{}::{}", literal(&text), inner.sql)).collect())
}
