//! Every other statement: sequences, types, domains, functions, triggers, comments, privileges, publications, and what
//! takes no lock on a user relation at all.

use super::look::Look;
use super::table::{self, Row};
use super::{drop as dropping, fired, query, rewrite};
use crate::model::{LockClass, Work};
use crate::sql::RelationKind;
use crate::sql::ast::{
    AttributeAction, Body, DomainAction, Grant, ObjectKind, OtherVerb, PublicationAction, PublicationScope,
    SequenceOptions, Stmt, Target, TransactionControl, TypeDefinition, TypeName,
};
use crate::sql::name::Name;
use crate::sql::schema::{Relation, Type};

pub(super) fn object(look: &mut Look<'_>, stmt: &Stmt, text: &str) {
    match stmt {
        Stmt::CreateSequence(create) => {
            look.row(&table::CREATE_SEQUENCE);
            if create.if_not_exists && look.before.relation(&look.before.place(&create.name)).is_some() {
                return;
            }
            owned_by(look, &table::CREATE_SEQUENCE, &create.options);
        }
        Stmt::AlterSequence { name, options, .. } => alter_sequence(look, name, options),
        Stmt::CreateType { .. } | Stmt::CreateDomain(_) => look.row(&table::CREATE_TYPE),
        Stmt::AlterEnumAddValue { .. } | Stmt::AlterEnumRenameValue { .. } => look.row(&table::ALTER_ENUM),
        Stmt::AlterComposite { name, actions } => alter_composite(look, name, actions),
        Stmt::AlterDomain { name, action } => alter_domain(look, name, action),
        Stmt::CreateFunction(create) => {
            look.row(&table::CREATE_FUNCTION);
            if create.language.eq_ignore_ascii_case("sql") {
                rewritten_body(look, &create.body);
            }
        }
        Stmt::CreateTrigger(create) => {
            let row = &table::CREATE_TRIGGER;
            let on = look.resolve(&create.table);
            let only = !create.for_each_row || !look.before.is_partitioned(&on);
            for name in look.family(&on, only) {
                look.lock(row, &name, row.lock);
            }
            if let Some(from) = &create.from {
                let from = look.resolve(from);
                look.lock(row, &from, LockClass::AccessShare);
            }
        }
        Stmt::CreateEventTrigger { .. } | Stmt::AlterEventTrigger { .. } => look.row(&table::EVENT_TRIGGER),
        Stmt::CreateRule { table: on, text, .. } => {
            on_table(look, &table::CREATE_RULE, on);
            rule_actions(look, text);
        }
        Stmt::CreatePolicy(create) => {
            let row = &table::CREATE_POLICY;
            on_table(look, row, &create.table);
            for expression in create.using.iter().chain(&create.with_check) {
                if let Some(subquery) = &expression.subquery {
                    query::named_relations(look, row, subquery);
                }
            }
        }
        Stmt::AlterPolicy { table: on, text, .. } => {
            on_table(look, &table::ALTER_POLICY, on);
            policy_reads(look, text);
        }
        Stmt::CreateExtension { .. } => look.row(&table::EXTENSION),
        Stmt::AlterExtension { text, .. } => {
            look.row(&table::EXTENSION);
            if let Some(member) = extension_member(text) {
                on_table(look, &table::EXTENSION_MEMBER, &member);
            }
        }
        Stmt::CreateStatistics { table: on, .. } => on_table(look, &table::CREATE_STATISTICS, on),
        Stmt::AlterStatistics { .. } => look.row(&table::ALTER_STATISTICS),
        Stmt::CreatePublication { scope, .. } => publication(look, scope),
        Stmt::AlterPublication { name, action, scope, .. } => alter_publication(look, name, *action, scope),
        Stmt::CreateSubscription { slot: true, .. } | Stmt::AlterSubscription { refresh: true, .. } => {
            look.row(&table::SUBSCRIPTION_ALONE);
        }
        Stmt::CreateSubscription { .. } | Stmt::AlterSubscription { .. } => look.row(&table::SUBSCRIPTION),
        Stmt::Rename { target, .. } => rename(look, target),
        Stmt::SetSchema { target, .. } => set_schema(look, target),
        Stmt::SetOwner { target, .. } => set_owner(look, target),
        Stmt::DependsOnExtension { target, .. } => depends_on_extension(look, target),
        Stmt::Comment { target, .. } | Stmt::SecurityLabel { target, .. } => comment(look, target),
        Stmt::Grant(grant) => privileges(look, grant),
        Stmt::AlterDefaultPrivileges { .. } => look.row(&table::GRANT_OTHER),
        Stmt::ReassignOwned { text } => reassign_owned(look, text),
        Stmt::Checkpoint | Stmt::Load { .. } => look.row(&table::CHECKPOINT),
        Stmt::Transaction { what } => match what {
            TransactionControl::CommitPrepared | TransactionControl::RollbackPrepared => {
                look.row(&table::SESSION_ALONE);
            }
            _ => look.row(&table::SESSION),
        },
        Stmt::Discard { all: true } => look.row(&table::SESSION_ALONE),
        Stmt::Setting { .. } | Stmt::Discard { .. } | Stmt::Listen { .. } => look.row(&table::SESSION),
        Stmt::AlterFunction { .. } => look.row(&table::OTHER_OBJECT),
        Stmt::Other { verb, target, text: own } => other(look, *verb, target, if own.is_empty() { text } else { own }),
        // Each of these has a function of its own in `statement_facts`.
        _ => look.unknown(format!("nothing is known of `{text}`")),
    }
}

/// The relation of `ADD TABLE orders`, `DROP VIEW …`.
fn extension_member(text: &str) -> Option<Name> {
    let lower = text.to_ascii_lowercase();
    let verbs = ["add", "drop"];
    let kinds = ["table", "view", "materialized view", "sequence", "foreign table"];
    verbs.iter().flat_map(|verb| kinds.iter().map(move |kind| format!("{verb} {kind} "))).find_map(|words| {
        let at = lower.find(&words)?;
        let starts = at == 0 || lower[..at].ends_with(' ');
        starts.then(|| crate::sql::parse::name_in(&text[at + words.len()..])).flatten()
    })
}

fn on_table(look: &mut Look<'_>, row: &'static Row, name: &Name) {
    let name = look.resolve(name);
    look.lock(row, &name, row.lock);
}

fn owned_by(look: &mut Look<'_>, row: &'static Row, options: &SequenceOptions) {
    if let Some(Some((owner, _))) = &options.owned_by {
        let owner = look.resolve(owner);
        look.lock(row, &owner, LockClass::AccessShare);
    }
}

fn alter_sequence(look: &mut Look<'_>, name: &Name, options: &SequenceOptions) {
    let row = &table::ALTER_SEQUENCE;
    let name = look.resolve(name);
    look.lock_because(row, &name, row.lock, || {
        format!("ALTER SEQUENCE takes SHARE ROW EXCLUSIVE on {name}: whoever draws from it waits")
    });
    owned_by(look, row, options);
    if options.restart.is_some() {
        look.lose_value(&name, None);
    }
}

fn alter_composite(look: &mut Look<'_>, name: &Name, actions: &[AttributeAction]) {
    let row = &table::ALTER_COMPOSITE;
    let found = look.before.find_type(name).unwrap_or_else(|| look.before.place(name));
    let new = matches!(look.before.types.get(&found), Some(Type::Defined { new: true, .. }));
    if !new {
        look.lock_type(row, &found, row.lock);
    }
    let typed: Vec<Name> = look
        .before
        .tables()
        .filter(|(_, table)| {
            table.of_type.as_ref().is_some_and(|of| look.before.find_type(of).as_ref() == Some(&found))
        })
        .map(|(name, _)| name.clone())
        .collect();
    for table in &typed {
        for member in look.family(table, false) {
            look.lock(row, &member, row.second());
        }
    }
    for action in actions {
        match action {
            AttributeAction::SetType { name, data_type, .. } => {
                for table in &typed {
                    retyped(look, row, table, name, data_type);
                }
            }
            AttributeAction::Drop { name, .. } => {
                for table in &typed {
                    look.lose(table, Some(name));
                }
                for column in look.before.columns_of_type(&found) {
                    look.lose_value(&column.table, Some(&column.column));
                }
            }
            AttributeAction::Add { .. } | AttributeAction::Rename { .. } => {}
        }
    }
    if look.open() {
        look.unknown(format!("which tables are of the type {found} is not known: with CASCADE they are locked in ACCESS EXCLUSIVE mode too"));
        if actions.iter().any(|action| matches!(action, AttributeAction::SetType { cascade: true, .. })) {
            look.at_least(
                row,
                row.lock,
                Work::Rewrite,
                "ALTER ATTRIBUTE … TYPE … CASCADE may rewrite tables of the type",
            );
        }
    }
}

fn retyped(look: &mut Look<'_>, row: &'static Row, table: &Name, column: &str, new: &TypeName) {
    let old = look
        .before
        .table(table)
        .and_then(|table| table.columns.iter().find(|listed| listed.name == column))
        .and_then(|column| column.data_type.known());
    let kept =
        old.is_some_and(|old| rewrite::of_type_change(look.before, column, old, new, None) == rewrite::Change::Kept);
    if !kept {
        look.work(row, table, Work::Rewrite, format!("ALTER ATTRIBUTE {column} TYPE rewrites the typed table {table}"));
    }
}

fn alter_domain(look: &mut Look<'_>, name: &Name, action: &DomainAction) {
    let checks = match action {
        DomainAction::AddCheck { not_valid, .. } => !not_valid,
        DomainAction::SetNotNull | DomainAction::AddNotNull { .. } | DomainAction::ValidateConstraint { .. } => true,
        DomainAction::SetDefault(_)
        | DomainAction::DropDefault
        | DomainAction::DropNotNull
        | DomainAction::DropConstraint { .. }
        | DomainAction::RenameConstraint { .. } => false,
    };
    if !checks {
        return look.row(&table::ALTER_DOMAIN);
    }
    let row = &table::ALTER_DOMAIN_CHECKED;
    look.row(row);
    let found = look.before.find_type(name);
    if matches!((action, found.as_ref().and_then(|found| look.before.types.get(found))), (DomainAction::SetNotNull, Some(Type::Domain(domain))) if domain.not_null)
    {
        return;
    }
    if let Some(found) = &found {
        for on in look.before.tables_with_type(found) {
            look.lock_because(row, &on, row.second(), || {
                format!("ALTER DOMAIN {name} takes SHARE on {on}, which has a column of it")
            });
            if !look.before.is_partitioned(&on) {
                look.work(row, &on, Work::Scan, format!("ALTER DOMAIN {name} checks every row of {on}"));
            }
        }
    }
    if look.open() {
        look.unknown(format!(
            "which tables have columns of the domain {name} is not known: each is locked in SHARE mode and read"
        ));
        look.at_least(
            row,
            LockClass::Share,
            Work::Scan,
            &format!("ALTER DOMAIN {name} reads every table with a column of it"),
        );
    }
}

/// Creating a function in SQL parses and rewrites its body, which locks what the body names and what is behind views
/// (`fmgr_sql_validator`).
fn rewritten_body(look: &mut Look<'_>, body: &Body) {
    for statement in &body.statements {
        query::prepare(look, &statement.stmt);
    }
}

/// The condition and the actions of a rule are parsed when it is made, which locks what they name.
fn rule_actions(look: &mut Look<'_>, text: &str) {
    match fired::RuleParts::read(text) {
        Some(parts) => {
            for query in parts.condition.iter().chain(&parts.actions) {
                query::named_relations(look, &table::CREATE_RULE, query);
            }
        }
        None => look.maybe_stronger("the rule's condition or action cannot be read: it may lock relations"),
    }
}

/// The expressions that ALTER POLICY gives; those that stay are not parsed again (`AlterPolicy`).
fn policy_reads(look: &mut Look<'_>, text: &str) {
    let lower = text.to_ascii_lowercase();
    for word in ["using (", "with check ("] {
        let Some(given) = lower.find(word).and_then(|at| crate::sql::outside::enclosed(&text[at + word.len() - 1..]))
        else {
            continue;
        };
        match crate::sql::parse::parse_expression(given) {
            Ok(expression) => {
                if let Some(subquery) = &expression.subquery {
                    query::named_relations(look, &table::ALTER_POLICY, subquery);
                }
            }
            Err(_) => look.maybe_stronger("the policy's expression cannot be read: it may lock relations"),
        }
    }
}

fn publication(look: &mut Look<'_>, scope: &PublicationScope) {
    if scope.tables.is_empty() {
        return look.row(&table::PUBLICATION);
    }
    let row = &table::PUBLICATION_TABLE;
    for (name, only, _, _) in &scope.tables {
        published(look, row, name, *only);
    }
}

/// A partitioned table is published as one; inheritance children are published with their parent.
fn published(look: &mut Look<'_>, row: &'static Row, name: &Name, only: bool) {
    let name = look.resolve(name);
    for member in look.family(&name, only || look.before.is_partitioned(&name)) {
        look.lock(row, &member, row.lock);
    }
}

fn alter_publication(look: &mut Look<'_>, name: &str, action: PublicationAction, scope: &PublicationScope) {
    publication(look, scope);
    if action == PublicationAction::Set && !(scope.tables.is_empty() && scope.schemas.is_empty()) {
        match look.before.publications.get(name) {
            Some(was) => {
                for (table, only, _, _) in was.tables.clone() {
                    published(look, &table::PUBLICATION_TABLE, &table, only);
                }
            }
            None => look.unknown(format!(
                "which tables {name} published is not known: those that go are locked in SHARE UPDATE EXCLUSIVE mode"
            )),
        }
    }
}

fn rename(look: &mut Look<'_>, target: &Target) {
    match target.kind {
        // ALTER INDEX renames any relation, under that relation's own lock (`RenameRelation`).
        ObjectKind::Index => match look.before.relation(&look.resolve(&target.name)) {
            Some(Relation::Index(_)) | None => on_table(look, &table::RENAME_INDEX, &target.name),
            Some(_) => on_table(look, &table::RENAME_TABLE, &target.name),
        },
        ObjectKind::Table | ObjectKind::ForeignTable => on_table(look, &table::RENAME_TABLE, &target.name),
        ObjectKind::View => on_table(look, &table::ALTER_VIEW, &target.name),
        ObjectKind::MaterializedView => on_table(look, &table::ALTER_MATERIALIZED_VIEW, &target.name),
        ObjectKind::Sequence => on_table(look, &table::ALTER_SEQUENCE_OBJECT, &target.name),
        ObjectKind::Type => {
            let found = look.before.find_type(&target.name);
            let composite = found.as_ref().and_then(|found| look.before.types.get(found));
            match (composite, found.as_ref()) {
                (Some(Type::Defined { new: false, definition: TypeDefinition::Composite { .. } }), Some(found)) => {
                    look.lock_type(&table::ALTER_COMPOSITE_OBJECT, found, table::ALTER_COMPOSITE_OBJECT.lock);
                }
                (None, _) if look.open() => {
                    let name = look.before.place(&target.name);
                    look.unknown(format!(
                        "whether {name} is a composite type is not known: one is locked in ACCESS EXCLUSIVE mode"
                    ));
                    look.lock_type(&table::ALTER_COMPOSITE_OBJECT, &name, table::ALTER_COMPOSITE_OBJECT.lock);
                }
                _ => look.row(&table::ALTER_TYPE),
            }
        }
        ObjectKind::Domain => look.row(&table::ALTER_TYPE),
        ObjectKind::DomainConstraint => look.row(&table::ALTER_DOMAIN),
        ObjectKind::Trigger => {
            let row = &table::ALTER_TRIGGER;
            if let Some(on) = target.on.as_ref().map(|on| look.resolve(on)) {
                let only = look.pg.before(15) || !look.before.is_partitioned(&on);
                for name in look.family(&on, only) {
                    look.lock(row, &name, row.lock);
                }
            }
        }
        ObjectKind::Rule => on_optional(look, &table::ALTER_RULE, target.on.as_ref()),
        ObjectKind::Policy => on_optional(look, &table::ALTER_POLICY, target.on.as_ref()),
        ObjectKind::Column => on_optional(look, &table::RENAME_COLUMN, target.on.as_ref()),
        ObjectKind::Constraint => on_optional(look, &table::RENAME_CONSTRAINT, target.on.as_ref()),
        ObjectKind::Schema => look.row(&table::SCHEMA),
        ObjectKind::Statistics => look.row(&table::ALTER_STATISTICS),
        ObjectKind::Publication => look.row(&table::PUBLICATION),
        _ => look.row(&table::OTHER_OBJECT),
    }
}

fn on_optional(look: &mut Look<'_>, row: &'static Row, on: Option<&Name>) {
    match on {
        Some(on) => on_table(look, row, on),
        None => look.row(row),
    }
}

/// The row of a relation's SET SCHEMA and OWNER; `None` where the object is no relation.
fn relation_row(look: &Look<'_>, target: &Target, plain: &'static Row) -> Option<&'static Row> {
    let said = match target.kind {
        ObjectKind::Table | ObjectKind::ForeignTable => RelationKind::Table,
        ObjectKind::View => RelationKind::View,
        ObjectKind::MaterializedView => RelationKind::MaterializedView,
        ObjectKind::Sequence => RelationKind::Sequence,
        ObjectKind::Index => RelationKind::Index,
        _ => return None,
    };
    let name = look.resolve(&target.name);
    let kind = match look.before.relation(&name) {
        Some(Relation::View(_)) => RelationKind::View,
        Some(Relation::MaterializedView(_)) => RelationKind::MaterializedView,
        Some(Relation::Sequence(_)) => RelationKind::Sequence,
        _ => said,
    };
    Some(match kind {
        RelationKind::View => &table::ALTER_VIEW,
        RelationKind::MaterializedView => &table::ALTER_MATERIALIZED_VIEW,
        RelationKind::Sequence => &table::ALTER_SEQUENCE_OBJECT,
        _ => plain,
    })
}

fn set_schema(look: &mut Look<'_>, target: &Target) {
    match relation_row(look, target, &table::SET_SCHEMA) {
        Some(row) => {
            on_table(look, row, &target.name);
            let name = look.resolve(&target.name);
            for sequence in look.before.sequences_owned_by(&name, None) {
                look.lock(row, &sequence, LockClass::AccessExclusive);
            }
        }
        None => look.row(&table::ALTER_TYPE),
    }
}

fn set_owner(look: &mut Look<'_>, target: &Target) {
    match relation_row(look, target, &table::OWNER_TO) {
        Some(row) => on_table(look, row, &target.name),
        // A composite type is a relation whose owner ALTER TABLE's code sets (`AlterTypeOwner`).
        None => match look.before.find_type(&target.name) {
            Some(found) if target.kind == ObjectKind::Type && is_old_composite(look, &found) => {
                look.lock_type(&table::ALTER_COMPOSITE_OBJECT, &found, table::ALTER_COMPOSITE_OBJECT.lock);
            }
            _ => look.row(&table::ALTER_TYPE),
        },
    }
}

fn is_old_composite(look: &Look<'_>, name: &Name) -> bool {
    matches!(
        look.before.types.get(name),
        Some(Type::Defined { new: false, definition: TypeDefinition::Composite { .. } })
    )
}

fn depends_on_extension(look: &mut Look<'_>, target: &Target) {
    let row = &table::DEPENDS_ON_EXTENSION;
    match target.kind {
        ObjectKind::Index | ObjectKind::MaterializedView => on_table(look, row, &target.name),
        ObjectKind::Trigger => on_optional(look, &table::TRIGGER_DEPENDS_ON_EXTENSION, target.on.as_ref()),
        _ => look.row(&table::OTHER_OBJECT),
    }
}

fn comment(look: &mut Look<'_>, target: &Target) {
    match target.kind {
        ObjectKind::Table
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::ForeignTable
        | ObjectKind::Sequence
        | ObjectKind::Index => on_table(look, &table::COMMENT, &target.name),
        ObjectKind::Column => {
            let composite = target.on.as_ref().and_then(|on| look.before.find_composite(on));
            match composite.filter(|name| look.before.relation(name).is_none()) {
                Some(composite) => look.lock_type(&table::COMMENT, &composite, table::COMMENT.lock),
                None => on_optional(look, &table::COMMENT, target.on.as_ref()),
            }
        }
        ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
            on_optional(look, &table::COMMENT_SUBOBJECT, target.on.as_ref());
        }
        _ => look.row(&table::COMMENT_OBJECT),
    }
}

fn privileges(look: &mut Look<'_>, grant: &Grant) {
    let row = if look.pg.at_least(18) { &table::GRANT_18 } else { &table::GRANT };
    let mut relations = false;
    for target in &grant.objects {
        if matches!(
            target.kind,
            ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::ForeignTable
                | ObjectKind::Sequence
        ) {
            relations = true;
            on_table(look, row, &target.name);
        }
    }
    look.row(if relations { row } else { &table::GRANT_OTHER });
}

fn reassign_owned(look: &mut Look<'_>, text: &str) {
    let row = &table::REASSIGN_OWNED;
    look.row(row);
    let lower = text.to_ascii_lowercase();
    let roles: Vec<String> = match (lower.find(" by "), lower.rfind(" to ")) {
        (Some(by), Some(to)) if by + 4 <= to => {
            text[by + 4..to].split(',').map(|role| role.trim().trim_matches('"').to_owned()).collect()
        }
        _ => Vec::new(),
    };
    let owned: Vec<Name> = look
        .before
        .tables()
        .filter(|(_, table)| table.owner.known().is_some_and(|owner| roles.contains(owner)))
        .map(|(name, _)| name.clone())
        .collect();
    for name in owned {
        look.lock(row, &name, row.lock);
    }
    if look.open() {
        look.unknown(format!(
            "what {} own is not known: each relation is locked in ACCESS EXCLUSIVE mode",
            roles.join(", ")
        ));
        look.at_least(row, row.lock, Work::Metadata, "REASSIGN OWNED locks every relation that changes hands");
    }
}

fn other(look: &mut Look<'_>, verb: OtherVerb, target: &Target, text: &str) {
    let lower = text.to_ascii_lowercase();
    let alone = match (verb, target.kind) {
        (OtherVerb::Create, ObjectKind::Database | ObjectKind::Tablespace) | (_, ObjectKind::System) => true,
        (OtherVerb::Alter, ObjectKind::Database) => lower.contains(" set tablespace "),
        _ => false,
    };
    look.row(if alone { &table::OUTSIDE } else { &table::OTHER_OBJECT });
    dropping::reached(look, &table::OTHER_OBJECT);
}
