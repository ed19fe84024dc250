//! Types and domains.

use super::Apply;
use super::change::{object, part};
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ast::{AttributeAction, CreateDomain, DomainAction, Placement, TypeDefinition, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::naming::object_name;
use crate::sql::schema::text::{domain_text, literal, type_definition_text, type_text};
use crate::sql::schema::{ApplyError, Domain, MentionedKind, Type};
use std::collections::BTreeMap;

impl Apply<'_> {
    /// Types share their names with the row types of tables, views and the like.
    fn free_type(&mut self, name: &Name) -> Applied {
        self.need_schema(name)?;
        let shell =
            matches!(self.schema.types.get(name), Some(Type::Defined { definition: TypeDefinition::Shell, .. }));
        let row = self.schema.table(name).is_some() || self.schema.view(name).is_some();
        if row || (self.schema.types.contains_key(name) && !shell) {
            return Err(ApplyError::duplicate("type", &name.name));
        }
        self.schema.dropped_types.remove(name);
        Ok(())
    }

    pub(super) fn create_type(&mut self, name: &Name, definition: &TypeDefinition) -> Applied {
        let name = self.schema.place(name);
        self.free_type(&name)?;
        let definition = match definition {
            TypeDefinition::Composite { attributes } => {
                let mut resolved = Vec::new();
                for (attribute, data_type, collation) in attributes {
                    resolved.push((attribute.clone(), self.need_type(data_type)?, collation.clone()));
                }
                TypeDefinition::Composite { attributes: resolved }
            }
            TypeDefinition::Enum { values } => {
                if let Some((_, value)) = values.iter().enumerate().find(|(at, it)| values[..*at].contains(it)) {
                    return Err(ApplyError::new("23505", format!("enum label \"{value}\" used more than once")));
                }
                definition.clone()
            }
            other => other.clone(),
        };
        let text = type_definition_text(&definition);
        self.schema.types.insert(name.clone(), Type::Defined { new: true, definition });
        self.change(EffectKind::CreateType, Verb::Make, object(Space::Type, "type", name), text);
        Ok(())
    }

    /// The type that must be there; in the open world mentioning it lists it.
    fn need_listed_type(&mut self, name: &Name, kind: MentionedKind) -> Applied<Name> {
        if let Some(found) = self.schema.find_type(name) {
            return Ok(found);
        }
        let placed = self.schema.place(name);
        if !self.schema.type_may_exist(&placed) {
            return Err(ApplyError::new("42704", format!("type \"{}\" does not exist", plain(name))));
        }
        let listed = Type::Mentioned { kind: Some(kind), parts: BTreeMap::new() };
        self.schema.types.insert(placed.clone(), listed);
        Ok(placed)
    }

    pub(super) fn add_enum_value(
        &mut self,
        name: &Name,
        if_not_exists: bool,
        value: &str,
        place: Option<&(Placement, String)>,
    ) -> Applied {
        let found = self.need_listed_type(name, MentionedKind::Enum)?;
        let duplicate = || ApplyError::duplicate("enum label", value);
        let verb = if if_not_exists { Verb::Ensure } else { Verb::Make };
        match self.schema.types.get_mut(&found) {
            Some(Type::Defined { definition: TypeDefinition::Enum { values }, .. }) => {
                if values.iter().any(|known| known == value) {
                    if !if_not_exists {
                        return Err(duplicate());
                    }
                } else {
                    let at = match place {
                        None => values.len(),
                        Some((placement, neighbour)) => {
                            let at = values.iter().position(|known| known == neighbour).ok_or_else(|| {
                                ApplyError::new("22023", format!("\"{neighbour}\" is not an existing enum label"))
                            })?;
                            if *placement == Placement::After { at + 1 } else { at }
                        }
                    };
                    values.insert(at, value.to_owned());
                }
            }
            Some(Type::Mentioned { parts, .. }) => {
                if parts.get(value) == Some(&true) && !if_not_exists {
                    return Err(duplicate());
                }
                parts.insert(value.to_owned(), true);
            }
            _ => return Err(ApplyError::wrong_kind(&found, "an enum")),
        }
        let place = place.map_or_else(String::new, |(placement, neighbour)| {
            let word = if *placement == Placement::After { "AFTER" } else { "BEFORE" };
            format!("{word} {}", literal(neighbour))
        });
        self.change(EffectKind::AddEnumValue, verb, part(Space::EnumValue, "enum value", &found, value), place);
        Ok(())
    }

    pub(super) fn rename_enum_value(&mut self, name: &Name, from: &str, to: &str) -> Applied {
        let found = self.need_listed_type(name, MentionedKind::Enum)?;
        let missing = || ApplyError::new("22023", format!("\"{from}\" is not an existing enum label"));
        match self.schema.types.get_mut(&found) {
            Some(Type::Defined { definition: TypeDefinition::Enum { values }, .. }) => {
                if values.iter().any(|known| known == to) {
                    return Err(ApplyError::duplicate("enum label", to));
                }
                let value = values.iter_mut().find(|known| *known == from).ok_or_else(missing)?;
                to.clone_into(value);
            }
            Some(Type::Mentioned { parts, .. }) => {
                if parts.get(from) == Some(&false) {
                    return Err(missing());
                }
                if parts.get(to) == Some(&true) {
                    return Err(ApplyError::duplicate("enum label", to));
                }
                parts.insert(from.to_owned(), false);
                parts.insert(to.to_owned(), true);
            }
            _ => return Err(ApplyError::wrong_kind(&found, "an enum")),
        }
        let id = |value| part(Space::EnumValue, "enum value", &found, value);
        self.renamed(EffectKind::RenameEnumValue, id(from), id(to));
        Ok(())
    }

    pub(super) fn alter_composite(&mut self, name: &Name, actions: &[AttributeAction]) -> Applied {
        let found = self.need_listed_type(name, MentionedKind::Composite)?;
        for action in actions {
            let resolved = match action {
                AttributeAction::Add { data_type, .. } | AttributeAction::SetType { data_type, .. } => {
                    Some(self.need_type(data_type)?)
                }
                _ => None,
            };
            match self.schema.types.get_mut(&found) {
                Some(Type::Defined { definition: TypeDefinition::Composite { attributes }, .. }) => {
                    alter_attributes(attributes, action, resolved.as_ref(), &found)?;
                }
                Some(Type::Mentioned { parts, .. }) => mentioned_attribute(parts, action, &found)?,
                _ => return Err(ApplyError::wrong_kind(&found, "a composite type")),
            }
            let typed = self.schema.tables().filter(|(_, table)| table.of_type.as_ref() == Some(&found));
            let typed: Vec<Name> = typed.map(|(name, _)| name.clone()).collect();
            for table in typed {
                self.alter_typed_table(&table, action, resolved.as_ref())?;
            }
            let id = |name: &str| part(Space::Column, "attribute", &found, name);
            match (action, resolved) {
                (AttributeAction::Add { name, .. }, Some(data_type)) => {
                    self.change(EffectKind::ChangeType, Verb::Make, id(name), type_text(&data_type));
                }
                (AttributeAction::SetType { name, .. }, Some(data_type)) => {
                    self.change(EffectKind::ChangeType, Verb::Alter, id(name), type_text(&data_type));
                }
                (AttributeAction::Drop { name, if_exists, .. }, _) => {
                    let verb = if *if_exists { Verb::TakeIfThere } else { Verb::Take };
                    self.change(EffectKind::ChangeType, verb, id(name), "");
                }
                (AttributeAction::Rename { name, to, .. }, _) => {
                    self.renamed(EffectKind::ChangeType, id(name), id(to));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A typed table follows its type (ALTER TYPE … CASCADE; without CASCADE the server refuses).
    fn alter_typed_table(&mut self, table: &Name, action: &AttributeAction, resolved: Option<&TypeName>) -> Applied {
        let (AttributeAction::Add { cascade, .. }
        | AttributeAction::Drop { cascade, .. }
        | AttributeAction::SetType { cascade, .. }
        | AttributeAction::Rename { cascade, .. }) = action;
        if !cascade {
            return Err(ApplyError::new("2BP01", "cannot alter type because it is the type of a typed table"));
        }
        match action {
            AttributeAction::Add { name, collation, .. } => {
                let made = crate::sql::schema::Column {
                    data_type: resolved
                        .map_or(crate::sql::schema::Fact::Unknown, |it| crate::sql::schema::Fact::Known(it.clone())),
                    collation: crate::sql::schema::Fact::Known(collation.clone()),
                    ..crate::sql::schema::Column::fresh(name)
                };
                self.table_mut(table)?.columns.push(made);
                Ok(())
            }
            AttributeAction::Drop { name, .. } => self.remove_column(table, name, true, Verb::Take),
            AttributeAction::SetType { name, .. } => {
                if let Some(resolved) = resolved {
                    self.need_column(table, name)?.data_type = crate::sql::schema::Fact::Known(resolved.clone());
                }
                Ok(())
            }
            AttributeAction::Rename { name, to, .. } => self.rename_column(table, name, to, false),
        }
    }

    pub(super) fn create_domain(&mut self, create: &CreateDomain) -> Applied {
        let name = self.schema.place(&create.name);
        self.free_type(&name)?;
        let base = self.need_type(&create.data_type)?;
        let mut checks = BTreeMap::new();
        for (given, expression) in &create.checks {
            let check = check_name(&name, given.as_deref(), &checks);
            checks.insert(check, (expression.clone(), true));
        }
        let domain = Domain {
            new: true,
            base,
            collation: create.collation.clone(),
            default: create.default.clone(),
            not_null: create.not_null,
            checks,
        };
        let text = domain_text(&domain);
        self.schema.types.insert(name.clone(), Type::Domain(domain));
        self.change(EffectKind::CreateDomain, Verb::Make, object(Space::Type, "domain", name), text);
        Ok(())
    }

    pub(super) fn alter_domain(&mut self, name: &Name, action: &DomainAction) -> Applied {
        let found = self.need_listed_type(name, MentionedKind::Domain)?;
        let constraint = |name: &str| part(Space::Constraint, "domain constraint", &found, name);
        let (text, id, verb, to) = match action {
            DomainAction::SetDefault(expression) => {
                (format!("DEFAULT {}", expression.text), self.schema.type_id(&found), Verb::Alter, None)
            }
            DomainAction::DropDefault => ("DROP DEFAULT".to_owned(), self.schema.type_id(&found), Verb::Alter, None),
            DomainAction::SetNotNull | DomainAction::AddNotNull { .. } => {
                ("NOT NULL".to_owned(), self.schema.type_id(&found), Verb::Alter, None)
            }
            DomainAction::DropNotNull => ("DROP NOT NULL".to_owned(), self.schema.type_id(&found), Verb::Alter, None),
            DomainAction::AddCheck { name, expression, not_valid } => {
                let name = match self.schema.types.get(&found) {
                    Some(Type::Domain(domain)) => check_name(&found, name.as_deref(), &domain.checks),
                    _ => check_name(&found, name.as_deref(), &BTreeMap::<String, bool>::new()),
                };
                let tail = if *not_valid { " NOT VALID" } else { "" };
                (format!("CHECK ({}){tail}", expression.text), constraint(&name), Verb::Make, None)
            }
            DomainAction::DropConstraint { name, if_exists, .. } => {
                let verb = if *if_exists { Verb::TakeIfThere } else { Verb::Take };
                (String::new(), constraint(name), verb, None)
            }
            DomainAction::RenameConstraint { name, to } => {
                (String::new(), constraint(name), Verb::Rename, Some(constraint(to)))
            }
            DomainAction::ValidateConstraint { name } => (String::new(), constraint(name), Verb::Alter, None),
        };
        match self.schema.types.get_mut(&found) {
            Some(Type::Domain(domain)) => alter_listed_domain(domain, action, &found, &id.name.name)?,
            Some(Type::Mentioned { parts, .. }) => mentioned_domain(parts, action, &found, &id.name.name)?,
            _ => return Err(ApplyError::wrong_kind(&found, "a domain")),
        }
        let kind = EffectKind::ChangeDomain;
        match to {
            Some(to) => self.renamed(kind, id, to),
            None => self.change(kind, verb, id, text),
        }
        Ok(())
    }
}

fn alter_attributes(
    attributes: &mut Vec<(String, TypeName, Option<Name>)>,
    action: &AttributeAction,
    resolved: Option<&TypeName>,
    of: &Name,
) -> Applied {
    let position = |name: &str| attributes.iter().position(|(known, ..)| known == name);
    match (action, resolved) {
        (AttributeAction::Add { name, collation, .. }, Some(data_type)) => {
            if position(name).is_some() {
                return Err(ApplyError::column_exists(name, of));
            }
            attributes.push((name.clone(), data_type.clone(), collation.clone()));
        }
        (AttributeAction::SetType { name, collation, .. }, Some(data_type)) => {
            let at = position(name).ok_or_else(|| ApplyError::no_column(name, of))?;
            attributes[at] = (name.clone(), data_type.clone(), collation.clone());
        }
        (AttributeAction::Drop { name, if_exists, .. }, _) => match position(name) {
            Some(at) => {
                attributes.remove(at);
            }
            None if *if_exists => {}
            None => return Err(ApplyError::no_column(name, of)),
        },
        (AttributeAction::Rename { name, to, .. }, _) => {
            let at =
                position(name).ok_or_else(|| ApplyError::new("42703", format!("column \"{name}\" does not exist")))?;
            if position(to).is_some() {
                return Err(ApplyError::column_exists(to, of));
            }
            attributes[at].0.clone_from(to);
        }
        (AttributeAction::Add { .. } | AttributeAction::SetType { .. }, None) => {}
    }
    Ok(())
}

fn mentioned_attribute(parts: &mut BTreeMap<String, bool>, action: &AttributeAction, of: &Name) -> Applied {
    match action {
        AttributeAction::Add { name, .. } => {
            if parts.insert(name.clone(), true) == Some(true) {
                return Err(ApplyError::column_exists(name, of));
            }
        }
        AttributeAction::Drop { name, if_exists, .. } => {
            if parts.insert(name.clone(), false) == Some(false) && !if_exists {
                return Err(ApplyError::no_column(name, of));
            }
        }
        AttributeAction::SetType { name, .. } => {
            if parts.insert(name.clone(), true) == Some(false) {
                return Err(ApplyError::no_column(name, of));
            }
        }
        AttributeAction::Rename { name, to, .. } => {
            if parts.insert(name.clone(), false) == Some(false) {
                return Err(ApplyError::no_column(name, of));
            }
            if parts.insert(to.clone(), true) == Some(true) {
                return Err(ApplyError::column_exists(to, of));
            }
        }
    }
    Ok(())
}

fn alter_listed_domain(domain: &mut Domain, action: &DomainAction, of: &Name, name: &str) -> Applied {
    let exists =
        |name: &str| ApplyError::new("42710", format!("constraint \"{name}\" for domain {} already exists", plain(of)));
    match action {
        DomainAction::SetDefault(expression) => domain.default = Some(expression.clone()),
        DomainAction::DropDefault => domain.default = None,
        DomainAction::SetNotNull | DomainAction::AddNotNull { .. } => domain.not_null = true,
        DomainAction::DropNotNull => domain.not_null = false,
        DomainAction::AddCheck { expression, not_valid, .. } => {
            if domain.checks.contains_key(name) {
                return Err(exists(name));
            }
            domain.checks.insert(name.to_owned(), (expression.clone(), !not_valid));
        }
        DomainAction::DropConstraint { if_exists, .. } => {
            // A NOT NULL constraint of a domain is only catalogued by name from 17 on: its name is not followed.
            let of_not_null = domain.not_null && name.contains("not_null");
            if domain.checks.remove(name).is_none() && !if_exists && !of_not_null {
                return Err(no_domain_constraint(name, of));
            }
        }
        DomainAction::RenameConstraint { to, .. } => {
            if domain.checks.contains_key(to) {
                return Err(exists(to));
            }
            match domain.checks.remove(name) {
                Some(check) => {
                    domain.checks.insert(to.clone(), check);
                }
                None if domain.not_null && name.contains("not_null") => {}
                None => return Err(no_domain_constraint(name, of)),
            }
        }
        DomainAction::ValidateConstraint { .. } => match domain.checks.get_mut(name) {
            Some(check) => check.1 = true,
            None => return Err(no_domain_constraint(name, of)),
        },
    }
    Ok(())
}

fn mentioned_domain(parts: &mut BTreeMap<String, bool>, action: &DomainAction, of: &Name, name: &str) -> Applied {
    match action {
        DomainAction::AddCheck { .. } => {
            if parts.insert(name.to_owned(), true) == Some(true) {
                return Err(ApplyError::new(
                    "42710",
                    format!("constraint \"{name}\" for domain {} already exists", plain(of)),
                ));
            }
        }
        DomainAction::DropConstraint { if_exists, .. } => {
            if parts.insert(name.to_owned(), false) == Some(false) && !if_exists {
                return Err(no_domain_constraint(name, of));
            }
        }
        DomainAction::RenameConstraint { to, .. } => {
            if parts.insert(name.to_owned(), false) == Some(false) {
                return Err(no_domain_constraint(name, of));
            }
            parts.insert(to.clone(), true);
        }
        DomainAction::ValidateConstraint { .. } => {
            if parts.get(name) == Some(&false) {
                return Err(no_domain_constraint(name, of));
            }
        }
        DomainAction::SetDefault(_)
        | DomainAction::DropDefault
        | DomainAction::SetNotNull
        | DomainAction::AddNotNull { .. }
        | DomainAction::DropNotNull => {}
    }
    Ok(())
}

fn no_domain_constraint(name: &str, of: &Name) -> ApplyError {
    ApplyError::new("42704", format!("constraint \"{name}\" of domain \"{}\" does not exist", plain(of)))
}

/// The name of a domain's check: `d_check`, then numbered.
fn check_name<T>(domain: &Name, given: Option<&str>, taken: &BTreeMap<String, T>) -> String {
    if let Some(given) = given {
        return given.to_owned();
    }
    let mut name = object_name(&domain.name, None, Some("check"));
    let mut pass = 0;
    while taken.contains_key(&name) {
        pass += 1;
        name = object_name(&domain.name, None, Some(&format!("check{pass}")));
    }
    name
}
