//! Types and domains.

use super::column::assigns;
use super::{Context, Derived, Need};
use crate::sql::ast::{AttributeAction, DomainAction, Stmt, TypeDefinition};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::schema::{Domain, Type};

pub(super) fn of_types(stmt: &Stmt, context: &Context<'_>) -> Derived {
    match stmt {
        Stmt::CreateType { name, .. } => Derived::Sql(vec![format!("DROP TYPE {name}")]),
        Stmt::CreateDomain(create) => Derived::Sql(vec![format!("DROP DOMAIN {}", create.name)]),
        Stmt::AlterEnumAddValue { name, value, if_not_exists, .. } => {
            if *if_not_exists && has_value(name, value, context) {
                return Derived::Nothing("the value is there already, and IF NOT EXISTS says that this is fine");
            }
            Derived::Irreversible(format!(
                "PostgreSQL cannot remove a value from an enum: {name} keeps {}",
                print::literal(value)
            ))
        }
        Stmt::AlterEnumRenameValue { name, from, to } => Derived::Sql(vec![format!(
            "ALTER TYPE {name} RENAME VALUE {} TO {}",
            print::literal(to),
            print::literal(from)
        )]),
        Stmt::AlterComposite { name, actions } => composite(name, actions, context),
        Stmt::AlterDomain { name, action } => alter_domain(name, action, context),
        _ => Derived::Needs("the reverse of this statement is not known".to_owned(), None),
    }
}

fn has_value(name: &Name, value: &str, context: &Context<'_>) -> bool {
    let found = context.before.find_type(name).and_then(|name| context.before.types.get(&name));
    matches!(
        found,
        Some(Type::Defined { definition: TypeDefinition::Enum { values }, .. }) if values.iter().any(|known| known == value)
    )
}

fn composite(name: &Name, actions: &[AttributeAction], context: &Context<'_>) -> Derived {
    let known = context.before.find_type(name).and_then(|name| context.before.types.get(&name));
    let attributes = match known {
        Some(Type::Defined { definition: TypeDefinition::Composite { attributes }, .. }) => attributes.as_slice(),
        _ => &[],
    };
    let mut undone = Vec::new();
    let mut missing = Vec::new();
    for action in actions {
        let suffix = |cascade: bool| if cascade { " CASCADE" } else { "" };
        undone.push(match action {
            AttributeAction::Add { name, cascade, .. } => {
                format!("DROP ATTRIBUTE {}{}", quoted(name), suffix(*cascade))
            }
            AttributeAction::Rename { name, to, cascade } => {
                format!("RENAME ATTRIBUTE {} TO {}{}", quoted(to), quoted(name), suffix(*cascade))
            }
            AttributeAction::Drop { name: attribute, cascade, .. }
            | AttributeAction::SetType { name: attribute, cascade, .. } => {
                let old = attributes.iter().find(|(known, ..)| known == attribute);
                let drop = matches!(action, AttributeAction::Drop { .. });
                let Some((_, data_type, collation)) = old else {
                    missing.push(format!(
                        "the type of attribute {name}.{} before is not in this migration",
                        quoted(attribute)
                    ));
                    undone.push(if drop {
                        format!("ADD ATTRIBUTE {} <type>{}", quoted(attribute), suffix(*cascade))
                    } else {
                        format!("ALTER ATTRIBUTE {} TYPE <type>{}", quoted(attribute), suffix(*cascade))
                    });
                    continue;
                };
                if drop {
                    let definition = print::attribute(attribute, data_type, collation.as_ref());
                    format!("ADD ATTRIBUTE {definition}{}", suffix(*cascade))
                } else {
                    // It has no USING, and CASCADE changes the tables of the type.
                    if let AttributeAction::SetType { data_type: new, cascade: true, .. } = action
                        && !assigns(new, data_type)
                    {
                        missing.push(format!(
                            "the values of {name}.{} do not go from {} to {} by themselves, and ALTER ATTRIBUTE has no USING",
                            quoted(attribute),
                            print::type_name(new),
                            print::type_name(data_type)
                        ));
                    }
                    let collation =
                        collation.as_ref().map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
                    format!(
                        "ALTER ATTRIBUTE {} TYPE {}{collation}{}",
                        quoted(attribute),
                        print::type_name(data_type),
                        suffix(*cascade)
                    )
                }
            }
        });
    }
    undone.reverse();
    let statement = format!("ALTER TYPE {name} {}", undone.join(", "));
    if missing.is_empty() { Derived::Sql(vec![statement]) } else { Need::new(missing.join("; "), statement).into() }
}

fn alter_domain(name: &Name, action: &DomainAction, context: &Context<'_>) -> Derived {
    let domain = |schema: &crate::sql::schema::Schema| -> Option<Domain> {
        match schema.find_type(name).and_then(|name| schema.types.get(&name).cloned()) {
            Some(Type::Domain(domain)) => Some(domain),
            _ => None,
        }
    };
    let before = domain(context.before);
    let need = |what: &str, action: &str| -> Derived {
        Need::new(
            format!("{what} of domain {name} before is not in this migration"),
            format!("ALTER DOMAIN {name} {action}"),
        )
        .into()
    };
    let reversed = match action {
        DomainAction::SetDefault(_) | DomainAction::DropDefault => match &before {
            Some(Domain { default: Some(default), .. }) => format!("SET DEFAULT {}", default.text),
            Some(_) if matches!(action, DomainAction::DropDefault) => {
                return Derived::Nothing("the domain has no default");
            }
            Some(_) => "DROP DEFAULT".to_owned(),
            None if matches!(action, DomainAction::DropDefault) => {
                return need("the default", "SET DEFAULT <expression>");
            }
            None => return need("the default", "DROP DEFAULT"),
        },
        DomainAction::SetNotNull => match &before {
            Some(domain) if domain.not_null => return Derived::Nothing("the domain is NOT NULL already"),
            _ => "DROP NOT NULL".to_owned(),
        },
        DomainAction::DropNotNull => match &before {
            Some(domain) if !domain.not_null => return Derived::Nothing("the domain is not NOT NULL"),
            _ => "SET NOT NULL".to_owned(),
        },
        DomainAction::AddCheck { name: Some(check), .. } => format!("DROP CONSTRAINT {}", quoted(check)),
        DomainAction::AddNotNull { .. } => "DROP NOT NULL".to_owned(),
        DomainAction::AddCheck { name: None, .. } => {
            let known: Vec<String> = before.map(|domain| domain.checks.into_keys().collect()).unwrap_or_default();
            let made =
                domain(context.after).and_then(|domain| domain.checks.into_keys().find(|check| !known.contains(check)));
            match made {
                Some(check) => format!("DROP CONSTRAINT {}", quoted(&check)),
                // `ChooseConstraintName` with the domain's name and the label `check` (`typecmds.c`).
                None => format!("DROP CONSTRAINT {}", quoted(&format!("{}_check", name.name))),
            }
        }
        DomainAction::DropConstraint { name: check, if_exists, .. } => {
            match before.as_ref().map(|domain| domain.checks.get(check)) {
                Some(Some((expression, validated))) => format!(
                    "ADD CONSTRAINT {} CHECK {}{}",
                    quoted(check),
                    print::parenthesised(expression),
                    if *validated { "" } else { " NOT VALID" }
                ),
                Some(None) if *if_exists => {
                    return Derived::Nothing("what IF EXISTS names is not there");
                }
                _ => {
                    return need(
                        &format!("the definition of constraint {}", quoted(check)),
                        &format!("ADD CONSTRAINT {} CHECK (<condition>)", quoted(check)),
                    );
                }
            }
        }
        DomainAction::RenameConstraint { name: from, to } => {
            format!("RENAME CONSTRAINT {} TO {}", quoted(to), quoted(from))
        }
        DomainAction::ValidateConstraint { .. } => {
            return Derived::Nothing("VALIDATE CONSTRAINT only finds out that the values are right");
        }
    };
    Derived::Sql(vec![format!("ALTER DOMAIN {name} {reversed}")])
}
