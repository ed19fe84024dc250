//! ALTER TABLE and the statements that share its actions.

use super::super::ast::{
    AlterTable, ObjectKind, ReplicaIdentity, RowSecurity, SequenceOptions, Stmt, TableAction, Target, TriggerMode,
    TriggerScope,
};
use super::canonical;
use super::constraint;
use super::expr;
use super::names;
use super::options;
use super::sequence;
use super::table;
use super::tree::{K, Node, Result, Tree, spoken};

pub(super) fn alter(node: &Node) -> Result<Stmt> {
    let kind = match node.kind() {
        K::ALTER_FOREIGN_TABLE => ObjectKind::ForeignTable,
        K::ALTER_VIEW => ObjectKind::View,
        K::ALTER_MATERIALIZED_VIEW => ObjectKind::MaterializedView,
        K::ALTER_INDEX => ObjectKind::Index,
        _ => ObjectKind::Table,
    };
    if let Some(all) = node.child(K::ALL_IN_TABLESPACE) {
        let to = all.need(K::SET_TABLESPACE)?;
        let from = names::ident_in(&all, K::TABLESPACE_REF)?;
        return Ok(Stmt::AlterAllInTablespace { kind, from, to: names::ident_in(&to, K::TABLESPACE_REF)? });
    }
    let subject = node
        .any(&[K::TABLE_RELATION_NAME, K::VIEW_REF, K::INDEX_REF])
        .ok_or_else(|| node.fail("expected a name here"))?;
    let name = names::name(&subject);
    if let Some(attach) = node.child(K::ATTACH_INDEX_PARTITION) {
        return Ok(Stmt::AttachIndex { index: name, child: names::name_in(&attach, K::INDEX_REF)? });
    }
    if let Some(depends) = node.any(&[K::DEPENDS_ON_EXTENSION, K::NO_DEPENDS_ON_EXTENSION]) {
        return Ok(Stmt::DependsOnExtension {
            target: Target { kind, name, on: None, args: None },
            no: depends.kind() == K::NO_DEPENDS_ON_EXTENSION,
            extension: names::ident_in(&depends, K::EXTENSION_REF)?,
        });
    }
    let mut actions = Vec::new();
    for child in node.children() {
        if child != subject && child.kind() != K::IF_EXISTS {
            actions.extend(action(&child)?);
        }
    }
    let only = subject.has(K::ONLY_KW);
    Ok(Stmt::AlterTable(AlterTable { kind, name, only, if_exists: node.has(K::IF_EXISTS), actions }))
}

fn action(node: &Node) -> Result<Vec<TableAction>> {
    let constraint_ref = || names::name_in(node, K::CONSTRAINT_NAME_REF).map(|name| name.name);
    let if_exists = node.has(K::IF_EXISTS);
    let cascade = options::cascade(node);
    Ok(vec![match node.kind() {
        K::ADD_COLUMN => {
            TableAction::AddColumn { if_not_exists: node.has(K::IF_NOT_EXISTS), column: Box::new(table::column(node)?) }
        }
        K::DROP_COLUMN => {
            TableAction::DropColumn { name: names::ident_in(node, K::COLUMN_NAME_REF)?, if_exists, cascade }
        }
        K::ALTER_COLUMN | K::ALTER_VIEW_COLUMN | K::ALTER_SET_STATISTICS => return alter_column(node),
        K::ADD_CONSTRAINT => {
            let constraint = node.children().next().ok_or_else(|| node.fail("expected a constraint here"))?;
            TableAction::AddConstraint(constraint::constraint(&constraint, None)?)
        }
        K::ALTER_CONSTRAINT => alter_constraint(node)?,
        K::VALIDATE_CONSTRAINT => TableAction::ValidateConstraint { name: constraint_ref()? },
        K::DROP_CONSTRAINT => TableAction::DropConstraint { name: constraint_ref()?, if_exists, cascade },
        K::RENAME_CONSTRAINT => {
            TableAction::RenameConstraint { name: constraint_ref()?, to: names::ident_in(node, K::CONSTRAINT_NAME)? }
        }
        K::RENAME_COLUMN => TableAction::RenameColumn {
            name: names::ident_in(node, K::COLUMN_NAME_REF)?,
            to: names::ident_in(node, K::COLUMN_NAME)?,
        },
        K::TABLE_RENAME_TO => TableAction::RenameTo { to: names::name_in(node, K::TABLE_NAME)?.name },
        K::VIEW_RENAME_TO => TableAction::RenameTo { to: names::name_in(node, K::VIEW)?.name },
        K::INDEX_RENAME_TO => TableAction::RenameTo { to: names::name_in(node, K::INDEX)?.name },
        K::SET_SCHEMA => TableAction::SetSchema { to: names::ident_in(node, K::SCHEMA_REF)? },
        K::OWNER_TO => TableAction::OwnerTo { to: names::ident_in(node, K::ROLE_REF)? },
        K::ENABLE_TRIGGER => TableAction::EnableTrigger { which: triggers(node)?, mode: TriggerMode::Origin },
        K::ENABLE_ALWAYS_TRIGGER => TableAction::EnableTrigger { which: triggers(node)?, mode: TriggerMode::Always },
        K::ENABLE_REPLICA_TRIGGER => TableAction::EnableTrigger { which: triggers(node)?, mode: TriggerMode::Replica },
        K::DISABLE_TRIGGER => TableAction::DisableTrigger { which: triggers(node)? },
        K::ENABLE_RULE => {
            TableAction::EnableRule { name: names::ident_in(node, K::RULE_REF)?, mode: TriggerMode::Origin }
        }
        K::ENABLE_ALWAYS_RULE => {
            TableAction::EnableRule { name: names::ident_in(node, K::RULE_REF)?, mode: TriggerMode::Always }
        }
        K::ENABLE_REPLICA_RULE => {
            TableAction::EnableRule { name: names::ident_in(node, K::RULE_REF)?, mode: TriggerMode::Replica }
        }
        K::DISABLE_RULE => TableAction::DisableRule { name: names::ident_in(node, K::RULE_REF)? },
        K::ENABLE_RLS => TableAction::RowSecurity(RowSecurity::Enable),
        K::DISABLE_RLS => TableAction::RowSecurity(RowSecurity::Disable),
        K::FORCE_RLS => TableAction::RowSecurity(RowSecurity::Force),
        K::NO_FORCE_RLS => TableAction::RowSecurity(RowSecurity::NoForce),
        K::CLUSTER_ON => TableAction::ClusterOn { index: names::name_in(node, K::INDEX_REF)?.name },
        K::SET_WITHOUT_CLUSTER => TableAction::SetWithoutCluster,
        K::SET_WITHOUT_OIDS => TableAction::SetWithoutOids,
        K::SET_TABLESPACE => TableAction::SetTablespace { to: names::ident_in(node, K::TABLESPACE_REF)? },
        K::SET_LOGGED => TableAction::SetLogged,
        K::SET_UNLOGGED => TableAction::SetUnlogged,
        K::SET_ACCESS_METHOD => TableAction::SetAccessMethod {
            method: node.child(K::ACCESS_METHOD_REF).map(|method| names::ident(&method)),
        },
        K::SET_OPTIONS => TableAction::SetOptions { options: attribute_list(node)? },
        K::RESET_OPTIONS => {
            TableAction::ResetOptions { options: attribute_list(node)?.into_iter().map(|(name, _)| name).collect() }
        }
        K::INHERIT_TABLE => TableAction::Inherit { parent: names::name_in(node, K::TABLE_NAME_REF)? },
        K::NO_INHERIT_TABLE => TableAction::NoInherit { parent: names::name_in(node, K::TABLE_NAME_REF)? },
        K::OF_TYPE => TableAction::OfType { name: super::types::type_name(&node.need_ty()?)?.name },
        K::NOT_OF => TableAction::NotOf,
        K::REPLICA_IDENTITY => TableAction::ReplicaIdentity(replica_identity(node)?),
        K::ATTACH_PARTITION => TableAction::AttachPartition {
            partition: names::name_in(node, K::TABLE_NAME_REF)?,
            bound: table::bound_in(node)?,
        },
        K::DETACH_PARTITION => TableAction::DetachPartition {
            partition: names::name_in(node, K::TABLE_NAME_REF)?,
            concurrently: node.has(K::DETACH_CONCURRENTLY),
            finalize: node.has(K::DETACH_FINALIZE),
        },
        K::ALTER_OPTION_LIST | K::OPTION_ITEM_LIST => {
            TableAction::ForeignOptions { column: None, text: canonical::text(node) }
        }
        K::MERGE_PARTITIONS | K::SPLIT_PARTITION => TableAction::Unsupported { text: canonical::text(node) },
        kind => return Err(node.fail(format!("not known as an action of ALTER TABLE: {}", spoken(kind)))),
    }])
}

fn attribute_list(node: &Node) -> Result<Vec<(String, Option<String>)>> {
    Ok(options::attributes(&node.need(K::ATTRIBUTE_LIST)?))
}

fn triggers(node: &Node) -> Result<TriggerScope> {
    let target =
        node.any(&[K::TRIGGER_REF, K::ALL, K::USER]).ok_or_else(|| node.fail("expected a trigger's name here"))?;
    Ok(match target.kind() {
        K::ALL => TriggerScope::All,
        K::USER => TriggerScope::User,
        _ => TriggerScope::Named(names::ident(&target)),
    })
}

fn replica_identity(node: &Node) -> Result<ReplicaIdentity> {
    let option =
        node.children().next().ok_or_else(|| node.fail("expected DEFAULT, FULL, NOTHING or USING INDEX here"))?;
    Ok(match option.kind() {
        K::REPLICA_IDENTITY_DEFAULT => ReplicaIdentity::Default,
        K::REPLICA_IDENTITY_FULL => ReplicaIdentity::Full,
        K::REPLICA_IDENTITY_NOTHING => ReplicaIdentity::Nothing,
        _ => ReplicaIdentity::Index(names::name_in(&option, K::INDEX_REF)?.name),
    })
}

fn alter_constraint(node: &Node) -> Result<TableAction> {
    let given = |yes: K, no: K| if node.has(yes) { Some(true) } else { node.has(no).then_some(false) };
    let initially_deferred = given(K::INITIALLY_DEFERRED_CONSTRAINT_OPTION, K::INITIALLY_IMMEDIATE_CONSTRAINT_OPTION);
    Ok(TableAction::AlterConstraint {
        name: names::name_in(node, K::CONSTRAINT_NAME_REF)?.name,
        deferrable: given(K::DEFERRABLE_CONSTRAINT_OPTION, K::NOT_DEFERRABLE_CONSTRAINT_OPTION)
            .or(initially_deferred.filter(|deferred| *deferred)),
        initially_deferred,
        enforced: given(K::ENFORCED, K::NOT_ENFORCED),
        inherit: given(K::INHERIT, K::NO_INHERIT),
    })
}

fn alter_column(node: &Node) -> Result<Vec<TableAction>> {
    // ALTER INDEX … ALTER COLUMN names the column by its number.
    let column = match node.child(K::COLUMN_NAME_REF) {
        Some(name) => names::ident(&name),
        None => node
            .expr()
            .map(|number| expr::column(&number).unwrap_or_else(|| canonical::text(&number)))
            .unwrap_or_default(),
    };
    let option = node
        .children()
        .filter(|child| child.kind() != K::COLUMN_NAME_REF)
        .find(|child| !super::tree::is_expr(child.kind()))
        .ok_or_else(|| node.fail("expected what to alter of the column here"))?;
    let always = |node: &Node| node.has(K::GENERATED_ALWAYS);
    Ok(vec![match option.kind() {
        K::SET_TYPE => {
            let (data_type, collation) = table::typed(&option)?;
            TableAction::SetType { column, data_type, collation, using: expr::optional(&option, K::USING_EXPR)? }
        }
        K::SET_DEFAULT => TableAction::SetDefault { column, expression: expr::expr_in(&option)? },
        K::DROP_DEFAULT => TableAction::DropDefault { column },
        K::SET_NOT_NULL => TableAction::SetNotNull { column },
        K::DROP_NOT_NULL => TableAction::DropNotNull { column },
        K::SET_EXPRESSION => TableAction::SetExpression { column, expression: expr::expr_in(&option)? },
        K::DROP_EXPRESSION => TableAction::DropExpression { column, if_exists: option.has(K::IF_EXISTS) },
        K::ADD_GENERATED => TableAction::AddIdentity { column, identity: constraint::identity(&option)? },
        K::SET_GENERATED => {
            TableAction::SetIdentity { column, always: Some(always(&option)), options: SequenceOptions::default() }
        }
        K::SET_SEQUENCE_OPTION | K::RESTART | K::SET_GENERATED_OPTIONS => {
            let mut given = None;
            let mut options = SequenceOptions::default();
            identity_options(&option, &mut given, &mut options)?;
            TableAction::SetIdentity { column, always: given, options }
        }
        K::DROP_IDENTITY => TableAction::DropIdentity { column, if_exists: option.has(K::IF_EXISTS) },
        K::SET_STATISTICS => {
            let target = option.expr().map_or_else(|| "-1".to_owned(), |target| canonical::text(&target));
            TableAction::SetStatistics { column, target }
        }
        K::SET_STORAGE => TableAction::SetStorage { column, storage: text_in(&option, K::STORAGE_MODE)? },
        K::SET_COMPRESSION => {
            TableAction::SetCompression { column, method: text_in(&option, K::COMPRESSION_METHOD_NAME)? }
        }
        K::SET_OPTIONS => TableAction::SetColumnOptions { column, options: attribute_list(&option)? },
        K::RESET_OPTIONS => TableAction::ResetColumnOptions {
            column,
            options: attribute_list(&option)?.into_iter().map(|(name, _)| name).collect(),
        },
        K::SET_OPTIONS_LIST => {
            TableAction::ForeignOptions { column: Some(column), text: text_in(&option, K::ALTER_OPTION_LIST)? }
        }
        K::INHERIT | K::NO_INHERIT => TableAction::Unsupported { text: canonical::text(node) },
        kind => return Err(option.fail(format!("not known as an action of ALTER COLUMN: {}", spoken(kind)))),
    }])
}

fn identity_options(node: &Node, always: &mut Option<bool>, options: &mut SequenceOptions) -> Result<()> {
    if node.kind() == K::SET_GENERATED {
        *always = Some(node.has(K::GENERATED_ALWAYS));
    } else if !sequence::option(node, options)? {
        for child in node.children() {
            identity_options(&child, always, options)?;
        }
    }
    Ok(())
}

fn text_in(node: &Node, kind: K) -> Result<String> {
    Ok(canonical::text(&node.need(kind)?))
}
