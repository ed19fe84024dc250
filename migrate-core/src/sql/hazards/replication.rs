//! Published tables whose UPDATEs and DELETEs fail because nothing identifies their rows any more.

use super::case::Case;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::{ConstraintKind, ObjectKind, PublicationScope, ReplicaIdentity, Stmt, TableAction};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, World};

pub(super) static DROPPED: Hazard = Hazard {
    name: "replica-identity-dropped",
    title: "Replica identity or primary key of a published table dropped",
    severity: Severity::Blocking,
    why: "A published table without replica identity refuses every UPDATE and DELETE (55000).",
    lock: "ACCESS EXCLUSIVE on the table, for a moment; then its writes fail",
    safe: "Another unique index over NOT NULL columns as replica identity first (REPLICA IDENTITY USING INDEX), or REPLICA IDENTITY \
           FULL; then the drop.",
};

pub(super) static COLUMN_LIST: Hazard = Hazard {
    name: "publication-column-list",
    title: "A publication's column list without the replica identity's columns",
    severity: Severity::Blocking,
    why: "UPDATE and DELETE of the table fail (42P10) as long as the list leaves out a column that identifies its rows.",
    lock: "None: the table's writes fail",
    safe: "A column list that holds every column of the primary key, or of the replica identity.",
};

pub(super) fn detect_dropped(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |table: &Name, what: String, words: &str| {
        let message = format!(
            "{what} leaves {table}, which is published, without replica identity: its UPDATEs and DELETEs fail (55000)"
        );
        found.push(Finding::new(&DROPPED, message).about(table).at(case.text, words));
    };
    for action in &case.actions {
        let table = &action.relation;
        match action.action {
            // Nobody asks for this of a table that is not published.
            TableAction::ReplicaIdentity(ReplicaIdentity::Nothing)
                if is_published(case, table) || case.before.world == World::Open =>
            {
                add(table, "REPLICA IDENTITY NOTHING".to_owned(), "replica identity");
            }
            TableAction::DropConstraint { name, .. } if is_published(case, table) => {
                let index = Name { schema: table.schema.clone(), name: name.clone() };
                if identifies(case, table, &index, Some(name)) {
                    add(table, format!("DROP CONSTRAINT {}", crate::sql::name::quoted(name)), "drop");
                }
            }
            _ => {}
        }
    }
    if let Stmt::Drop(drop) = case.stmt
        && drop.kind == ObjectKind::Index
    {
        for target in &drop.targets {
            let Some(index) = case.old(&target.name) else { continue };
            let Some(table) = case.before.index(&index).and_then(|index| index.table.known()) else { continue };
            if is_published(case, table) && identifies(case, table, &index, None) {
                add(table, format!("DROP INDEX {index}"), "drop");
            }
        }
    }
    found
}

/// Whether the index, or the constraint that it backs, is what identifies the table's rows.
fn identifies(case: &Case<'_>, table: &Name, index: &Name, constraint: Option<&String>) -> bool {
    let Some(listed) = case.table(table) else { return false };
    let primary = constraint.and_then(|name| listed.constraints.get(name)).is_some_and(|constraint| {
        matches!(
            constraint.kind,
            Fact::Known(ConstraintKind::PrimaryKey { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. })
        )
    });
    match &listed.replica_identity {
        Fact::Known(Some(identity)) => *identity == index.name || identity.ends_with(&format!(" {}", index.name)),
        Fact::Known(None) | Fact::Unknown => primary,
    }
}

fn is_published(case: &Case<'_>, table: &Name) -> bool {
    case.before.publications.values().any(|scope| {
        scope.all_tables
            || scope.schemas.contains(&table.schema)
            || scope.tables.iter().any(|(name, ..)| case.before.resolve(name) == *table)
    })
}

pub(super) fn detect_column_list(case: &Case<'_>) -> Vec<Finding> {
    let scope: &PublicationScope = match case.stmt {
        Stmt::CreatePublication { scope, .. } | Stmt::AlterPublication { scope, .. } => scope,
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for (table, _, columns, _) in &scope.tables {
        let relation = case.before.resolve(table);
        let Some(listed) = case.table(&relation) else { continue };
        let key = listed.constraints.values().find_map(|constraint| match &constraint.kind {
            Fact::Known(ConstraintKind::PrimaryKey { columns, .. }) => Some(columns),
            _ => None,
        });
        let missing = key.and_then(|key| key.iter().find(|column| !columns.contains(column)));
        let own_identity = matches!(&listed.replica_identity, Fact::Known(Some(_)));
        if let Some(missing) = missing
            && !columns.is_empty()
            && !own_identity
        {
            let message = format!(
                "the column list of {relation} leaves out {missing}, of its primary key: UPDATE and DELETE of it fail (42P10)"
            );
            found.push(Finding::new(&COLUMN_LIST, message).about(&relation));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, unknown};

    #[test]
    fn published_tables() {
        let table = "CREATE TABLE t (id bigint, a int, CONSTRAINT t_pkey PRIMARY KEY (id)); CREATE PUBLICATION p";
        let published = made_by(&format!("{table} FOR TABLE t"));
        let drop = "ALTER TABLE t DROP CONSTRAINT t_pkey";
        assert_eq!(refused(&published, drop), ["replica-identity-dropped"]);
        assert!(refused(&made_by(table), drop).is_empty());
        assert_eq!(refused(&unknown(), "ALTER TABLE t REPLICA IDENTITY NOTHING"), ["replica-identity-dropped"]);
        assert!(refused(&made_by(table), "ALTER TABLE t REPLICA IDENTITY NOTHING").is_empty());
    }
}
