//! What a server of some version refuses that the schema does not decide: syntax that came later (42601), and forms
//! that PostgreSQL has for plain tables only (0A000, 42809, 55000).

use super::definition;
use crate::sql::ast::{
    AlterTable, ColumnDef, ConstraintDef, ConstraintKind, DmlKind, DomainAction, Grant, ObjectKind, PublicationScope,
    ReindexScope, Statement, Stmt, TableAction,
};
use crate::sql::name::Name;
use crate::sql::schema::{ApplyError, Fact, Relation, Schema};
use crate::sql::server::Server;

struct Check<'a> {
    before: &'a Schema,
    pg: Server<'a>,
}

pub(super) type Refused = Result<(), ApplyError>;

pub(super) fn refused(statement: &Statement, before: &Schema, pg: Server<'_>) -> Refused {
    Check { before, pg }.statement(&statement.stmt)
}

pub(super) fn error(sqlstate: &'static str, message: String) -> Refused {
    Err(ApplyError { sqlstate, message })
}

impl Check<'_> {
    /// Syntax that servers have from a version on.
    fn since(&self, version: u16, what: &str) -> Refused {
        if self.pg.before(version) {
            return error(
                "42601",
                format!("{what} exists from PostgreSQL {version} on, and this is {}", self.pg.version()),
            );
        }
        Ok(())
    }

    fn is_partitioned(&self, name: &Name) -> bool {
        self.before.is_partitioned(&self.before.resolve(name))
    }

    fn statement(&self, stmt: &Stmt) -> Refused {
        match stmt {
            Stmt::AlterTable(alter) => alter.actions.iter().try_for_each(|action| self.action(alter, action)),
            Stmt::CreateTable(create) => {
                create.columns.iter().try_for_each(|column| self.column(column))?;
                create.constraints.iter().try_for_each(|constraint| self.constraint(constraint))?;
                definition::table(self.before, create)
            }
            Stmt::CreateIndex(create) => {
                definition::index(self.before, create)?;
                if create.nulls_not_distinct {
                    self.since(15, "NULLS NOT DISTINCT")?;
                }
                if create.concurrently && self.is_partitioned(&create.table) {
                    return error(
                        "0A000",
                        format!("cannot create index on partitioned table \"{}\" concurrently", create.table.name),
                    );
                }
                Ok(())
            }
            Stmt::Drop(drop) if drop.kind == ObjectKind::Index && drop.concurrently => {
                if drop.targets.len() > 1 {
                    return error(
                        "0A000",
                        "DROP INDEX CONCURRENTLY does not support dropping multiple objects".to_owned(),
                    );
                }
                if drop.cascade {
                    return error("0A000", "DROP INDEX CONCURRENTLY does not support CASCADE".to_owned());
                }
                let partitioned = drop.targets.iter().any(|target| {
                    self.before.index(&self.before.resolve(&target.name)).is_some_and(|index| index.partitioned)
                });
                if partitioned {
                    return error("0A000", "cannot drop partitioned index concurrently".to_owned());
                }
                Ok(())
            }
            // Parsed by every version; "unlogged sequences are not supported" before 15.
            Stmt::CreateSequence(create) if create.unlogged && self.pg.before(15) => {
                error("0A000", "unlogged sequences are not supported".to_owned())
            }
            Stmt::CreateView(create) if self.pg.before(15) && create.options.contains("security_invoker") => {
                error("22023", "unrecognized parameter \"security_invoker\"".to_owned())
            }
            Stmt::RefreshMaterializedView { concurrently: true, with_data: false, .. } => {
                error("42601", "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together".to_owned())
            }
            Stmt::AlterDomain { name, action } => {
                if matches!(action, DomainAction::AddNotNull { .. }) {
                    self.since(17, "ALTER DOMAIN … ADD NOT NULL")?;
                }
                definition::domain(self.before, name, action)
            }
            Stmt::AlterComposite { name, actions } => definition::composite(self.before, name, actions),
            Stmt::CreateTrigger(create) => definition::trigger(self.before, create),
            Stmt::LockTable { tables, .. } => tables.iter().try_for_each(|(name, _)| self.lockable(name)),
            Stmt::AlterStatistics { text, .. } if text.to_ascii_lowercase().ends_with("set statistics default") => {
                self.since(17, "SET STATISTICS DEFAULT")
            }
            Stmt::Other { target, text, .. } if target.kind == ObjectKind::Database => {
                if text.to_ascii_lowercase().contains(" refresh collation version") {
                    self.since(15, "ALTER DATABASE … REFRESH COLLATION VERSION")?;
                }
                Ok(())
            }
            Stmt::CreateSubscription { text, .. } | Stmt::AlterSubscription { text, .. } => self.subscription(text),
            Stmt::Reindex(reindex) => match &reindex.scope {
                ReindexScope::Table(name) => match self.before.relation(&self.before.resolve(name)) {
                    Some(Relation::View(_) | Relation::Sequence(_) | Relation::Index(_)) => {
                        error("42809", format!("\"{}\" is not a table or materialized view", name.name))
                    }
                    _ => Ok(()),
                },
                _ => Ok(()),
            },
            Stmt::Cluster { table: Some(table), .. } if self.pg.before(15) && self.is_partitioned(table) => {
                error("0A000", "cannot cluster a partitioned table".to_owned())
            }
            Stmt::Vacuum { tables, .. } | Stmt::Analyze { tables } => {
                if tables.iter().any(|(_, only)| *only) {
                    self.since(18, "ONLY in VACUUM and ANALYZE")?;
                }
                let foreign: Vec<&Name> = tables
                    .iter()
                    .map(|(name, _)| name)
                    .filter(|name| self.before.table(&self.before.resolve(name)).is_some())
                    .collect();
                if matches!(stmt, Stmt::Analyze { .. }) {
                    definition::handled(self.before, &foreign, 0)
                } else {
                    Ok(())
                }
            }
            Stmt::CreateStatistics { name, text, .. } => {
                if name.is_none() {
                    self.since(16, "CREATE STATISTICS without a name")?;
                }
                definition::statistics(text)
            }
            Stmt::CreatePublication { scope, text, .. } | Stmt::AlterPublication { scope, text, .. } => {
                // Parsed for PostgreSQL 19.
                if text.to_ascii_lowercase().contains(" for all sequences") {
                    return error("42601", "syntax error at or near \"SEQUENCES\"".to_owned());
                }
                self.publication(scope)
            }
            Stmt::Grant(grant) => self.grant(grant),
            Stmt::Query(query) => {
                if query.writes.iter().any(|write| write.kind == DmlKind::Merge) {
                    self.since(15, "MERGE")?;
                }
                let read = query.reads.iter().map(|(name, _)| name);
                let names: Vec<&Name> = read.chain(query.writes.iter().map(|write| &write.table)).collect();
                definition::handled(self.before, &names, 0)
            }
            Stmt::Truncate { tables, .. } => {
                definition::handled(self.before, &tables.iter().map(|(name, _)| name).collect::<Vec<_>>(), 0)
            }
            Stmt::Explain { statement, .. } | Stmt::Prepare { statement, .. } => self.statement(statement),
            _ => Ok(()),
        }
    }

    fn action(&self, alter: &AlterTable, action: &TableAction) -> Refused {
        let partitioned = self.is_partitioned(&alter.name);
        let table = &alter.name.name;
        let target = self.before.resolve(&alter.name);
        match action {
            TableAction::AddColumn { column, .. } => {
                let listed = self.before.table(&target).and_then(|table| table.partition_of.known());
                if matches!(listed, Some(Some(_))) {
                    return error("42809", "cannot add column to a partition".to_owned());
                }
                self.column(column)
            }
            TableAction::SetType { column, .. } | TableAction::DropColumn { name: column, .. } => {
                let mut family = self.before.descendants_of(&target);
                family.push(target);
                let is_key = family.iter().any(|name| {
                    let key =
                        self.before.table(name).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
                    key.is_some_and(|key| key.columns.contains(column))
                });
                if is_key {
                    return error(
                        "42P16",
                        format!("cannot alter or drop column \"{column}\" because it is part of the partition key"),
                    );
                }
                Ok(())
            }
            TableAction::AddConstraint(constraint) => {
                if matches!(constraint.kind, ConstraintKind::NotNull { .. }) {
                    self.since(18, "ADD CONSTRAINT … NOT NULL")?;
                }
                self.constraint(constraint)?;
                if self.before.table(&target).is_some_and(|table| table.foreign == Fact::Known(true)) {
                    definition::foreign(&constraint.kind)?;
                }
                if !partitioned {
                    return Ok(());
                }
                match &constraint.kind {
                    ConstraintKind::UniqueUsingIndex { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => error(
                        "0A000",
                        "ALTER TABLE / ADD CONSTRAINT USING INDEX is not supported on partitioned tables".to_owned(),
                    ),
                    ConstraintKind::ForeignKey(_) if constraint.not_valid && self.pg.before(18) => {
                        error("42809", format!("cannot add NOT VALID foreign key on partitioned table \"{table}\""))
                    }
                    ConstraintKind::Exclude { .. } if self.pg.before(17) => {
                        error("0A000", "exclusion constraints are not supported on partitioned tables".to_owned())
                    }
                    _ => Ok(()),
                }
            }
            TableAction::AlterConstraint { enforced, inherit, .. } if enforced.is_some() || inherit.is_some() => {
                self.since(18, "ALTER CONSTRAINT … ENFORCED and INHERIT")
            }
            TableAction::SetExpression { .. } => self.since(17, "SET EXPRESSION"),
            TableAction::SetAccessMethod { method } => {
                self.since(if method.is_none() { 17 } else { 15 }, "SET ACCESS METHOD")?;
                if partitioned && self.pg.before(17) {
                    return error("42809", "cannot change access method of a partitioned table".to_owned());
                }
                Ok(())
            }
            TableAction::SetStorage { storage, .. } if storage.eq_ignore_ascii_case("default") => {
                self.since(16, "SET STORAGE DEFAULT")
            }
            TableAction::SetLogged | TableAction::SetUnlogged => {
                if self.before.sequence(&self.before.resolve(&alter.name)).is_some() && self.pg.before(15) {
                    return error("42809", format!("\"{table}\" is not a table"));
                }
                if partitioned && self.pg.at_least(18) {
                    return error(
                        "42809",
                        format!("ALTER action SET LOGGED cannot be performed on relation \"{table}\""),
                    );
                }
                Ok(())
            }
            TableAction::ClusterOn { .. } | TableAction::SetWithoutCluster if partitioned => {
                error("0A000", "cannot mark index clustered in partitioned table".to_owned())
            }
            TableAction::SetOptions { .. } if partitioned => {
                let sqlstate = if self.pg.at_least(16) { "42809" } else { "22023" };
                error(sqlstate, "cannot specify storage parameters for a partitioned table".to_owned())
            }
            TableAction::DetachPartition { concurrently: true, .. }
                if self.before.default_partition_of(&self.before.resolve(&alter.name)).is_some() =>
            {
                error("55000", "cannot detach partitions concurrently when a default partition exists".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn column(&self, column: &ColumnDef) -> Refused {
        if column.storage.is_some() {
            self.since(16, "STORAGE in a column's definition")?;
        }
        if column.generated.as_ref().is_some_and(|generated| !generated.stored) {
            self.since(18, "a VIRTUAL generated column")?;
        }
        column.constraints.iter().try_for_each(|constraint| self.constraint(constraint))
    }

    fn constraint(&self, constraint: &ConstraintDef) -> Refused {
        if constraint.not_enforced {
            self.since(18, "NOT ENFORCED")?;
        }
        match &constraint.kind {
            ConstraintKind::Unique { nulls_not_distinct: true, .. } => self.since(15, "NULLS NOT DISTINCT"),
            ConstraintKind::Unique { without_overlaps: true, .. }
            | ConstraintKind::PrimaryKey { without_overlaps: true, .. } => self.since(18, "WITHOUT OVERLAPS"),
            ConstraintKind::ForeignKey(key) => {
                if key.period {
                    self.since(18, "PERIOD")?;
                }
                if key.on_delete.as_ref().is_some_and(|action| action.contains('(')) {
                    self.since(15, "ON DELETE SET NULL with columns")?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// `LockTableRecurse` and `RangeVarCallbackForLockTable`: tables and views only.
    fn lockable(&self, name: &Name) -> Refused {
        let found = self.before.resolve(name);
        let foreign = self.before.table(&found).is_some_and(|table| table.foreign == Fact::Known(true));
        match self.before.relation(&found) {
            Some(Relation::MaterializedView(_) | Relation::Sequence(_) | Relation::Index(_)) => {
                error("42809", format!("cannot lock relation \"{}\"", name.name))
            }
            Some(Relation::Table(_)) if foreign => error("42809", format!("cannot lock relation \"{}\"", name.name)),
            _ => Ok(()),
        }
    }

    /// `parse_subscription_options`: an option that the version does not know is a syntax error.
    fn subscription(&self, text: &str) -> Refused {
        let lower = text.to_ascii_lowercase();
        let options = match (lower.find(" with ("), lower.find(" set (")) {
            (Some(at), _) | (None, Some(at)) => &lower[at..],
            (None, None) if lower.contains(" skip (") => return self.since(15, "ALTER SUBSCRIPTION … SKIP"),
            _ => return Ok(()),
        };
        let words = || options.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
        for (name, version) in [
            ("two_phase", 15),
            ("disable_on_error", 15),
            ("password_required", 16),
            ("run_as_owner", 16),
            ("origin", 16),
            ("failover", 17),
        ] {
            if words().any(|word| word == name) {
                self.since(version, &format!("the subscription option {name}"))?;
            }
        }
        Ok(())
    }

    fn publication(&self, scope: &PublicationScope) -> Refused {
        let with = scope.with.as_deref().unwrap_or_default().to_ascii_lowercase();
        if with.contains("publish_generated_columns") {
            self.since(18, "publish_generated_columns")?;
        }
        for (_, _, _, filter) in &scope.tables {
            if let Some(filter) = filter
                && self.pg.at_least(15)
            {
                definition::row_filter(self.before, filter)?;
            }
        }
        if !scope.schemas.is_empty() {
            self.since(15, "TABLES IN SCHEMA")?;
        }
        if scope.tables.iter().any(|(_, _, columns, filter)| !columns.is_empty() || filter.is_some()) {
            self.since(15, "a column list or row filter of a publication")?;
        }
        Ok(())
    }

    fn grant(&self, grant: &Grant) -> Refused {
        if !grant.of_roles && grant.privileges.iter().any(|(name, _)| name == "MAINTAIN") {
            self.since(17, "the privilege MAINTAIN")?;
        }
        if grant.objects.iter().any(|target| target.kind == ObjectKind::Parameter) {
            self.since(15, "GRANT ON PARAMETER")?;
        }
        Ok(())
    }
}
