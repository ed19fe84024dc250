//! Rows for tables that have none, so that no proof runs on empty tables: of the right types, and so that NOT NULL, CHECK,
//! UNIQUE, foreign keys, domains, enums, partition bounds and exclusion constraints hold.
//!
//! What may be any value is numbered. What a constraint speaks of is found by asking the server which of the candidates,
//! among them the constants of the constraint, satisfy it. The server is the judge of every row.

mod pattern;
mod shape;
mod solve;
mod value;

pub(super) use self::shape::Shape;
use self::shape::{Column, Table};
use self::solve::{Component, components};
use self::value::Values;
use super::seed::said;
use crate::quote::ident;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Rows for a table that has none.
const ROWS: usize = 3;
/// Rows for a table that has some, and none with a value in some column.
const MORE: usize = 2;
/// How many rows are tried before it is given up.
const ATTEMPTS: usize = 40;

/// Makes rows, and remembers what could not be made, so that it is not said again after every migration.
#[derive(Debug, Default)]
pub(super) struct Rows {
    given_up: BTreeSet<String>,
}

/// What was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// How many rows for each table.
    pub(super) rows: BTreeMap<String, usize>,
    /// Tables that stay empty, each with the reason.
    pub(super) empty: Vec<Empty>,
    /// Columns without any value, in sentences.
    pub(super) notes: Vec<String>,
}

/// A table that no row could be made for.
#[derive(Debug)]
pub(super) struct Empty {
    pub(super) table: String,
    pub(super) why: String,
}

/// A table that wants rows, and why.
struct Want<'a> {
    table: &'a Table,
    rows: usize,
    /// Columns that have no value yet.
    columns: Vec<String>,
}

impl Rows {
    /// Gives each table that is empty rows, and each column that has no value one. They fit `later`, too, where it is given.
    pub(super) async fn fill(&mut self, client: &Client, ledger: &str, later: Option<&Shape>) -> Result<Made, String> {
        let mut shape = Shape::read(client, ledger).await?;
        if let Some(later) = later {
            shape.foresee(later);
        }
        let counts = shape::counts(client, &shape.tables).await?;
        let mut wanted = self.wanted(&shape, &counts);
        let mut made = Made::default();
        if wanted.is_empty() {
            return Ok(made);
        }
        let first = 1 + counts.values().filter_map(|counts| counts.first()).max().copied().unwrap_or(0);
        let domains = solve::domains(client, &shape, first).await;
        let values = Values { shape: &shape, domains: &domains };
        let mut filled: HashSet<u32> = counts
            .iter()
            .filter(|(_, counts)| counts.first().is_some_and(|&rows| rows > 0))
            .map(|(&oid, _)| oid)
            .collect();
        // What refers to others comes after them; in a circle, whoever may refer to nothing.
        while !wanted.is_empty() {
            let ready = |want: &Want, loose: bool| waits_for(&shape, want.table, &filled, loose).is_none();
            let at = wanted
                .iter()
                .position(|want| ready(want, false))
                .or_else(|| wanted.iter().position(|want| ready(want, true)))
                .unwrap_or(0);
            let want = wanted.swap_remove(at);
            let done = match waits_for(&shape, want.table, &filled, true) {
                Some(why) => Err(why),
                None => Filler { client, values: &values, table: want.table, first }.fill(&want).await,
            };
            match done {
                Ok(rows) => {
                    filled.insert(want.table.oid);
                    made.rows.insert(want.table.name.clone(), rows);
                }
                Err(why) => self.give_up(&want, why, &mut made),
            }
        }
        if !made.rows.is_empty() {
            refresh(client, ledger).await?;
        }
        Ok(made)
    }

    fn wanted<'a>(&self, shape: &'a Shape, counts: &HashMap<u32, Vec<u64>>) -> Vec<Want<'a>> {
        let mut wanted = Vec::new();
        for table in &shape.tables {
            let Some(counts) = counts.get(&table.oid) else { continue };
            if counts.first() == Some(&0) {
                if !self.given_up.contains(&table.name) {
                    wanted.push(Want { table, rows: ROWS, columns: Vec::new() });
                }
                continue;
            }
            let columns: Vec<String> = table
                .columns
                .iter()
                .zip(counts.iter().skip(1))
                .filter(|&(column, &values)| values == 0 && !column.generated)
                .map(|(column, _)| format!("{}.{}", table.name, ident(&column.name)))
                .filter(|name| !self.given_up.contains(name))
                .collect();
            if !columns.is_empty() {
                wanted.push(Want { table, rows: MORE, columns });
            }
        }
        wanted
    }

    fn give_up(&mut self, want: &Want<'_>, why: String, made: &mut Made) {
        if want.columns.is_empty() {
            self.given_up.insert(want.table.name.clone());
            made.empty.push(Empty { table: want.table.name.clone(), why });
        } else {
            self.given_up.extend(want.columns.iter().cloned());
            let (noun, verb) = if want.columns.len() == 1 { ("column", "has") } else { ("columns", "have") };
            made.notes.push(format!(
                "{noun} {} {verb} no value, since no row could be added: {why}",
                want.columns.join(", ")
            ));
        }
    }
}

/// The foreign key that keeps a table from being filled now, in words.
fn waits_for(shape: &Shape, table: &Table, filled: &HashSet<u32>, loose: bool) -> Option<String> {
    table.constraints.iter().find_map(|constraint| {
        let referred = constraint.refers_to.as_ref()?;
        let optional = constraint
            .columns
            .iter()
            .any(|number| table.columns.iter().any(|column| column.number == *number && !column.not_null));
        // A partitioned table has the rows of its partitions.
        let holders: Vec<u32> = (shape.tables.iter())
            .filter(|other| other.oid == referred.oid || other.ancestors.contains(&referred.oid))
            .map(|other| other.oid)
            .collect();
        let there = holders.is_empty() || holders.iter().any(|oid| filled.contains(oid));
        let waits = referred.oid != table.oid && !there && !(loose && optional);
        waits.then(|| {
            format!("its constraint {} refers to {}, which has no rows", ident(&constraint.name), referred.name)
        })
    })
}

/// Brings the materialized views that have rows up to date, the ones that others read first. Whose owner may not read what
/// it shows is refreshed by who runs this, where that may write the catalogs: ALTER … OWNER would change its privileges.
pub(super) async fn refresh(client: &Client, ledger: &str) -> Result<(), String> {
    let sql = format!(
        "DO $refresh$ DECLARE v regclass; whose oid; BEGIN FOR v, whose IN SELECT c.oid, c.relowner FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname <> {} \
         ORDER BY c.oid LOOP BEGIN EXECUTE 'REFRESH MATERIALIZED VIEW ' || v; EXCEPTION WHEN insufficient_privilege THEN \
         IF pg_catalog.current_setting('is_superuser') = 'on' THEN \
         UPDATE pg_catalog.pg_class SET relowner = CURRENT_USER::pg_catalog.regrole WHERE oid = v; \
         EXECUTE 'REFRESH MATERIALIZED VIEW ' || v; \
         UPDATE pg_catalog.pg_class SET relowner = whose WHERE oid = v; END IF; END; END LOOP; END $refresh$",
        crate::quote::literal(ledger)
    );
    client
        .batch_execute(&sql)
        .await
        .map_err(|error| format!("the materialized views could not be refreshed: {}", said(&error)))
}

/// Fills one table.
struct Filler<'a> {
    client: &'a Client,
    values: &'a Values<'a>,
    table: &'a Table,
    first: u64,
}

/// Where the values of a component come from.
enum Supply {
    Free,
    Found(Vec<Vec<String>>),
}

impl Filler<'_> {
    async fn fill(&self, want: &Want<'_>) -> Result<usize, String> {
        let places: Vec<usize> = (0..self.table.columns.len()).filter(|&place| self.is_filled(place)).collect();
        let components = components(self.table, &places);
        let mut supplies = Vec::new();
        for component in &components {
            if component.is_free() {
                supplies.push(Supply::Free);
                continue;
            }
            let found = solve::solve(self.client, self.values, self.table, component, self.first)
                .await
                .map_err(|why| format!("for {} no values were found: {why}", component.constraints()))?;
            if found.is_empty() {
                return Err(format!(
                    "no values were found that satisfy {}{}",
                    component.constraints(),
                    conditions(component, self.table)
                ));
            }
            supplies.push(Supply::Found(found));
        }
        // The last of the first rows has nothing where nothing may be.
        let sparse = want.columns.is_empty().then(|| want.rows - 1);
        let mut rows = Vec::new();
        for n in 0..want.rows {
            rows.push(self.row(&components, &supplies, n, Some(n) == sparse)?);
        }
        let columns: Vec<&Column> = components
            .iter()
            .flat_map(|component| &component.columns)
            .map(|&place| &self.table.columns[place])
            .collect();
        if self.insert(&columns, &rows).await.is_ok() {
            return Ok(want.rows);
        }
        let mut inserted = 0;
        let mut refused = String::new();
        for n in 0..ATTEMPTS {
            let row = self.row(&components, &supplies, n, Some(inserted) == sparse)?;
            let mut outcome = self.insert(&columns, &[row]).await;
            if outcome.is_err() && Some(inserted) == sparse {
                let row = self.row(&components, &supplies, n, false)?;
                outcome = self.insert(&columns, &[row]).await;
            }
            match outcome {
                Ok(()) => inserted += 1,
                Err((why, again)) => {
                    refused = why;
                    if !again {
                        break;
                    }
                }
            }
            if inserted == want.rows {
                break;
            }
        }
        if inserted > 0 { Ok(inserted) } else { Err(refused) }
    }

    /// A column that the server fills itself is left to it, unless a constraint speaks of it.
    fn is_filled(&self, place: usize) -> bool {
        let column = &self.table.columns[place];
        let constrained = (self.table.constraints.iter())
            .any(|constraint| constraint.kind == 'f' && solve::places(self.table, constraint).contains(&place));
        !column.generated && column.identity != "a" && (!column.numbered() || constrained)
    }

    fn row(
        &self,
        components: &[Component<'_>],
        supplies: &[Supply],
        n: usize,
        sparse: bool,
    ) -> Result<Vec<String>, String> {
        let mut row = Vec::new();
        for (at, (component, supply)) in components.iter().zip(supplies).enumerate() {
            match supply {
                Supply::Free => {
                    for &place in &component.columns {
                        let column = &self.table.columns[place];
                        row.push(if sparse && !column.not_null { "NULL".to_owned() } else { self.nth(column, n)? });
                    }
                }
                // Components turn at different speeds once the first has been round, so that pairs of them differ.
                Supply::Found(found) => row.extend(found[(n + n / found.len() * at) % found.len()].iter().cloned()),
            }
        }
        Ok(row)
    }

    fn nth(&self, column: &Column, n: usize) -> Result<String, String> {
        let value = self.values.of(column, self.first + n as u64);
        match value {
            Ok(value) => Ok(value),
            Err(_) if column.default.is_some() => Ok("DEFAULT".to_owned()),
            Err(_) if !column.not_null => Ok("NULL".to_owned()),
            Err(why) => Err(format!("column {} is {}: {why}", ident(&column.name), column.sql_type)),
        }
    }

    /// The error, and whether another row may be better.
    async fn insert(&self, columns: &[&Column], rows: &[Vec<String>]) -> Result<(), (String, bool)> {
        let sql = if columns.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", self.table.name)
        } else {
            let names: Vec<String> = columns.iter().map(|column| ident(&column.name)).collect();
            let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
            format!("INSERT INTO {} ({}) VALUES {}", self.table.name, names.join(", "), rows.join(", "))
        };
        self.client.simple_query(&sql).await.map(drop).map_err(|error| {
            let unique = [SqlState::UNIQUE_VIOLATION, SqlState::EXCLUSION_VIOLATION];
            let again = error.code().is_some_and(|code| unique.contains(code));
            (said(&error), again)
        })
    }
}

/// The conditions of a component, for whoever has to write a seed.
fn conditions(component: &Component<'_>, table: &Table) -> String {
    let checks = component.checks.iter().filter_map(|check| check.condition.as_deref());
    let bounds = table.bounds.as_deref().filter(|_| component.bounds);
    let all: Vec<&str> = checks.chain(bounds).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(" AND ")) }
}
