//! Schemas, extensions, statistics, publications, comments, and every kind of object that has nothing but a definition.

use super::Apply;
use super::change::{column, constraint, object, part, routine};
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ObjectId;
use crate::sql::ast::{ObjectKind, OtherVerb, PublicationAction, PublicationScope, Statement, Target, TypeName};
use crate::sql::name::Name;
use crate::sql::outside::{enclosed, pieces};
use crate::sql::parse::parse_type;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::naming::columns_part;
use crate::sql::schema::parameters;
use crate::sql::schema::text::literal;
use crate::sql::schema::{ApplyError, Fact, Relation, Type, World};

/// The statement that makes an object: what it replaces is no part of what it is.
pub(super) fn made(text: &str) -> String {
    const REPLACE: &str = "create or replace ";
    match text.get(..REPLACE.len()) {
        Some(start) if start.eq_ignore_ascii_case(REPLACE) => format!("create {}", &text[REPLACE.len()..]),
        _ => text.to_owned(),
    }
}

/// The object's key in `Schema::others`.
pub(super) fn key(id: &ObjectId) -> String {
    match &id.owner {
        Some(owner) if id.space != Space::Relation => format!("{} {owner}.{}", id.noun, id.name),
        _ => format!("{} {}", id.noun, id.name),
    }
}

/// How an event trigger is switched, as far as the text is about that.
fn event_trigger_state(text: &str) -> Option<&'static str> {
    [
        (" disable", "DISABLE"),
        (" enable", "ENABLE"),
        (" enable always", "ENABLE ALWAYS"),
        (" enable replica", "ENABLE REPLICA"),
    ]
    .into_iter()
    .find_map(|(tail, state)| text.ends_with(tail).then_some(state))
}

/// The types that an operator is between, from the list that makes it; `None` where they cannot be read.
fn operands(text: &str) -> Option<Vec<TypeName>> {
    let list = text.find('(').and_then(|at| enclosed(&text[at..]))?;
    let items = parameters::items(list);
    let sides = ["leftarg", "rightarg"].into_iter().filter_map(|side| items.get(side));
    sides.map(|side| parse_type(side).ok()).collect()
}

/// The identity of an object that is only named.
pub(super) fn target_id(kind: ObjectKind, target: &Target) -> ObjectId {
    let noun = noun(kind);
    match &target.on {
        Some(on) => part(Space::Other, noun, on, &target.name.name),
        None => match &target.args {
            Some(args) => ObjectId { space: Space::Other, ..routine(noun, &target.name, Some(args)) },
            None if kind == ObjectKind::Role => object(Space::Role, noun, target.name.clone()),
            None => object(Space::Other, noun, target.name.clone()),
        },
    }
}

/// The kind in lower case, as [`ObjectId::noun`] wants it.
fn noun(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::AccessMethod => "access method",
        ObjectKind::Aggregate => "aggregate",
        ObjectKind::Cast => "cast",
        ObjectKind::Collation => "collation",
        ObjectKind::Conversion => "conversion",
        ObjectKind::Database => "database",
        ObjectKind::EventTrigger => "event trigger",
        ObjectKind::ForeignDataWrapper => "foreign-data wrapper",
        ObjectKind::Language => "language",
        ObjectKind::LargeObject => "large object",
        ObjectKind::Operator => "operator",
        ObjectKind::OperatorClass => "operator class",
        ObjectKind::OperatorFamily => "operator family",
        ObjectKind::Parameter => "parameter",
        ObjectKind::Role => "role",
        ObjectKind::Server => "server",
        ObjectKind::Subscription => "subscription",
        ObjectKind::System => "system",
        ObjectKind::Tablespace => "tablespace",
        ObjectKind::TextSearchConfiguration => "text search configuration",
        ObjectKind::TextSearchDictionary => "text search dictionary",
        ObjectKind::TextSearchParser => "text search parser",
        ObjectKind::TextSearchTemplate => "text search template",
        ObjectKind::Transform => "transform",
        ObjectKind::UserMapping => "user mapping",
        _ => "object",
    }
}

/// Kinds and columns are sets; all kinds is what none says (`CreateStatistics` in `statscmds.c`).
fn statistics_text(text: &str) -> String {
    let (kinds, rest) = match enclosed(text).filter(|_| text.starts_with('(')) {
        Some(kinds) => (kinds, text[kinds.len() + 2..].trim_start()),
        None => ("", text),
    };
    let mut kinds = pieces(kinds);
    kinds.sort_unstable();
    let kinds = if kinds == ["dependencies", "mcv", "ndistinct"] { Vec::new() } else { kinds };
    let kinds = if kinds.is_empty() { String::new() } else { format!("({}) ", kinds.join(", ")) };
    match rest.strip_prefix("on ").and_then(|rest| rest.rsplit_once(" from ")) {
        // Columns are kept in one order and before the expressions, which stay in theirs (`CreateStatistics`).
        Some((items, table)) => {
            let (mut columns, expressions): (Vec<&str>, Vec<&str>) =
                pieces(items).into_iter().partition(|item| !item.contains('('));
            columns.sort_unstable();
            let bare = |item: &str| match enclosed(item)
                .filter(|inner| item.starts_with('(') && inner.len() + 2 == item.len())
            {
                Some(inner) => inner.to_owned(),
                None => item.to_owned(),
            };
            let items: Vec<String> =
                columns.into_iter().map(str::to_owned).chain(expressions.into_iter().map(bare)).collect();
            format!("{kinds}on {} from {table}", items.join(", "))
        }
        _ => format!("{kinds}{rest}"),
    }
}

impl Apply<'_> {
    pub(super) fn create_schema(
        &mut self,
        name: Option<&str>,
        if_not_exists: bool,
        authorization: Option<&str>,
        elements: &[Statement],
    ) -> Applied {
        let Some(name) = name.or(authorization) else {
            return Err(ApplyError::new("42601", "CREATE SCHEMA needs a name"));
        };
        let verb = if if_not_exists { Verb::Ensure } else { Verb::Make };
        if name.starts_with("pg_") {
            return Err(ApplyError::new("42939", format!("unacceptable schema name \"{name}\"")));
        }
        if !self.schema.schemas.insert(name.to_owned()) && !if_not_exists {
            return Err(ApplyError::new("42P06", format!("schema \"{name}\" already exists")));
        }
        let owner = authorization.map(|role| format!("AUTHORIZATION {role}")).unwrap_or_default();
        let id = object(Space::Schema, "schema", Name::bare(name));
        if let Some(role) = authorization {
            self.record_owner(&id, role);
        }
        self.change(EffectKind::CreateSchema, verb, id, owner);
        let path = self.schema.search_path.clone();
        self.schema.search_path.insert(0, name.to_owned());
        for element in elements {
            self.stmt(&element.stmt)?;
        }
        self.schema.search_path = path;
        Ok(())
    }

    pub(super) fn create_extension(
        &mut self,
        name: &str,
        if_not_exists: bool,
        schema: Option<&str>,
        version: Option<&str>,
    ) -> Applied {
        let verb = if if_not_exists { Verb::Ensure } else { Verb::Make };
        let there = self.has_extension(name);
        if there && !if_not_exists {
            return Err(ApplyError::duplicate("extension", name));
        }
        if let Some(schema) = schema
            && self.closed()
            && !self.schema.schemas.contains(schema)
        {
            return Err(ApplyError::no_schema(schema));
        }
        if !there {
            // Without a schema it goes where new objects go, but for those that say where in their control file.
            let unsaid = || match name {
                "plpgsql" | "adminpack" | "pg_cron" => Some("pg_catalog".to_owned()),
                _ => self.schema.search_path.first().cloned(),
            };
            let placed = schema.map(str::to_owned).or_else(|| if self.closed() { unsaid() } else { None });
            self.schema.extensions.insert(name.to_owned(), placed);
            // Its control file gives it a comment; of the others' nothing is known before either.
            if name == "plpgsql" && self.closed() {
                let comment = "PL/pgSQL procedural language".to_owned();
                self.schema.others.insert("comment on extension plpgsql".to_owned(), comment);
            }
        }
        let text = version.map(|version| format!("VERSION {version}")).unwrap_or_default();
        self.change(EffectKind::CreateExtension, verb, object(Space::Extension, "extension", Name::bare(name)), text);
        Ok(())
    }

    /// Every database has plpgsql from the start, until it is dropped.
    pub(super) fn has_extension(&self, name: &str) -> bool {
        self.schema.extensions.contains_key(name) || (name == "plpgsql" && !self.closed())
    }

    pub(super) fn alter_extension(&mut self, name: &str, text: &str, set_schema: Option<&str>) -> Applied {
        if self.closed() && !self.has_extension(name) {
            return Err(ApplyError::undefined("extension", &Name::bare(name)));
        }
        if let Some(schema) = set_schema {
            self.schema.extensions.insert(name.to_owned(), Some(schema.to_owned()));
        }
        let id = object(Space::Extension, "extension", Name::bare(name));
        self.change(EffectKind::ChangeExtension, Verb::Alter, id, text);
        Ok(())
    }

    pub(super) fn create_statistics(
        &mut self,
        name: Option<&Name>,
        if_not_exists: bool,
        table: &Name,
        text: &str,
    ) -> Applied {
        let verb = if if_not_exists { Verb::Ensure } else { Verb::Make };
        let table = match self.schema.find_relation(table) {
            Some(found) => found,
            None => self.need_table(table)?,
        };
        let name = match name {
            Some(name) => self.schema.place(name),
            None => self.statistics_name(&table, text),
        };
        let id = object(Space::Statistics, "statistics object", name.clone());
        match self.schema.statistics.contains_key(&name) {
            true if !if_not_exists => return Err(ApplyError::duplicate("statistics object", &name.name)),
            true => {}
            false => {
                self.schema.statistics.insert(name, (table, statistics_text(text)));
            }
        }
        self.change(EffectKind::CreateStatistics, verb, id, text);
        Ok(())
    }

    /// `t_a_b_stat` (`ChooseExtendedStatisticName`), from the columns between ON and FROM.
    pub(super) fn statistics_name(&self, table: &Name, text: &str) -> Name {
        let lower = text.to_ascii_lowercase();
        let from = lower.find("on ").map_or(0, |at| at + 3);
        let to = lower.rfind(" from ").unwrap_or(lower.len());
        let columns: Vec<&str> = text
            .get(from..to)
            .unwrap_or_default()
            .split(',')
            .map(|column| {
                let column = column.trim();
                if column.contains('(') { "expr" } else { column.trim_matches('"') }
            })
            .collect();
        let part = columns_part(columns);
        let schema = table.schema.clone().unwrap_or_else(|| "public".to_owned());
        let mut pass = 0;
        loop {
            let label = if pass == 0 { "stat".to_owned() } else { format!("stat{pass}") };
            let own = crate::sql::schema::naming::object_name(&table.name, Some(&part), Some(&label));
            let name = Name::qualified(&schema, own);
            if !self.schema.statistics.contains_key(&name) {
                return name;
            }
            pass += 1;
        }
    }

    pub(super) fn alter_statistics(&mut self, name: &Name, text: &str) -> Applied {
        let found = self.schema.candidates(name).find(|it| self.schema.statistics.contains_key(it));
        if found.is_none() && self.closed() {
            return Err(ApplyError::undefined("statistics object", name));
        }
        let found = found.unwrap_or_else(|| self.schema.place(name));
        let id = object(Space::Statistics, "statistics object", found);
        let entry = format!("statistics target on {}", key(&id));
        match text.rsplit(' ').next().unwrap_or_default() {
            "-1" | "default" => self.schema.others.remove(&entry),
            target => self.schema.others.insert(entry, target.to_owned()),
        };
        self.change(EffectKind::ChangeStatistics, Verb::Alter, id, text);
        Ok(())
    }

    pub(super) fn create_publication(&mut self, name: &str, scope: &PublicationScope, text: &str) -> Applied {
        if self.schema.publications.contains_key(name) {
            return Err(ApplyError::duplicate("publication", name));
        }
        let scope = self.resolve_scope(scope)?;
        self.schema.publications.insert(name.to_owned(), scope);
        let id = object(Space::Publication, "publication", Name::bare(name));
        self.change(EffectKind::CreatePublication, Verb::Make, id, text);
        Ok(())
    }

    fn resolve_scope(&mut self, scope: &PublicationScope) -> Applied<PublicationScope> {
        let mut resolved = PublicationScope { tables: Vec::new(), ..scope.clone() };
        for (table, only, columns, filter) in &scope.tables {
            let found = self.schema.find_relation(table);
            let plain = found.as_ref().and_then(|found| self.schema.table(found)).map(|table| &table.foreign);
            let other = match (&found, plain) {
                (Some(found), None) => self.schema.relations.contains_key(found),
                (_, Some(foreign)) => *foreign == Fact::Known(true),
                (None, None) => false,
            };
            if other {
                return Err(ApplyError::new("22023", format!("cannot add relation \"{}\" to publication", table.name)));
            }
            let table = self.need_table(table)?;
            resolved.tables.push((table, *only, columns.clone(), filter.clone()));
        }
        Ok(resolved)
    }

    pub(super) fn alter_publication(
        &mut self,
        name: &str,
        action: PublicationAction,
        scope: &PublicationScope,
        text: &str,
    ) -> Applied {
        if self.closed() && !self.schema.publications.contains_key(name) {
            return Err(ApplyError::undefined("publication", &Name::bare(name)));
        }
        let given = self.resolve_scope(scope)?;
        if let Some(listed) = self.schema.publications.get_mut(name) {
            let named = |table: &Name| given.tables.iter().any(|(other, ..)| other == table);
            if listed.all_tables && action != PublicationAction::Options {
                return Err(ApplyError::new("55000", format!("publication \"{name}\" is defined as FOR ALL TABLES")));
            }
            match action {
                PublicationAction::Add => {
                    if let Some((table, ..)) = listed.tables.iter().find(|(table, ..)| named(table)) {
                        return Err(ApplyError::new(
                            "42710",
                            format!("relation \"{}\" is already member of publication \"{name}\"", table.name),
                        ));
                    }
                    listed.tables.extend(given.tables);
                    listed.schemas.extend(given.schemas);
                }
                PublicationAction::Set => {
                    listed.tables = given.tables;
                    listed.schemas = given.schemas;
                }
                PublicationAction::Drop => {
                    let member = |table: &Name| listed.tables.iter().any(|(other, ..)| other == table);
                    if let Some((table, ..)) = given.tables.iter().find(|(table, ..)| !member(table)) {
                        return Err(ApplyError::new(
                            "42704",
                            format!("relation \"{}\" is not part of the publication", plain(table)),
                        ));
                    }
                    if given.schemas.iter().flatten().any(|schema| !listed.schemas.contains(&Some(schema.clone()))) {
                        return Err(ApplyError::new("42704", "tables from the schema are not part of the publication"));
                    }
                    listed.tables.retain(|(table, ..)| !named(table));
                    listed.schemas.retain(|schema| !given.schemas.contains(schema));
                }
                PublicationAction::Options => {
                    let mut with = parameters::booleans(parameters::read(listed.with.as_deref().unwrap_or_default()));
                    with.extend(parameters::booleans(parameters::read(given.with.as_deref().unwrap_or_default())));
                    listed.with = Some(parameters::written(&with)).filter(|with| !with.is_empty());
                }
            }
        }
        let id = object(Space::Publication, "publication", Name::bare(name));
        self.change(EffectKind::ChangePublication, Verb::Alter, id, text);
        Ok(())
    }

    pub(super) fn create_other(&mut self, noun: &'static str, name: &str, text: &str) -> Applied {
        let id = object(Space::Other, noun, Name::bare(name));
        if self.schema.others.insert(key(&id), parameters::definition(text)).is_some() {
            return Err(ApplyError::duplicate(noun, name));
        }
        self.change(EffectKind::CreateObject, Verb::Make, id, text);
        Ok(())
    }

    pub(super) fn alter_other(&mut self, noun: &'static str, name: &str, text: &str) -> Applied {
        let id = object(Space::Other, noun, Name::bare(name));
        let state = (noun == "event trigger").then(|| event_trigger_state(text)).flatten();
        match self.schema.others.get_mut(&key(&id)) {
            Some(_) if let Some(state) = state => {
                let entry = format!("state on {}", key(&id));
                match state {
                    "ENABLE" => self.schema.others.remove(&entry),
                    _ => self.schema.others.insert(entry, state.to_owned()),
                };
            }
            Some(definition) => {
                definition.push_str("; ");
                definition.push_str(text);
            }
            None if self.schema.world == World::Closed => return Err(ApplyError::undefined(noun, &id.name)),
            None => {}
        }
        self.change(EffectKind::ChangeObject, Verb::Alter, id, text);
        Ok(())
    }

    pub(super) fn other(&mut self, verb: OtherVerb, target: &Target, text: &str) -> Applied {
        let mut id = target_id(target.kind, target);
        if let (OtherVerb::Create, ObjectKind::Operator, Some(args)) = (verb, target.kind, operands(text)) {
            id = ObjectId { space: Space::Other, ..routine(id.noun, &target.name, Some(&args)) };
        }
        let key = key(&id);
        match verb {
            OtherVerb::Create => {
                let lower = text.to_ascii_lowercase();
                let unless_there = lower.contains("if not exists");
                let ensured = unless_there || lower.starts_with("create or replace");
                let there = self.schema.others.contains_key(&key);
                if there && !ensured {
                    return Err(ApplyError::duplicate(id.noun, &target.name.name));
                }
                if there && unless_there {
                    self.change(EffectKind::CreateObject, Verb::Ensure, id, text);
                    return Ok(());
                }
                let text = &made(text);
                let family = (target.kind == ObjectKind::OperatorClass)
                    .then(|| ObjectId { noun: "operator family", ..id.clone() });
                if let Some(family) = family.filter(|_| self.closed()) {
                    // A class without one makes a family of its name (`DefineOpClass` in `opclasscmds.c`).
                    let family_key = self::key(&family);
                    if !text.contains(" family ") && !self.schema.others.contains_key(&family_key) {
                        self.schema.others.insert(family_key, String::new());
                    }
                }
                let own_family = format!(" family {}", target.name.name);
                self.schema.others.insert(key, parameters::definition(&text.replacen(&own_family, "", 1)));
                let verb = if ensured { Verb::Ensure } else { Verb::Make };
                self.change(EffectKind::CreateObject, verb, id, text);
            }
            OtherVerb::Alter => {
                if let Some(definition) = self.schema.others.get_mut(&key) {
                    match parameters::altered(definition, text) {
                        Some(altered) => *definition = altered,
                        None if text.ends_with(" refresh version") => {}
                        None => {
                            definition.push_str("; ");
                            definition.push_str(text);
                        }
                    }
                }
                self.change(EffectKind::ChangeObject, Verb::Alter, id, text);
            }
        }
        Ok(())
    }

    pub(super) fn depends_on_extension(&mut self, target: &Target, no: bool, extension: &str) -> Applied {
        let id = self.found(target)?;
        let entry = format!("dependency on {}", key(&id));
        if no {
            self.schema.others.remove(&entry);
        } else {
            self.schema.others.insert(entry, extension.to_owned());
        }
        let word = if no { "NO " } else { "" };
        self.change(EffectKind::ChangeObject, Verb::Alter, id, format!("{word}DEPENDS ON EXTENSION {extension}"));
        Ok(())
    }

    pub(super) fn comment(&mut self, target: &Target, text: Option<&str>) -> Applied {
        // GRANT … ON TABLE means any relation; COMMENT ON says its kind.
        if matches!(
            target.kind,
            ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Sequence
                | ObjectKind::Index
                | ObjectKind::ForeignTable
        ) {
            self.need_relation(&target.name, target.kind)?;
        }
        let id = self.found(target)?;
        let entry = format!("comment on {}", key(&id));
        // The empty comment is none (`CreateComments` in `comment.c`).
        match text.filter(|text| !text.is_empty()) {
            Some(text) => self.schema.others.insert(entry, text.to_owned()),
            None => self.schema.others.remove(&entry),
        };
        let text = text.map_or_else(|| "NULL".to_owned(), literal);
        self.change(EffectKind::SetComment, Verb::Alter, id, text);
        Ok(())
    }

    pub(super) fn security_label(&mut self, target: &Target, text: &str) -> Applied {
        let id = self.found(target)?;
        self.schema.others.insert(format!("security label on {}", key(&id)), text.to_owned());
        self.change(EffectKind::ChangeObject, Verb::Alter, id, text);
        Ok(())
    }

    /// The object that COMMENT, GRANT … name: it must be there where the schema can know.
    pub(super) fn found(&mut self, target: &Target) -> Applied<ObjectId> {
        let name = &target.name;
        Ok(match target.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence
            | ObjectKind::Index => {
                // GRANT … ON TABLE means relations of every kind.
                let found = match self.schema.find_relation(name) {
                    Some(found) => found,
                    None => self.need_relation(name, target.kind)?,
                };
                self.schema.relation_id(&found)
            }
            ObjectKind::Column => {
                let on = target.on.clone().unwrap_or_else(|| name.clone());
                let owner = match (self.schema.find_relation(&on), self.schema.find_composite(&on)) {
                    (Some(found), _) => found,
                    (None, Some(composite)) => return Ok(column(&composite, &name.name)),
                    (None, None) => self.need_table(&on)?,
                };
                if matches!(self.schema.relations.get(&owner), Some(Relation::Table(_))) {
                    self.need_column(&owner, &name.name)?;
                }
                column(&owner, &name.name)
            }
            ObjectKind::Constraint => {
                let on = target.on.clone().unwrap_or_else(|| name.clone());
                let owner = self.need_table(&on)?;
                let listed = self.table(&owner)?;
                if listed.complete && !listed.constraints.contains_key(&name.name) {
                    return Err(ApplyError::new(
                        "42704",
                        format!("constraint \"{}\" for table \"{}\" does not exist", name.name, owner.name),
                    ));
                }
                constraint(&owner, &name.name)
            }
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                let on = target.on.clone().unwrap_or_else(|| name.clone());
                let owner = self.triggered(&on, false)?.ok_or_else(|| ApplyError::no_relation(&on))?;
                let (space, noun) = match target.kind {
                    ObjectKind::Trigger => (Space::Trigger, "trigger"),
                    ObjectKind::Policy => (Space::Policy, "policy"),
                    _ => (Space::Rule, "rule"),
                };
                if let Some(table) = self.schema.table(&owner).filter(|table| table.complete) {
                    let there = match target.kind {
                        ObjectKind::Trigger => table.triggers.contains_key(&name.name),
                        ObjectKind::Policy => table.policies.contains_key(&name.name),
                        _ => table.rules.contains_key(&name.name),
                    };
                    if !there {
                        return Err(ApplyError::undefined(noun, &Name::bare(&name.name)));
                    }
                }
                part(space, noun, &owner, &name.name)
            }
            ObjectKind::Type | ObjectKind::Domain => {
                if let Some(found) = self.schema.find_type(name) {
                    let other = matches!(self.schema.types.get(&found), Some(Type::Defined { .. }));
                    if target.kind == ObjectKind::Domain && other {
                        return Err(ApplyError::new("42809", format!("\"{}\" is not a domain", name.name)));
                    }
                    self.schema.type_id(&found)
                } else {
                    let placed = self.schema.place(name);
                    if self.schema.dropped_types.contains(&placed) {
                        return Err(ApplyError::undefined("type", name));
                    }
                    object(Space::Type, "type", placed)
                }
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                let given =
                    crate::sql::ast::Routine { kind: target.kind, name: name.clone(), args: target.args.clone() };
                let (name, at) = self.need_routine(&given)?;
                let listed = self.schema.functions.get(&name).and_then(|overloads| overloads.get(at));
                let args = listed.and_then(|listed| listed.routine.args.clone());
                routine(super::functions::noun(target.kind), &name, args.as_deref())
            }
            ObjectKind::Schema => {
                if self.closed() && !self.schema.schemas.contains(&name.name) {
                    return Err(ApplyError::no_schema(&name.name));
                }
                object(Space::Schema, "schema", name.clone())
            }
            ObjectKind::Extension => {
                if self.closed() && !self.has_extension(&name.name) {
                    return Err(ApplyError::undefined("extension", name));
                }
                object(Space::Extension, "extension", name.clone())
            }
            ObjectKind::Publication => object(Space::Publication, "publication", name.clone()),
            ObjectKind::Statistics => {
                let found = self.schema.candidates(name).find(|it| self.schema.statistics.contains_key(it));
                if found.is_none() && self.closed() {
                    return Err(ApplyError::undefined("statistics object", name));
                }
                object(Space::Statistics, "statistics object", found.unwrap_or_else(|| self.schema.place(name)))
            }
            ObjectKind::DomainConstraint => {
                let on = target.on.clone().unwrap_or_else(|| name.clone());
                let owner = self.schema.find_type(&on).unwrap_or_else(|| self.schema.place(&on));
                part(Space::Constraint, "domain constraint", &owner, &name.name)
            }
            kind => target_id(kind, target),
        })
    }
}
