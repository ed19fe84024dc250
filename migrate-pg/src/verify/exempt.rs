//! What a migration's declaration exempts from the comparison, by name: what it destroys behind a gate, what it keeps, and
//! what PostgreSQL has no way back from.

use super::named::name_of;
use super::seed::said;
use super::words::assigned;
use crate::catalog::{Difference, Kind};
use crate::quote::literal;
use migrate_core::model::{Down, EffectKind, Meta, StepKind};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::{Client, SimpleQueryMessage};

/// The exemptions of one migration; tables and columns as digests write them.
#[derive(Debug, Default)]
pub(super) struct Exempt {
    /// Tables whose rows the up destroys, and sequences that go with them.
    pub(super) lost_rows: BTreeSet<String>,
    /// Columns whose values the up destroys.
    pub(super) lost: BTreeSet<(String, String)>,
    /// Columns that a backfill keeps, with the reason.
    pub(super) kept: BTreeMap<(String, String), &'static str>,
    /// Materialized views that were refreshed.
    pub(super) refreshed: BTreeSet<String>,
    /// Whether it destroys something that is not named.
    pub(super) on_trust: bool,
    /// Constraints that were validated, which cannot be taken back, and needs not be.
    validated: Vec<String>,
    /// Steps that cannot be taken back: the reason of each.
    pub(super) irreversible: Vec<(usize, &'static str)>,
    /// What the irreversible ones act on.
    objects: Vec<String>,
}

impl Exempt {
    /// Looks the names up, before the migration is applied.
    pub(super) async fn of(client: &Client, meta: &Meta) -> Result<Self, String> {
        let mut exempt = Self::default();
        let mut names: Vec<&str> = Vec::new();
        for step in meta.steps() {
            names.extend(step.destroys().iter().map(|loss| loss.relation));
            if let (StepKind::Backfill(backfill), Down::Keep(_)) = (step.kind(), step.down()) {
                names.push(backfill.table());
            }
            names.extend(refreshes(step.effects()));
        }
        let found = if names.is_empty() { BTreeMap::new() } else { resolve(client, &names).await? };
        let all = |name: &str| found.get(name).into_iter().flatten();
        let tables = |name: &str| all(name).filter(|found| found.owner.is_none()).map(|found| found.relation.clone());
        for (index, step) in meta.steps().iter().enumerate() {
            exempt.on_trust |= step.destructive() && step.destroys().is_empty();
            for loss in step.destroys() {
                for found in all(loss.relation) {
                    match (loss.column, &found.owner) {
                        (Some(column), None) => drop(exempt.lost.insert((found.relation.clone(), column.to_owned()))),
                        (Some(column), Some(owner)) if column != owner => {}
                        _ => drop(exempt.lost_rows.insert(found.relation.clone())),
                    }
                }
            }
            match (step.kind(), step.down()) {
                (StepKind::Backfill(backfill), Down::Keep(why)) => {
                    // One of the two is empty: SQL fills the rows, or Rust.
                    let written = format!("{}{}", backfill.set(), backfill.write().join(", "));
                    for table in tables(backfill.table()) {
                        for column in assigned(&written) {
                            exempt.kept.insert((table.clone(), migrate_core::sql::quoted(&column)), why);
                        }
                    }
                }
                (_, Down::Irreversible(why)) => {
                    exempt.irreversible.push((index + 1, why));
                    exempt.objects.extend(step.effects().iter().map(|effect| name_of(effect.object()).to_owned()));
                }
                (_, Down::Nothing(_)) => {
                    let validated =
                        step.effects().iter().filter(|effect| effect.kind() == EffectKind::ValidateConstraint);
                    exempt.validated.extend(validated.map(|effect| name_of(effect.object()).to_owned()));
                    for view in refreshes(step.effects()) {
                        exempt.refreshed.extend(tables(view));
                    }
                }
                _ => {}
            }
        }
        Ok(exempt)
    }

    /// Whether a difference after the down is what the declaration says, with a line to say so.
    pub(super) fn schema(&self, difference: &Difference) -> Option<String> {
        let object = difference.object();
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        if object.kind() == Kind::Constraint && difference.property() == Some("NOT VALID") && difference.is().is_none()
        {
            // `known on public.orders`, as the derive and the catalog have it; without a table where it is not said.
            let own = |name: &str| name.split(" on ").next().map(last).unwrap_or_default();
            let name = own(object.name());
            if self.validated.iter().any(|validated| validated == object.name() || own(validated) == name) {
                return Some(format!("{difference}, which needs no way back"));
            }
        }
        if object.kind() == Kind::MaterializedView && self.refreshed.contains(object.name()) {
            return Some(format!("{difference}: it was refreshed"));
        }
        let irreversible = !self.objects.is_empty()
            && object.kind() == Kind::Enum
            && self.objects.iter().any(|name| {
                let bare = last(object.name());
                name == object.name() || last(name) == bare || name.split('.').any(|part| part == bare)
            });
        irreversible.then(|| format!("{difference}, which PostgreSQL cannot take back"))
    }

    /// The columns that a comparison of rows leaves out.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lost.iter().chain(self.kept.keys()).map(|(table, column)| (table.as_str(), column.as_str()))
    }
}

fn refreshes(effects: &'static [migrate_core::model::Effect]) -> impl Iterator<Item = &'static str> {
    effects
        .iter()
        .filter(|effect| effect.kind() == EffectKind::RefreshMaterializedView)
        .map(|effect| name_of(effect.object()))
}

/// The tables that each name stands for, with partitions and children, as digests write them; and the sequences that go
/// with a table or one of its columns.
async fn resolve(client: &Client, names: &[&str]) -> Result<BTreeMap<String, Vec<Resolved>>, String> {
    let list: Vec<String> = names.iter().map(|name| format!("({})", literal(name))).collect();
    let sql = format!(
        "WITH RECURSIVE given AS (SELECT DISTINCT g.name, to_regclass(g.name)::oid AS oid FROM (VALUES {}) g(name)), \
         tree(name, oid) AS (SELECT name, oid FROM given WHERE oid IS NOT NULL \
           UNION SELECT t.name, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid), \
         parts(name, oid, owner) AS (SELECT name, oid, NULL::text FROM tree UNION ALL \
           SELECT t.name, d.objid, quote_ident(a.attname) FROM tree t JOIN pg_depend d ON d.refobjid = t.oid \
             AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') \
           JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid) \
         SELECT p.name, quote_ident(n.nspname) || '.' || quote_ident(c.relname), p.owner FROM parts p \
         JOIN pg_class c ON c.oid = p.oid JOIN pg_namespace n ON n.oid = c.relnamespace",
        list.join(", ")
    );
    let failed = |error| format!("what the migration acts on could not be looked up: {}", said(&error));
    let mut found: BTreeMap<String, Vec<Resolved>> = BTreeMap::new();
    for message in client.simple_query(&sql).await.map_err(failed)? {
        if let SimpleQueryMessage::Row(row) = message
            && let (Some(name), Some(relation)) = (row.get(0), row.get(1))
        {
            let owner = row.get(2).map(str::to_owned);
            found.entry(name.to_owned()).or_default().push(Resolved { relation: relation.to_owned(), owner });
        }
    }
    Ok(found)
}

/// A relation that a name stands for.
struct Resolved {
    relation: String,
    /// Of a sequence, the column that it goes with.
    owner: Option<String>,
}
