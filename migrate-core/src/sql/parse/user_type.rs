//! Types and domains.

use super::super::ast::{
    AttributeAction, CreateDomain, DomainAction, ObjectKind, Placement, Stmt, Target, TypeDefinition,
};
use super::canonical;
use super::constraint;
use super::expr;
use super::names;
use super::object;
use super::options;
use super::table;
use super::tree::{K, Node, Result, Tree, spoken};
use super::types;

pub(super) fn create_type(node: &Node) -> Result<Stmt> {
    let name = names::name_in(node, K::TYPE_NAME)?;
    let kind = node.any(&[K::BASE_TYPE, K::COMPOSITE_TYPE, K::ENUM_TYPE, K::RANGE_TYPE, K::ATTRIBUTE_LIST]);
    let Some(kind) = kind else { return Ok(Stmt::CreateType { name, definition: TypeDefinition::Shell }) };
    let definition = match kind.kind() {
        K::ENUM_TYPE => {
            let variants = kind.child(K::VARIANT_LIST);
            let variants = variants.iter().flat_map(|list| list.all(K::VARIANT).collect::<Vec<_>>());
            TypeDefinition::Enum { values: variants.filter_map(|variant| options::string_in(&variant)).collect() }
        }
        K::COMPOSITE_TYPE => {
            let fields = kind.child(K::COMPOSITE_FIELD_LIST);
            let fields = fields.iter().flat_map(|list| list.all(K::COMPOSITE_FIELD_DEF).collect::<Vec<_>>());
            let field = |field: Node| {
                let (ty, collation) = table::typed(&field)?;
                Ok((names::ident_in(&field, K::COMPOSITE_FIELD)?, ty, collation))
            };
            TypeDefinition::Composite { attributes: fields.map(field).collect::<Result<_>>()? }
        }
        K::RANGE_TYPE => {
            let subtype = kind.child(K::ATTRIBUTE_LIST).and_then(|list| {
                let of = |option: &Node| {
                    option.child(K::ATTRIBUTE_NAME).is_some_and(|name| names::ident(&name) == "subtype")
                };
                list.all(K::ATTRIBUTE_OPTION).find(of)?.child(K::ATTRIBUTE_VALUE)?.ty()
            });
            TypeDefinition::Range {
                text: canonical::text(&kind),
                subtype: subtype.map(|ty| types::type_name(&ty)).transpose()?,
            }
        }
        _ => TypeDefinition::Base { text: canonical::text(&kind) },
    };
    Ok(Stmt::CreateType { name, definition })
}

pub(super) fn alter_type(node: &Node) -> Result<Stmt> {
    let reference = node.need(K::TYPE_NAME_REF)?;
    let name = names::name(&reference);
    let action =
        node.children().find(|child| *child != reference).ok_or_else(|| node.fail("expected an action here"))?;
    Ok(match action.kind() {
        K::ADD_VALUE => {
            let place = action.any(&[K::BEFORE_VALUE, K::AFTER_VALUE]).map(|place| {
                let side = if place.kind() == K::BEFORE_VALUE { Placement::Before } else { Placement::After };
                (side, options::string_in(&place).unwrap_or_default())
            });
            Stmt::AlterEnumAddValue {
                name,
                if_not_exists: action.has(K::IF_NOT_EXISTS),
                value: options::string_in(&action).unwrap_or_default(),
                place,
            }
        }
        K::RENAME_VALUE => {
            let mut values = action.all(K::LITERAL).filter_map(|literal| canonical::string_value(&literal));
            let mut next = || values.next().ok_or_else(|| action.fail("expected a string here"));
            Stmt::AlterEnumRenameValue { name, from: next()?, to: next()? }
        }
        K::ALTER_TYPE_ATTRIBUTE_ACTION_LIST => Stmt::AlterComposite {
            name,
            actions: action.children().map(|child| attribute(&child)).collect::<Result<_>>()?,
        },
        K::ADD_ATTRIBUTE | K::ALTER_ATTRIBUTE | K::DROP_ATTRIBUTE | K::RENAME_ATTRIBUTE => {
            Stmt::AlterComposite { name, actions: vec![attribute(&action)?] }
        }
        K::SET_OPTIONS => object::other_alter(node, ObjectKind::Type, name),
        _ => object::common_action(&action, Target { kind: ObjectKind::Type, name, on: None, args: None }, false)?,
    })
}

fn attribute(node: &Node) -> Result<AttributeAction> {
    let cascade = options::cascade(node);
    let existing = || names::ident_in(node, K::COMPOSITE_FIELD_REF);
    Ok(match node.kind() {
        K::ADD_ATTRIBUTE => {
            let (data_type, collation) = table::typed(node)?;
            AttributeAction::Add { name: names::ident_in(node, K::COMPOSITE_FIELD)?, data_type, collation, cascade }
        }
        K::ALTER_ATTRIBUTE => {
            let (data_type, collation) = table::typed(node)?;
            AttributeAction::SetType { name: existing()?, data_type, collation, cascade }
        }
        K::DROP_ATTRIBUTE => AttributeAction::Drop { name: existing()?, if_exists: node.has(K::IF_EXISTS), cascade },
        K::RENAME_ATTRIBUTE => {
            AttributeAction::Rename { name: existing()?, to: names::ident_in(node, K::COMPOSITE_FIELD)?, cascade }
        }
        kind => return Err(node.fail(format!("not known as an action of ALTER TYPE: {}", spoken(kind)))),
    })
}

pub(super) fn create_domain(node: &Node) -> Result<Stmt> {
    let mut domain = CreateDomain {
        name: names::name_in(node, K::DOMAIN)?,
        data_type: types::type_name(&node.need_ty()?)?,
        collation: None,
        default: None,
        not_null: false,
        checks: Vec::new(),
    };
    for clause in node.children() {
        match clause.kind() {
            K::COLLATE => domain.collation = Some(names::name_in(&clause, K::COLLATION_REF)?),
            K::DEFAULT_CONSTRAINT => domain.default = Some(expr::expr_in(&clause)?),
            K::NOT_NULL_CONSTRAINT => domain.not_null = true,
            K::CHECK_CONSTRAINT => domain.checks.push((constraint::constraint_name(&clause), expr::expr_in(&clause)?)),
            K::DOMAIN | K::NULL_CONSTRAINT => {}
            kind if super::tree::is_type(kind) => {}
            kind => return Err(clause.fail(format!("not possible for domains: {}", spoken(kind)))),
        }
    }
    Ok(Stmt::CreateDomain(domain))
}

pub(super) fn alter_domain(node: &Node) -> Result<Stmt> {
    let reference = node.need(K::DOMAIN_REF)?;
    let name = names::name(&reference);
    let action =
        node.children().find(|child| *child != reference).ok_or_else(|| node.fail("expected an action here"))?;
    let constraint = || names::name_in(&action, K::CONSTRAINT_NAME_REF).map(|name| name.name);
    let action = match action.kind() {
        K::SET_DEFAULT => DomainAction::SetDefault(expr::expr_in(&action)?),
        K::DROP_DEFAULT => DomainAction::DropDefault,
        K::SET_NOT_NULL => DomainAction::SetNotNull,
        K::DROP_NOT_NULL => DomainAction::DropNotNull,
        K::ADD_CONSTRAINT => add_constraint(&action)?,
        K::DROP_CONSTRAINT => DomainAction::DropConstraint {
            name: constraint()?,
            if_exists: action.has(K::IF_EXISTS),
            cascade: options::cascade(&action),
        },
        K::RENAME_CONSTRAINT => {
            DomainAction::RenameConstraint { name: constraint()?, to: names::ident_in(&action, K::CONSTRAINT_NAME)? }
        }
        K::VALIDATE_CONSTRAINT => DomainAction::ValidateConstraint { name: constraint()? },
        _ => {
            return object::common_action(
                &action,
                Target { kind: ObjectKind::Domain, name, on: None, args: None },
                false,
            );
        }
    };
    Ok(Stmt::AlterDomain { name, action })
}

fn add_constraint(node: &Node) -> Result<DomainAction> {
    let constraint = node.children().next().ok_or_else(|| node.fail("expected a constraint here"))?;
    let name = constraint::constraint_name(&constraint);
    match constraint.kind() {
        K::CHECK_CONSTRAINT => Ok(DomainAction::AddCheck {
            name,
            expression: expr::expr_in(&constraint)?,
            not_valid: constraint.has(K::NOT_VALID),
        }),
        K::NOT_NULL_CONSTRAINT => Ok(DomainAction::AddNotNull { name }),
        kind => Err(constraint.fail(format!("not possible for domains: {}", spoken(kind)))),
    }
}
