//! What a server of some version refuses that the schema does not decide: syntax that came later (42601), and forms
//! that PostgreSQL has for plain tables only (0A000, 42809, 55000).

use super::{columns_refused, definition, permitted, triggers_refused};
use crate::sql::ast::{
    AlterTable, ColumnDef, ConstraintDef, ConstraintKind, Dml, DmlKind, DomainAction, Grant, ObjectKind, Persistence,
    PublicationScope, ReindexScope, Statement, Stmt, TableAction,
};
use crate::sql::name::Name;
use crate::sql::schema::{ApplyError, Fact, Relation, Schema, World};
use crate::sql::server::Server;

struct Check<'a> {
    before: &'a Schema,
    pg: Server<'a>,
}

pub(super) type Refused = Result<(), ApplyError>;

pub(super) fn refused(statement: &Statement, before: &Schema, pg: Server<'_>) -> Refused {
    let check = Check { before, pg };
    check.words(&statement.stmt, &statement.text)?;
    check.statement(&statement.stmt)
}

/// An index over an expression is made again over the new type, and may call other functions for it
/// (`ATPostAlterTypeParse`).
pub(super) fn retyped(statement: &Statement, after: &Schema) -> Refused {
    let Stmt::AlterTable(alter) = &statement.stmt else { return Ok(()) };
    let target = after.resolve(&alter.name);
    for action in &alter.actions {
        let TableAction::SetType { column, .. } = action else { continue };
        for (_, index) in after.indexes_using_column(&target, column) {
            let expression =
                index.predicate.is_some() || index.columns.known().is_some_and(|keys| keys.iter().any(Option::is_none));
            let Fact::Known(definition) = &index.definition else { continue };
            if !expression {
                continue;
            }
            let text = format!("CREATE INDEX ON {target} {definition}");
            let made = crate::sql::parse::parse(&text).unwrap_or_default();
            if let Some(Stmt::CreateIndex(create)) = made.first().map(|statement| &statement.stmt) {
                definition::index(after, create)?;
            }
        }
    }
    Ok(())
}

/// Whether the key, `RANGE (date_part('year', at))`, has the column in an expression.
fn mentions(key: &str, column: &str) -> bool {
    let expressions = key.split_once('(').map_or("", |(_, rest)| rest);
    expressions.contains('(')
        && expressions.split(|char: char| !(char.is_alphanumeric() || char == '_')).any(|word| word == column)
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

    /// Options that only the statement's words show.
    fn words(&self, stmt: &Stmt, text: &str) -> Refused {
        let lower = text.to_ascii_lowercase();
        let has =
            |word: &str| lower.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).any(|it| it == word);
        match stmt {
            Stmt::Explain { .. } => {
                let options = lower.split_once(')').map_or("", |(options, _)| options);
                if self.pg.before(16) && options.contains("generic_plan") {
                    // The parameter is refused before the option is.
                    let sqlstate = if text.contains("$1") { "42P02" } else { "42601" };
                    return error(sqlstate, "GENERIC_PLAN exists from PostgreSQL 16 on".to_owned());
                }
                if options.contains("serialize") || options.contains("memory") {
                    self.since(17, "EXPLAIN (SERIALIZE, MEMORY)")?;
                }
                Ok(())
            }
            Stmt::Vacuum { .. } => {
                let options = ["process_main", "skip_database_stats", "only_database_stats", "buffer_usage_limit"];
                match options.into_iter().find(|option| has(option)) {
                    Some(option) => self.since(16, &option.to_ascii_uppercase()),
                    None => Ok(()),
                }
            }
            Stmt::Grant(grant) if grant.of_roles => {
                let words: Vec<&str> = lower.split_whitespace().collect();
                let option = words.windows(3).any(|words| {
                    words[0] == "with"
                        && (matches!(words[1], "inherit" | "set") || (words[1] == "admin" && words[2] != "option"))
                });
                if option { self.since(16, "GRANT … WITH INHERIT, SET or ADMIN TRUE") } else { Ok(()) }
            }
            Stmt::AlterDefaultPrivileges { .. } if lower.contains(" on large objects ") => {
                self.since(18, "ALTER DEFAULT PRIVILEGES … ON LARGE OBJECTS")
            }
            Stmt::Query(query) if query.writes.iter().any(|write| write.kind == DmlKind::Merge) => {
                if has("returning") || lower.contains("matched by ") {
                    self.since(15, "MERGE")?;
                    return self.since(17, "RETURNING and NOT MATCHED BY SOURCE in MERGE");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// `DoCopy`: what has rows of its own to copy.
    fn copied(&self, name: &Name, from: bool) -> Refused {
        let refuse =
            || error("42809", format!("cannot copy {} relation \"{}\"", if from { "to" } else { "from" }, name.name));
        let found = self.before.resolve(name);
        match self.before.relation(&found) {
            Some(Relation::View(_)) if from => {
                let instead = format!("trigger {found}.");
                if self.before.others.keys().any(|key| key.starts_with(&instead)) { Ok(()) } else { refuse() }
            }
            Some(Relation::View(_) | Relation::Sequence(_) | Relation::Index(_)) => refuse(),
            Some(Relation::MaterializedView(_)) if from || self.pg.before(18) => refuse(),
            Some(Relation::Table(table)) if !from && matches!(table.partition_by, Fact::Known(Some(_))) => refuse(),
            Some(Relation::Table(table)) if !from && table.foreign == Fact::Known(true) => refuse(),
            _ => Ok(()),
        }
    }

    fn written(&self, write: &Dml) -> Refused {
        let found = self.before.resolve(&write.table);
        match self.before.relation(&found) {
            Some(Relation::View(_)) if write.kind == DmlKind::Merge && self.pg.before(17) => {
                error("0A000", format!("cannot execute MERGE on relation \"{}\"", write.table.name))
            }
            Some(Relation::Table(table))
                if write.kind == DmlKind::Insert
                    && write.values.is_some()
                    && table.complete
                    && matches!(table.partition_by, Fact::Known(Some(_)))
                    && self.before.world == World::Closed
                    && self.before.partitions_of(&found).is_empty() =>
            {
                error("23514", format!("no partition of relation \"{}\" found for row", write.table.name))
            }
            _ => Ok(()),
        }
    }

    fn clustered(&self, name: &Name, index: Option<&str>) -> Refused {
        let found = self.before.resolve(name);
        let Some(index) = index else {
            return match self.before.table(&found).map(|table| &table.clustered_on) {
                Some(Fact::Known(None)) => {
                    error("42704", format!("there is no previously clustered index for table \"{}\"", name.name))
                }
                _ => Ok(()),
            };
        };
        let own = Name { schema: found.schema.clone(), name: index.to_owned() };
        match self.before.index(&own).map(|index| &index.table) {
            Some(Fact::Known(on)) if self.before.resolve(on) != found => {
                error("42809", format!("\"{index}\" is not an index for table \"{}\"", name.name))
            }
            _ => Ok(()),
        }
    }

    fn statement(&self, stmt: &Stmt) -> Refused {
        match stmt {
            Stmt::AlterTable(alter) => {
                alter.actions.iter().try_for_each(|action| self.syntax(action))?;
                alter.actions.iter().try_for_each(|action| {
                    permitted::action(self.before, self.pg, alter, action)?;
                    self.action(alter, action)
                })
            }
            Stmt::CreateTable(create) => {
                create.columns.iter().try_for_each(|column| self.column(column))?;
                create.constraints.iter().try_for_each(|constraint| self.constraint(constraint))?;
                let there = create.if_not_exists && self.before.relation(&self.before.place(&create.name)).is_some();
                if !there {
                    create.columns.iter().try_for_each(|column| {
                        columns_refused::column(self.before, self.pg, None, &create.columns, column)
                    })?;
                }
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
            Stmt::CreatePolicy(create) => {
                let wrong = match create.command.to_ascii_uppercase().as_str() {
                    "INSERT" => create.using.as_ref().map(|_| "only WITH CHECK expression allowed for INSERT"),
                    "SELECT" | "DELETE" => {
                        create.with_check.as_ref().map(|_| "WITH CHECK cannot be applied to SELECT or DELETE")
                    }
                    _ => None,
                };
                wrong.map_or(Ok(()), |wrong| error("42601", wrong.to_owned()))
            }
            Stmt::Other { text, .. }
                if self.before.world == World::Closed
                    && text.to_ascii_lowercase().starts_with("import foreign schema") =>
            {
                let lower = text.to_ascii_lowercase();
                let server = lower.split(" from server ").nth(1).and_then(|rest| rest.split_whitespace().next());
                match server {
                    Some(server) if !self.before.others.contains_key(&format!("server {server}")) => {
                        error("42704", format!("server \"{server}\" does not exist"))
                    }
                    _ => Ok(()),
                }
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
            Stmt::CreateRule { table, text, .. } if text.to_ascii_lowercase().contains("on select to") => {
                match self.before.relation(&self.before.resolve(table)) {
                    Some(Relation::Table(_)) => {
                        let sqlstate = if self.pg.at_least(16) { "42809" } else { "42P17" };
                        error(sqlstate, format!("relation \"{}\" cannot have ON SELECT rules", table.name))
                    }
                    _ => Ok(()),
                }
            }
            Stmt::CreateTrigger(create) => triggers_refused::trigger(self.before, create),
            Stmt::CreateEventTrigger { text, .. } => triggers_refused::event_trigger(self.before, self.pg, text),
            // No provider comes with the server (`get_object_address` is looked at after `ExecSecLabelStmt` has one).
            Stmt::SecurityLabel { .. } if self.before.world == World::Closed => {
                error("22023", "no security label providers have been loaded".to_owned())
            }
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
            Stmt::Cluster { table: Some(table), index } => self.clustered(table, index.as_deref()),
            Stmt::Copy { table: Some(table), from, .. } => self.copied(table, *from),
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
            Stmt::CreateStatistics { name, table, text, .. } => {
                if name.is_none() {
                    self.since(16, "CREATE STATISTICS without a name")?;
                }
                if let Some(Relation::View(_)) = self.before.relation(&self.before.resolve(table)) {
                    return error("42809", format!("cannot define statistics for relation \"{}\"", table.name));
                }
                definition::statistics(self.before.table(&self.before.resolve(table)), text)
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
                for write in &query.writes {
                    self.written(write)?;
                }
                let read = query.reads.iter().map(|(name, _)| name);
                let names: Vec<&Name> = read.chain(query.writes.iter().map(|write| &write.table)).collect();
                definition::handled(self.before, &names, 0)
            }
            Stmt::Truncate { tables, .. } => {
                if let Some((name, _)) = tables.iter().find(|(name, only)| *only && self.is_partitioned(name)) {
                    return error("42809", format!("cannot truncate only a partitioned table \"{}\"", name.name));
                }
                definition::handled(self.before, &tables.iter().map(|(name, _)| name).collect::<Vec<_>>(), 0)
            }
            Stmt::Explain { statement, .. } | Stmt::Prepare { statement, .. } => self.statement(statement),
            _ => Ok(()),
        }
    }

    /// Forms of the actions that came later than PostgreSQL 14: no parser of an earlier version knows them.
    fn syntax(&self, action: &TableAction) -> Refused {
        match action {
            TableAction::AddColumn { column, .. } => self.column(column),
            TableAction::AddConstraint(constraint) => {
                if matches!(constraint.kind, ConstraintKind::NotNull { .. }) {
                    self.since(18, "ADD CONSTRAINT … NOT NULL")?;
                }
                self.constraint(constraint)
            }
            TableAction::AlterConstraint { enforced, inherit, .. } if enforced.is_some() || inherit.is_some() => {
                self.since(18, "ALTER CONSTRAINT … ENFORCED and INHERIT")
            }
            TableAction::SetExpression { .. } => self.since(17, "SET EXPRESSION"),
            TableAction::SetAccessMethod { method } => {
                self.since(if method.is_none() { 17 } else { 15 }, "SET ACCESS METHOD")
            }
            TableAction::SetStorage { storage, .. } if storage.eq_ignore_ascii_case("default") => {
                self.since(16, "SET STORAGE DEFAULT")
            }
            TableAction::SetStatistics { target, .. } if target.eq_ignore_ascii_case("default") => {
                self.since(17, "SET STATISTICS DEFAULT")
            }
            _ => Ok(()),
        }
    }

    fn action(&self, alter: &AlterTable, action: &TableAction) -> Refused {
        let partitioned = self.is_partitioned(&alter.name);
        let table = &alter.name.name;
        let target = self.before.resolve(&alter.name);
        match action {
            TableAction::SetType { column, .. } | TableAction::DropColumn { name: column, .. } => {
                let mut family = self.before.descendants_of(&target);
                family.push(target);
                let is_key = family.iter().any(|name| {
                    let key =
                        self.before.table(name).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
                    key.is_some_and(|key| key.columns.contains(column) || mentions(&key.text, column))
                });
                if is_key {
                    return error(
                        "42P16",
                        format!("cannot alter or drop column \"{column}\" because it is part of the partition key"),
                    );
                }
                Ok(())
            }
            TableAction::AddConstraint(constraint) if partitioned => match &constraint.kind {
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
            },
            TableAction::SetAccessMethod { .. } if partitioned && self.pg.before(17) => {
                error("42809", "cannot change access method of a partitioned table".to_owned())
            }
            TableAction::SetLogged | TableAction::SetUnlogged
                if self.before.sequence(&target).is_some() && self.pg.before(15) =>
            {
                error("42809", format!("\"{table}\" is not a table"))
            }
            TableAction::SetSchema { .. }
                if self.before.sequence(&target).is_some_and(|it| matches!(it.owned_by, Fact::Known(Some(_)))) =>
            {
                error("0A000", "cannot move an owned sequence into another schema".to_owned())
            }
            TableAction::SetWithoutCluster if partitioned => {
                error("0A000", "cannot mark index clustered in partitioned table".to_owned())
            }
            // None is left half detached by statements that ran to their end.
            TableAction::DetachPartition { finalize: true, .. }
                if partitioned && self.before.world == World::Closed =>
            {
                error("55000", "the partition is not being detached".to_owned())
            }
            TableAction::DetachPartition { concurrently: true, .. }
                if self.before.default_partition_of(&target).is_some() =>
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
        for (name, _, columns, filter) in &scope.tables {
            if filter.is_some()
                && self.pg.at_least(15)
                && self.is_partitioned(name)
                && !with.contains("publish_via_partition_root")
            {
                return error("22023", format!("cannot use publication WHERE clause for relation \"{}\"", name.name));
            }
            let listed = self.before.table(&self.before.resolve(name)).filter(|table| table.complete);
            if let Some(table) = listed
                && let Some(column) = columns.iter().find(|column| table.column(column).is_none())
                && self.pg.at_least(15)
            {
                return error("42703", format!("column \"{column}\" of relation \"{}\" does not exist", name.name));
            }
            let persistence = self.before.table(&self.before.resolve(name)).map(|table| &table.persistence);
            if let Some(Fact::Known(Persistence::Unlogged | Persistence::Temporary)) = persistence {
                return error("22023", format!("cannot add relation \"{}\" to publication", name.name));
            }
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
        const OF_TABLES: &[&str] = &[
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "TRUNCATE",
            "REFERENCES",
            "TRIGGER",
            "MAINTAIN",
            "ALL",
            "ALL PRIVILEGES",
        ];
        if !grant.of_roles && grant.privileges.iter().any(|(name, _)| name == "MAINTAIN") {
            self.since(17, "the privilege MAINTAIN")?;
        }
        for target in grant.objects.iter().filter(|target| !grant.of_roles && target.kind == ObjectKind::Table) {
            let table = self.before.table(&self.before.resolve(&target.name)).is_some();
            let wrong = grant.privileges.iter().find(|(name, _)| !OF_TABLES.contains(&name.as_str()));
            if let (true, Some((name, _))) = (table, wrong) {
                return error("0LP01", format!("invalid privilege type {name} for relation"));
            }
        }
        if grant.objects.iter().any(|target| target.kind == ObjectKind::Parameter) {
            self.since(15, "GRANT ON PARAMETER")?;
        }
        Ok(())
    }
}
