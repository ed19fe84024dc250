//! Who may do what: GRANT, REVOKE, default privileges, REASSIGN OWNED.

use super::super::ast::{Grant, ObjectKind, Stmt, Target};
use super::super::name::Name;
use super::canonical;
use super::names;
use super::object;
use super::options;
use super::tree::{K, Node, Result, Tree, spoken};

pub(super) fn grant(node: &Node) -> Result<Stmt> {
    let revoke = node.kind() == K::REVOKE;
    let clause = node.child(K::ON_PRIVILEGE_OBJECTS_CLAUSE);
    let with = node.child(K::GRANT_WITH_CLAUSE);
    let option = node.any(&[K::GRANT_OPTION_FOR, K::ADMIN_OPTION_FOR, K::INHERIT_OPTION_FOR, K::SET_OPTION_FOR]);
    let mut grant = Grant {
        revoke,
        privileges: privileges(node, clause.is_none()),
        objects: Vec::new(),
        all_in_schemas: Vec::new(),
        all_kind: None,
        of_roles: clause.is_none(),
        grantees: node.child(K::ROLE_REF_LIST).map(|list| names::idents(&list, K::ROLE_REF)).unwrap_or_default(),
        grant_option: with.is_some_and(|with| grants_option(&with))
            || option.is_some_and(|option| matches!(option.kind(), K::GRANT_OPTION_FOR | K::ADMIN_OPTION_FOR)),
        cascade: options::cascade(node),
        granted_by: node.child(K::GRANTED_BY_CLAUSE).map(|by| names::ident_in(&by, K::ROLE_REF)).transpose()?,
    };
    if let Some(objects) = clause.and_then(|clause| clause.children().next()) {
        on(&objects, &mut grant)?;
    }
    Ok(Stmt::Grant(grant))
}

fn privileges(node: &Node, of_roles: bool) -> Vec<(String, Vec<String>)> {
    if let Some(all) = node.child(K::ALL_PRIVILEGES) {
        return vec![("ALL".to_owned(), names::columns_in(&all, K::COLUMN_REF_LIST))];
    }
    let Some(list) = node.child(K::REVOKE_COMMAND_LIST) else { return Vec::new() };
    let privilege = |command: Node| {
        let columns = names::columns_in(&command, K::COLUMN_REF_LIST);
        if of_roles && let Some(role) = command.child(K::ROLE_REF) {
            return (names::ident(&role), columns);
        }
        let words = command.descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token).filter(|token| {
            !token.kind().is_trivia() && !token.parent_ancestors().any(|above| above.kind() == K::COLUMN_REF_LIST)
        });
        let words: Vec<_> = words.map(|token| token.text().to_ascii_uppercase()).collect();
        let name = words.join(" ");
        (if of_roles { name.to_ascii_lowercase() } else { name }, columns)
    };
    list.all(K::REVOKE_COMMAND).map(privilege).collect()
}

fn grants_option(with: &Node) -> bool {
    let text = canonical::text(with);
    with.has(K::GRANT_OPTION) || text.contains("admin option") || text.contains("admin true")
}

/// Takes up the objects after ON.
fn on(objects: &Node, grant: &mut Grant) -> Result<()> {
    let all = match objects.kind() {
        K::PRIVILEGE_ALL_FUNCTIONS_IN_SCHEMA => Some(ObjectKind::Function),
        K::PRIVILEGE_ALL_PROCEDURES_IN_SCHEMA => Some(ObjectKind::Procedure),
        K::PRIVILEGE_ALL_ROUTINES_IN_SCHEMA => Some(ObjectKind::Routine),
        K::PRIVILEGE_ALL_SEQUENCES_IN_SCHEMA => Some(ObjectKind::Sequence),
        K::PRIVILEGE_ALL_TABLES_IN_SCHEMA => Some(ObjectKind::Table),
        _ => None,
    };
    if all.is_some() {
        grant.all_kind = all;
        grant.all_in_schemas = names::idents(objects, K::SCHEMA_REF);
        return Ok(());
    }
    let kind = match objects.kind() {
        K::PRIVILEGE_DEFAULT | K::PRIVILEGE_TABLE => ObjectKind::Table,
        K::PRIVILEGE_DATABASE => ObjectKind::Database,
        K::PRIVILEGE_DOMAIN => ObjectKind::Domain,
        K::PRIVILEGE_FOREIGN_DATA_WRAPPER => ObjectKind::ForeignDataWrapper,
        K::PRIVILEGE_FOREIGN_SERVER => ObjectKind::Server,
        K::PRIVILEGE_FUNCTION => ObjectKind::Function,
        K::PRIVILEGE_LANGUAGE => ObjectKind::Language,
        K::PRIVILEGE_LARGE_OBJECT => ObjectKind::LargeObject,
        K::PRIVILEGE_PARAMETER => ObjectKind::Parameter,
        K::PRIVILEGE_PROCEDURE => ObjectKind::Procedure,
        K::PRIVILEGE_ROUTINE => ObjectKind::Routine,
        K::PRIVILEGE_SCHEMA => ObjectKind::Schema,
        K::PRIVILEGE_SEQUENCE => ObjectKind::Sequence,
        K::PRIVILEGE_TABLESPACE => ObjectKind::Tablespace,
        K::PRIVILEGE_TYPE => ObjectKind::Type,
        kind => return Err(objects.fail(format!("in no released version of PostgreSQL: {}", spoken(kind)))),
    };
    for child in objects.children() {
        match child.kind() {
            K::FUNCTION_SIG_LIST | K::PROCEDURE_SIG_LIST | K::ROUTINE_SIG_LIST => {
                for signature in child.children() {
                    grant.objects.push(object::routine_target(&signature, kind)?);
                }
            }
            K::LITERAL => grant.objects.push(object::named(kind, Name::bare(canonical::text(&child)))),
            K::CONFIG_PARAMETER_REF => {
                grant.objects.push(object::named(kind, Name::bare(names::parts(&child).join("."))));
            }
            _ => grant.objects.push(Target { kind, name: names::name(&child), on: None, args: None }),
        }
    }
    Ok(())
}

pub(super) fn alter_default(node: &Node) -> Stmt {
    Stmt::AlterDefaultPrivileges { text: canonical::text(node) }
}

pub(super) fn reassign(node: &Node) -> Stmt {
    Stmt::ReassignOwned { text: canonical::text(node) }
}
