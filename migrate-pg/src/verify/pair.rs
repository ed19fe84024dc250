//! One pair, as SQL: a setup, ups and downs, run on a database that is thrown away.

use super::gone::{Left, created_roles};
use super::rows::Rows;
use super::seed::said;
use crate::catalog::data::{DataDifference, DataDifferenceKind, DataDigest, DataScope};
use crate::catalog::{Fingerprint, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::testing::Server;
use migrate_core::model::PgRange;
use migrate_core::sql::analyze_script;
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// Ups and the downs that are to take them back, over a schema.
///
/// ```no_run
/// # async fn example(server: &migrate_pg::testing::Server) -> Result<(), migrate_pg::Error> {
/// use migrate_pg::verify::Pair;
/// let pair = Pair::new(["ALTER TABLE t DROP b"], ["ALTER TABLE t ADD b int"]).setup("CREATE TABLE t (a int, b int NOT NULL)");
/// assert!(!pair.prove(server).await?.reverses());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pair {
    setup: String,
    up: Vec<String>,
    down: Vec<String>,
}

/// What a server says of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairProof {
    /// The major version of the server.
    pub server: u16,
    /// What is different after up and down, in schema and rows, a sentence each. The order of columns counts.
    pub differences: Vec<String>,
    /// What is to be known of the rows that it was tried on.
    pub notes: Vec<String>,
}

impl PairProof {
    /// Whether the downs take the ups back.
    pub fn reverses(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Pair {
    /// These ups, in this order, and these downs. Each text is sent by itself; one of several statements is one transaction.
    pub fn new(
        up: impl IntoIterator<Item = impl Into<String>>,
        down: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            setup: String::new(),
            up: up.into_iter().map(Into::into).collect(),
            down: down.into_iter().map(Into::into).collect(),
        }
    }

    /// The SQL that makes what is there before, rows included. Tables that it leaves empty are given rows.
    #[must_use]
    pub fn setup(mut self, sql: impl Into<String>) -> Self {
        self.setup = sql.into();
        self
    }

    /// Runs it on a database of its own, and drops that and the roles that the pair made.
    ///
    /// What a down cannot bring back of rows that were made up here (a column that the up drops) is not counted, and
    /// named in the notes; what it loses of the setup's own rows is a difference.
    ///
    /// # Errors
    ///
    /// Of kind [`ErrorKind::Proof`] where the setup fails or there is no database, of kind [`ErrorKind::Statement`] where an
    /// up does. A down that fails is a difference.
    pub async fn prove(&self, server: &Server) -> Result<PairProof> {
        match self.run(server, true).await? {
            Tried::Done(proof) => Ok(proof),
            // Rows that nobody asked for may be in the way of what is right on the rows that there are.
            Tried::RowsInTheWay(why) => match self.run(server, false).await? {
                Tried::Done(mut proof) => {
                    proof.notes.push(format!("tried on empty tables, since it fails on rows that were made: {why}"));
                    Ok(proof)
                }
                Tried::RowsInTheWay(why) => {
                    Ok(PairProof { server: server.major(), differences: vec![why], notes: Vec::new() })
                }
            },
        }
    }

    async fn run(&self, server: &Server, rows: bool) -> Result<Tried> {
        let failed = |error| Error::new(ErrorKind::Proof, format!("no database for the pair: {error}")).because(error);
        let client = server.connect().await.map_err(failed)?;
        let named = created_roles([&self.setup].into_iter().chain(&self.up).chain(&self.down).map(String::as_str));
        let left = Left::new(client, named).await?;
        let tried = self.tried(server, rows).await;
        left.drop_roles().await;
        tried
    }

    async fn tried(&self, server: &Server, rows: bool) -> Result<Tried> {
        let failed = |error| Error::new(ErrorKind::Proof, format!("no database for the pair: {error}")).because(error);
        let database = server.database().await.map_err(failed)?;
        let client = database.try_connect().await.map_err(failed)?;
        let looker = database.try_connect().await.map_err(failed)?;
        looker.batch_execute("SET lock_timeout = '20s'").await.map_err(|error| looked(&said(&error)))?;
        self.set_up(&client).await?;
        close_transaction(&client).await?;

        let mut notes = Vec::new();
        let mut made = BTreeSet::new();
        if rows {
            let stood =
                DataDigest::read(&looker, &DataScope::new()).await.map_err(|error| looked(&error.to_string()))?;
            let filled = Rows::default().fill(&looker, "", None).await.map_err(|why| looked(&why))?;
            for (table, rows) in &filled.rows {
                notes.push(format!("{table} had no rows, or none with a value in each column: {rows} were made"));
            }
            notes.extend(filled.empty.iter().map(|empty| {
                format!("{} is empty, and what happens to rows in it was not tried: {}", empty.table, empty.why)
            }));
            notes.extend(filled.notes);
            made.extend(filled.rows.into_keys());
            if !made.is_empty() {
                let stands =
                    DataDigest::read(&looker, &DataScope::new()).await.map_err(|error| looked(&error.to_string()))?;
                let differences = stood.differences(&stands);
                // Sequences that numbered the rows.
                let moved = differences.iter().filter(|difference| difference.kind() == DataDifferenceKind::Position);
                made.extend(moved.map(|difference| difference.relation().to_owned()));
            }
        }
        let lost = if made.is_empty() { Vec::new() } else { self.lost(server.major(), &looker).await? };
        let before = look(&looker).await?;
        for up in &self.up {
            if let Err(error) = client.batch_execute(up).await {
                if !made.is_empty() && is_of_rows(&error) {
                    return Ok(Tried::RowsInTheWay(format!("`{up}`: {}", said(&error))));
                }
                return Err(Error::db(ErrorKind::Statement, "the up fails", error).statement(up));
            }
        }
        for down in &self.down {
            if let Err(error) = client.batch_execute(down).await {
                let why = format!("the down fails: {}", said(&error));
                if !made.is_empty() && is_of_rows(&error) {
                    return Ok(Tried::RowsInTheWay(why));
                }
                return Ok(Tried::Done(PairProof { server: server.major(), differences: vec![why], notes }));
            }
        }
        close_transaction(&client).await?;
        let after = look(&looker).await?;
        let mut differences: Vec<String> = before.0.differences(&after.0).iter().map(ToString::to_string).collect();
        for difference in before.1.differences(&after.1) {
            if made.contains(difference.relation()) && lost.iter().any(|lost| lost.is(&difference)) {
                notes.push(format!(
                    "{difference}: the up destroys it, which was not counted, since the rows were made here"
                ));
            } else {
                differences.push(difference.to_string());
            }
        }
        Ok(Tried::Done(PairProof { server: server.major(), differences, notes }))
    }

    /// As one transaction; where the server wants a statement of it outside of one, one by one.
    async fn set_up(&self, client: &Client) -> Result<()> {
        let failed = |error| Error::db(ErrorKind::Proof, "the setup fails", error);
        let Err(error) = client.batch_execute(&self.setup).await else { return Ok(()) };
        if error.code().map(tokio_postgres::error::SqlState::code) != Some("25001") {
            return Err(failed(error));
        }
        let Ok(statements) = analyze_script(Some(""), &self.setup, PgRange::SUPPORTED) else {
            return Err(failed(error));
        };
        for statement in statements {
            let sql = &self.setup[statement.span];
            client.batch_execute(sql).await.map_err(|error| failed(error).statement(sql))?;
        }
        Ok(())
    }

    /// What the ups destroy, as far as their SQL says it.
    async fn lost(&self, major: u16, client: &Client) -> Result<Vec<Lost>> {
        let range = PgRange::new(major, major).unwrap_or(PgRange::SUPPORTED);
        let sql = self.up.iter().map(|up| up.trim().trim_end_matches(';')).collect::<Vec<_>>().join(";\n");
        let Ok(statements) = analyze_script(Some(&self.setup), &sql, range) else { return Ok(Vec::new()) };
        let mut lost = Vec::new();
        for loss in statements.into_iter().flat_map(|statement| statement.facts.losses) {
            let relations = relations(client, &loss.relation.to_string()).await?;
            let column = loss.column.as_deref().map(migrate_core::sql::quoted);
            lost.extend(relations.into_iter().map(|relation| Lost { relation, column: column.clone() }));
        }
        Ok(lost)
    }
}

/// What became of a try.
enum Tried {
    Done(PairProof),
    RowsInTheWay(String),
}

/// Data that an up destroys, as digests name it.
struct Lost {
    relation: String,
    column: Option<String>,
}

impl Lost {
    fn is(&self, difference: &DataDifference) -> bool {
        self.relation == difference.relation()
            && (self.column.is_none() || self.column.as_deref() == difference.column())
    }
}

/// A relation with its partitions and children.
async fn relations(client: &Client, name: &str) -> Result<Vec<String>> {
    let sql = format!(
        "WITH RECURSIVE tree(oid) AS (SELECT to_regclass({})::oid UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid) \
         SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM tree JOIN pg_class c USING (oid) \
         JOIN pg_namespace n ON n.oid = c.relnamespace",
        crate::quote::literal(name)
    );
    let messages = client.simple_query(&sql).await.map_err(|error| looked(&said(&error)))?;
    let rows = crate::ledger::rows(messages);
    Ok(rows.iter().filter_map(|row| row.get(0).map(str::to_owned)).collect())
}

/// Whether rows are what a statement failed on.
fn is_of_rows(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| super::is_of_rows(code.code()))
}

/// What a text leaves open is nothing that it did, and would keep the look waiting.
async fn close_transaction(client: &Client) -> Result<()> {
    client.batch_execute("ROLLBACK").await.map_err(|error| looked(&said(&error)))
}

fn looked(why: &str) -> Error {
    Error::new(ErrorKind::Proof, format!("the database could not be looked at: {why}"))
}

async fn look(client: &Client) -> Result<(Fingerprint, DataDigest)> {
    let schema =
        Fingerprint::read(client, &Scope::new().database(true)).await.map_err(|error| looked(&error.to_string()))?;
    let data = DataDigest::read(client, &DataScope::new()).await.map_err(|error| looked(&error.to_string()))?;
    Ok((schema, data))
}
