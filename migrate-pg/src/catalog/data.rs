//! The rows of the tables as digests: whether a change and its reverse kept every row and value.
//!
//! A digest does not depend on the order of rows or columns, and is computed in the server. What the tables of
//! extensions, foreign tables and temporary tables hold is no part of it; a partitioned table's rows are its partitions'.

use super::session::{self, Ask};
use super::{CatalogError, Scope, positions, template};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use tokio_postgres::{Client, SimpleQueryRow};

/// Whose rows are digested, and which of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataScope {
    schemas: Scope,
    generated: bool,
    sequences: bool,
    columns: BTreeSet<(String, String)>,
}

impl Default for DataScope {
    fn default() -> Self {
        Self::new()
    }
}

impl DataScope {
    /// All rows of what users made, with all columns, and the positions of the sequences.
    #[must_use]
    pub fn new() -> Self {
        Self { schemas: Scope::new(), generated: true, sequences: true, columns: BTreeSet::new() }
    }

    /// Leaves a schema out: the migration ledger's, for one.
    #[must_use]
    pub fn exclude_schema(mut self, name: impl Into<String>) -> Self {
        self.schemas = self.schemas.exclude_schema(name);
        self
    }

    /// Leaves a column out whose values are known to differ, filled by `now()` or `random()`. Both names as a fingerprint writes
    /// them: `public.orders`, `created_at`.
    #[must_use]
    pub fn exclude_column(mut self, table: impl Into<String>, column: impl Into<String>) -> Self {
        self.columns.insert((table.into(), column.into()));
        self
    }

    /// Whether generated columns are digested; they are unless this says no.
    #[must_use]
    pub fn generated_columns(mut self, yes: bool) -> Self {
        self.generated = yes;
        self
    }

    /// Whether the positions of sequences are read; they are unless this says no.
    #[must_use]
    pub fn sequences(mut self, yes: bool) -> Self {
        self.sequences = yes;
        self
    }
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    rows: u64,
    digest: String,
    columns: BTreeMap<String, String>,
}

impl TableDigest {
    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns that were digested, in the order of their names.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }
}

/// The rows of all tables. Two are equal if no row, no value and no position of a sequence differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataDigest {
    tables: BTreeMap<String, TableDigest>,
    /// `None` where the role may not read it.
    sequences: BTreeMap<String, Option<String>>,
}

/// How the data of two digests differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataDifferenceKind {
    /// A table, column or sequence is not there any more.
    Missing,
    /// A table, column or sequence is there that was not.
    Added,
    /// There are more or fewer rows.
    Rows,
    /// As many rows, with other values.
    Values,
    /// A sequence stands elsewhere.
    Position,
}

/// One table, column or sequence whose data differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDifference {
    kind: DataDifferenceKind,
    relation: String,
    column: Option<String>,
    sentence: String,
}

impl DataDifference {
    /// How it differs.
    pub fn kind(&self) -> DataDifferenceKind {
        self.kind
    }

    /// The table or sequence, qualified and quoted.
    pub fn relation(&self) -> &str {
        &self.relation
    }

    /// The column, where the difference is one column's.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

impl fmt::Display for DataDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// A table to digest, and its columns, quoted.
#[derive(PartialEq)]
struct Target {
    table: String,
    columns: Vec<String>,
}

impl DataDigest {
    /// Reads all rows, with row level security off, so that a row that it would hide is an error and not left out.
    ///
    /// In a read-only transaction of its own, with one picture of the data; the client must not be inside of one.
    pub async fn read(client: &Client, scope: &DataScope) -> Result<Self, CatalogError> {
        let server = session::target(client).await?;
        let list = |kind: &'static str, sql: &str| Ask {
            reads: kind.to_owned(),
            sql: template::written(sql, server, &scope.schemas),
        };
        let tables = || list("the list of tables", if scope.generated { TABLES } else { TABLES_WITHOUT_GENERATED });
        let sequences = list("the list of sequences", SEQUENCES);
        let mut first = session::ask(client, &[tables(), sequences]).await?.into_iter();
        let targets = scope.targets(&first.next().unwrap_or_default());
        let sequences = first.next().unwrap_or_default();

        let mut asks = vec![tables()];
        asks.extend(
            targets
                .iter()
                .map(|target| Ask { reads: format!("the rows of table {}", target.table), sql: target.sql() }),
        );
        let answers = session::ask(client, &asks).await.map_err(hidden_rows)?;
        if answers.first().is_none_or(|rows| scope.targets(rows) != targets) {
            return Err(CatalogError::Moved);
        }
        let mut digest = Self::default();
        for (target, rows) in targets.iter().zip(&answers[1..]) {
            let row = rows.first().and_then(|row| target.digest(row)).ok_or_else(|| CatalogError::Answer {
                reads: format!("the rows of table {}", target.table),
                problem: "the answer is not a count and digests".to_owned(),
            })?;
            digest.tables.insert(target.table.clone(), row);
        }
        if scope.sequences {
            digest.sequences = positions::read(client, sequences.iter().filter_map(|row| row.get(0))).await?;
        }
        Ok(digest)
    }

    /// Every table that was read, by name.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &TableDigest)> {
        self.tables.iter().map(|(name, digest)| (name.as_str(), digest))
    }

    /// The sequences whose position the role may not read: they are not compared.
    pub fn hidden(&self) -> impl Iterator<Item = &str> {
        self.sequences.iter().filter(|(_, position)| position.is_none()).map(|(name, _)| name.as_str())
    }

    /// What differs in `other`, seen from `self`; nothing if and only if the two are equal.
    pub fn differences(&self, other: &Self) -> Vec<DataDifference> {
        let mut found = Differences(Vec::new());
        for (name, was, is) in both(&self.tables, &other.tables) {
            match (was, is) {
                (Some(was), Some(is)) => found.table(name, was, is),
                (Some(was), None) => {
                    found.push(
                        DataDifferenceKind::Missing,
                        name,
                        None,
                        format!("table {name} is missing, with its {}", Rows(was.rows)),
                    );
                }
                (None, _) => {
                    found.push(DataDifferenceKind::Added, name, None, format!("table {name} is there and was not"));
                }
            }
        }
        for (name, was, is) in both(&self.sequences, &other.sequences) {
            let unknown = "where the role may not read";
            match (was, is) {
                (Some(was), Some(is)) if was != is => {
                    let (was, is) = (was.as_deref().unwrap_or(unknown), is.as_deref().unwrap_or(unknown));
                    found.push(
                        DataDifferenceKind::Position,
                        name,
                        None,
                        format!("sequence {name} stood at {was} and stands at {is}"),
                    );
                }
                (Some(_), Some(_)) => {}
                (Some(_), None) => {
                    found.push(DataDifferenceKind::Missing, name, None, format!("sequence {name} is missing"));
                }
                (None, _) => {
                    found.push(DataDifferenceKind::Added, name, None, format!("sequence {name} is there and was not"));
                }
            }
        }
        found.0
    }
}

/// Whether the server refused since row level security would have hidden rows: said by the function that refuses (rls.c),
/// since the message is in the server's language.
fn hidden_rows(error: CatalogError) -> CatalogError {
    match error {
        CatalogError::Query { reads, source }
            if source.as_db_error().and_then(tokio_postgres::error::DbError::routine) == Some("check_enable_rls") =>
        {
            let table = reads.strip_prefix("the rows of table ").unwrap_or(&reads).to_owned();
            CatalogError::HiddenRows { table, source }
        }
        other => other,
    }
}

/// A materialized view has rows as a table has; one without data refuses to be read.
const TABLES: &str = "SELECT r.name, string_agg(quote_ident(a.attname), chr(31) ORDER BY a.attname COLLATE \"C\")
    FROM rel r LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE r.relkind IN ('r', 'm') AND r.relispopulated GROUP BY r.name ORDER BY r.name";
const TABLES_WITHOUT_GENERATED: &str = "SELECT r.name, string_agg(quote_ident(a.attname), chr(31) ORDER BY a.attname COLLATE \"C\")
    FROM rel r LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    WHERE r.relkind IN ('r', 'm') AND r.relispopulated GROUP BY r.name ORDER BY r.name";
const SEQUENCES: &str = "SELECT r.name FROM rel r WHERE r.relkind = 'S' ORDER BY r.name";

impl DataScope {
    fn targets(&self, rows: &[SimpleQueryRow]) -> Vec<Target> {
        rows.iter()
            .filter_map(|row| {
                let table = row.get(0)?.to_owned();
                let all = row.get(1).unwrap_or_default().split('\u{1f}').filter(|column| !column.is_empty());
                let columns = all
                    .filter(|&column| !self.columns.contains(&(table.clone(), column.to_owned())))
                    .map(str::to_owned)
                    .collect();
                Some(Target { table, columns })
            })
            .collect()
    }
}

impl Target {
    /// A record's text tells NULL from the empty text, and writes each value by its type's output function, where a cast to
    /// text may lose some of it. Sums of hashes do not depend on the order, and count rows that are twice there twice; two of
    /// them make 128 bits.
    fn sql(&self) -> String {
        let hash =
            |row: &str, seed: u8| format!("coalesce(sum(hashtextextended({row}::text COLLATE \"C\", {seed})), 0)");
        let row = format!("ROW({})", self.columns.join(", "));
        let mut sql = format!("SELECT count(*), {}, {}", hash(&row, 0), hash(&row, 1));
        for column in &self.columns {
            let _ = write!(sql, ", {}", hash(&format!("ROW({column})"), 0));
        }
        let _ = write!(sql, " FROM ONLY {}", self.table);
        sql
    }

    fn digest(&self, row: &SimpleQueryRow) -> Option<TableDigest> {
        let mut columns = BTreeMap::new();
        for (index, column) in self.columns.iter().enumerate() {
            columns.insert(column.clone(), row.get(index + 3)?.to_owned());
        }
        Some(TableDigest {
            rows: row.get(0)?.parse().ok()?,
            digest: format!("{} {}", row.get(1)?, row.get(2)?),
            columns,
        })
    }
}

struct Differences(Vec<DataDifference>);

impl Differences {
    fn push(&mut self, kind: DataDifferenceKind, relation: &str, column: Option<&str>, sentence: String) {
        let column = column.map(str::to_owned);
        self.0.push(DataDifference { kind, relation: relation.to_owned(), column, sentence });
    }

    fn table(&mut self, name: &str, was: &TableDigest, is: &TableDigest) {
        let before = self.0.len();
        if was.rows != is.rows {
            let (kind, amount) =
                if was.rows > is.rows { ("missing", was.rows - is.rows) } else { ("new", is.rows - was.rows) };
            let verb = if amount == 1 { "is" } else { "are" };
            let sentence =
                format!("table {name}: {} {verb} {kind} (there were {}, now {})", Rows(amount), was.rows, is.rows);
            self.push(DataDifferenceKind::Rows, name, None, sentence);
        }
        for (column, old, new) in both(&was.columns, &is.columns) {
            let sentence = |what: &str| format!("table {name}: column {column} {what}");
            match (old, new) {
                (Some(_), None) => self.push(DataDifferenceKind::Missing, name, Some(column), sentence("is missing")),
                (None, _) => self.push(DataDifferenceKind::Added, name, Some(column), sentence("is there and was not")),
                (Some(old), Some(new)) if old != new && was.rows == is.rows => {
                    self.push(DataDifferenceKind::Values, name, Some(column), sentence("holds other values"));
                }
                (Some(_), Some(_)) => {}
            }
        }
        if self.0.len() == before && was.digest != is.digest {
            let sentence = format!("table {name}: the same values stand in other rows");
            self.push(DataDifferenceKind::Values, name, None, sentence);
        }
    }
}

struct Rows(u64);

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} row{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// The entries of two maps side by side.
fn both<'a, T>(
    was: &'a BTreeMap<String, T>,
    is: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a str, Option<&'a T>, Option<&'a T>)> {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    names.into_iter().map(move |name| (name.as_str(), was.get(name), is.get(name)))
}
