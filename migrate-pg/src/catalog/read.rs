//! Takes the picture: one query a kind, sent together.

use super::object::{HIDDEN, LAST_VALUE, Object};
use super::queries::{DATABASE, QUERIES};
use super::session::{self, Ask};
use super::template::statement;
use super::{CatalogError, Fingerprint, Key, Kind, Scope, positions};
use tokio_postgres::{Client, SimpleQueryRow};

impl Fingerprint {
    /// Reads a schema in two round trips, in a read-only transaction of its own, with one picture of the catalogs.
    ///
    /// The client must not be inside a transaction. Nothing is prepared, so that a proxy which pools transactions may stand between.
    /// The server's own functions that write definitions out look at the newest state, not at the transaction's
    /// (as for `pg_dump`): what is altered at that very moment may fail the read.
    pub async fn read(client: &Client, scope: &Scope) -> Result<Self, CatalogError> {
        let target = session::target(client).await?;
        let asks: Vec<Ask> = QUERIES
            .iter()
            .copied()
            .chain(scope.has_database().then_some(DATABASE))
            .map(|query| Ask { reads: query.reads.to_owned(), sql: statement(query, target, scope) })
            .collect();
        let answers = session::ask(client, &asks).await?;
        let mut fingerprint = Self::default();
        for (rows, ask) in answers.iter().zip(&asks) {
            for row in rows {
                fingerprint.add(row).map_err(|problem| CatalogError::Answer { reads: ask.reads.clone(), problem })?;
            }
        }
        if scope.has_sequence_positions() {
            fingerprint.add_positions(client).await?;
        }
        Ok(fingerprint)
    }

    fn add(&mut self, row: &SimpleQueryRow) -> Result<(), String> {
        let (mut kind, mut name, mut of_kind, mut of_name) = (None, None, None, None);
        let mut object = Object::default();
        for (index, column) in row.columns().iter().enumerate() {
            let Some(value) = row.get(index) else { continue };
            match column.name() {
                "kind" => kind = Some(value),
                "name" => name = Some(value),
                "of_kind" => of_kind = Some(value),
                "of_name" => of_name = Some(value),
                many if many.starts_with('*') => {
                    for entry in value.split('\u{1e}') {
                        let (name, value) =
                            entry.split_once('\u{1f}').ok_or_else(|| format!("{many} holds {entry:?}"))?;
                        object.properties.insert(name.to_owned(), value.to_owned());
                    }
                }
                property => {
                    object.properties.insert(property.to_owned(), value.to_owned());
                }
            }
        }
        let key = key(kind, name)?;
        if of_kind.is_some() {
            object.of = Some(self::key(of_kind, of_name)?);
        }
        match self.objects.insert(key.clone(), object) {
            None => Ok(()),
            Some(other) => Err(format!("two objects are called {key}; one is {other:?}")),
        }
    }

    async fn add_positions(&mut self, client: &Client) -> Result<(), CatalogError> {
        let names = self.objects.keys().filter(|key| key.kind == Kind::Sequence).map(|key| key.name.as_str());
        for (name, position) in positions::read(client, names).await? {
            match position {
                Some(position) => self.set(&name, LAST_VALUE, &position),
                None => self.set(&name, HIDDEN, "its position: the role has no SELECT on it"),
            }
        }
        Ok(())
    }

    fn set(&mut self, sequence: &str, property: &str, value: &str) {
        let key = Key { kind: Kind::Sequence, name: sequence.to_owned() };
        if let Some(object) = self.objects.get_mut(&key) {
            object.properties.insert(property.to_owned(), value.to_owned());
        }
    }
}

fn key(kind: Option<&str>, name: Option<&str>) -> Result<Key, String> {
    match (kind.map(Kind::from_name), name) {
        (Some(Some(kind)), Some(name)) => Ok(Key { kind, name: name.to_owned() }),
        _ => Err(format!("an object of kind {kind:?} is called {name:?}")),
    }
}
