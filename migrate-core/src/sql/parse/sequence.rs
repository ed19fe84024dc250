//! Sequences: CREATE and ALTER SEQUENCE, and the options that identity columns share with them.

use super::super::ast::{AlterTable, CreateSequence, ObjectKind, SequenceOptions, Stmt, TableAction};
use super::canonical;
use super::names;
use super::tree::{K, Node, Result, Tree, spoken};
use super::types;

pub(super) fn create(node: &Node) -> Result<Stmt> {
    Ok(Stmt::CreateSequence(CreateSequence {
        name: names::name_in(node, K::SEQUENCE)?,
        temporary: node.has(K::TEMP),
        unlogged: node.has(K::UNLOGGED),
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        options: options(node)?,
    }))
}

pub(super) fn alter(node: &Node) -> Result<Stmt> {
    let name = names::name_in(node, K::SEQUENCE_REF)?;
    let if_exists = node.has(K::IF_EXISTS);
    let mut actions = Vec::new();
    for child in node.children() {
        actions.push(match child.kind() {
            K::OWNER_TO => TableAction::OwnerTo { to: names::ident_in(&child, K::ROLE_REF)? },
            K::SEQUENCE_RENAME_TO => TableAction::RenameTo { to: names::name_in(&child, K::SEQUENCE)?.name },
            K::SET_SCHEMA => TableAction::SetSchema { to: names::ident_in(&child, K::SCHEMA_REF)? },
            K::SET_LOGGED => TableAction::SetLogged,
            K::SET_UNLOGGED => TableAction::SetUnlogged,
            _ => continue,
        });
    }
    if actions.is_empty() {
        return Ok(Stmt::AlterSequence { name, if_exists, options: options(node)? });
    }
    Ok(Stmt::AlterTable(AlterTable { kind: ObjectKind::Sequence, name, only: false, if_exists, actions }))
}

/// The sequence options that stand directly in the node.
pub(super) fn options(node: &Node) -> Result<SequenceOptions> {
    let mut options = SequenceOptions::default();
    for child in node.children() {
        option(&child, &mut options)?;
    }
    Ok(options)
}

/// The sequence options of an identity, in parentheses; none where there are none.
pub(super) fn options_in(node: &Node) -> Result<SequenceOptions> {
    node.child(K::SEQUENCE_OPTION_LIST).map_or_else(|| Ok(SequenceOptions::default()), |list| options(&list))
}

/// Takes up the node if it is a sequence option; says whether it was.
pub(super) fn option(node: &Node, options: &mut SequenceOptions) -> Result<bool> {
    let value = || node.expr().map(|value| canonical::expression(&value)).unwrap_or_default();
    let setting = match node.kind() {
        K::OPTION_AS_TYPE => {
            options.data_type = Some(types::type_name(&node.need_ty()?)?);
            return Ok(true);
        }
        K::OPTION_OWNED_BY => {
            let target = node.child(K::QUALIFIED_COLUMN_NAME_REF);
            options.owned_by = Some(target.map(|target| {
                let mut parts = names::parts(&target);
                let column = parts.pop().unwrap_or_default();
                (names::from_parts(parts), column)
            }));
            return Ok(true);
        }
        K::OPTION_RESTART | K::RESTART => {
            options.restart = Some(node.expr().map(|value| canonical::expression(&value)));
            return Ok(true);
        }
        K::OPTION_INCREMENT => ("INCREMENT", value()),
        K::OPTION_MIN_VALUE => ("MINVALUE", value()),
        K::OPTION_MAX_VALUE => ("MAXVALUE", value()),
        K::OPTION_START => ("START", value()),
        K::OPTION_CACHE => ("CACHE", value()),
        K::OPTION_CYCLE => ("CYCLE", "YES".to_owned()),
        K::OPTION_NO_MIN_VALUE => ("MINVALUE", "NO".to_owned()),
        K::OPTION_NO_MAX_VALUE => ("MAXVALUE", "NO".to_owned()),
        K::OPTION_NO_CYCLE => ("CYCLE", "NO".to_owned()),
        K::OPTION_LOGGED => ("LOGGED", "YES".to_owned()),
        K::OPTION_UNLOGGED => ("LOGGED", "NO".to_owned()),
        K::OPTION_SEQUENCE_NAME => ("SEQUENCE NAME", names::name_in(node, K::SEQUENCE)?.to_string()),
        kind if spoken(kind).starts_with("option ") => {
            return Err(node.fail(format!("an option of a sequence that is not known: {}", spoken(kind))));
        }
        _ => return Ok(false),
    };
    options.settings.push((setting.0.to_owned(), setting.1));
    Ok(true)
}
