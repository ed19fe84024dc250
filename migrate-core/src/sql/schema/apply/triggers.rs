//! Triggers, rules and policies: parts of a table (or view) under names of their own there.

use super::Apply;
use super::change::part;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ast::{CreatePolicy, CreateTrigger, TriggerMode};
use crate::sql::name::Name;
use crate::sql::outside::{outside, pieces};
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::{ApplyError, Fact, Policy, Relation, Trigger};
use std::collections::BTreeSet;

impl Apply<'_> {
    /// The relation that has triggers, rules or policies: a table, or a view. `None`: not there, and IF EXISTS was said.
    pub(super) fn triggered(&mut self, name: &Name, if_exists: bool) -> Applied<Option<Name>> {
        match self.schema.find_relation(name) {
            Some(found) => match self.schema.relations.get(&found) {
                Some(Relation::Sequence(_) | Relation::Index(_)) => {
                    Err(ApplyError::new("42809", format!("relation \"{}\" cannot have triggers", found.name)))
                }
                _ => Ok(Some(found)),
            },
            None => self.relation_as(name, crate::sql::ast::ObjectKind::Table, if_exists),
        }
    }

    fn need_triggered(&mut self, name: &Name) -> Applied<Name> {
        self.triggered(name, false)?.ok_or_else(|| ApplyError::no_relation(name))
    }

    pub(super) fn create_trigger(&mut self, create: &CreateTrigger) -> Applied {
        let owner = self.need_triggered(&create.table)?;
        let function = self.schema.find_functions(&create.function);
        if function.is_none() && self.closed() && !builtin_trigger_function(&create.function) {
            return Err(ApplyError::new("42883", format!("function {}() does not exist", plain(&create.function))));
        }
        let function = function.unwrap_or_else(|| self.schema.place(&create.function));
        let id = part(Space::Trigger, "trigger", &owner, &create.name);
        let made = Trigger {
            definition: Fact::Known(create.definition.clone()),
            function: Fact::Known(function),
            row: create.for_each_row,
            mode: Some(TriggerMode::Origin),
        };
        let mut verb = if create.or_replace { Verb::Ensure } else { Verb::Make };
        let mut kind = EffectKind::CreateTrigger;
        if let Some(Relation::Table(table)) = self.schema.relations.get_mut(&owner) {
            if table.triggers.contains_key(&create.name) {
                if !create.or_replace {
                    return Err(ApplyError::new(
                        "42710",
                        format!("trigger \"{}\" for relation \"{}\" already exists", create.name, owner.name),
                    ));
                }
                (kind, verb) = (EffectKind::ChangeTrigger, Verb::Alter);
            }
            table.triggers.insert(create.name.clone(), made.clone());
            if create.for_each_row {
                let partitioned = matches!(table.partition_by, Fact::Known(Some(_)));
                let below = if partitioned { self.schema.descendants_of(&owner) } else { Vec::new() };
                for child in below {
                    self.table_mut(&child)?.triggers.insert(create.name.clone(), made.clone());
                }
            }
        } else {
            let key = super::others::key(&id);
            if self.schema.others.contains_key(&key) && !create.or_replace {
                return Err(ApplyError::new(
                    "42710",
                    format!("trigger \"{}\" for relation \"{}\" already exists", create.name, owner.name),
                ));
            }
            self.schema.others.insert(key, create.definition.clone());
        }
        self.change(kind, verb, id, create.definition.clone());
        Ok(())
    }

    pub(super) fn create_rule(&mut self, name: &str, table: &Name, or_replace: bool, text: &str) -> Applied {
        let owner = self.need_triggered(table)?;
        let id = part(Space::Rule, "rule", &owner, name);
        let text = &super::others::made(text);
        let verb = if or_replace { Verb::Ensure } else { Verb::Make };
        let taken = if let Some(Relation::Table(table)) = self.schema.relations.get_mut(&owner) {
            table.rules.insert(name.to_owned(), text.to_owned()).is_some()
        } else {
            self.schema.others.insert(super::others::key(&id), text.to_owned()).is_some()
        };
        if taken && !or_replace {
            return Err(ApplyError::new(
                "42710",
                format!("rule \"{name}\" for relation \"{}\" already exists", owner.name),
            ));
        }
        self.change(EffectKind::CreateRule, verb, id, text);
        Ok(())
    }

    pub(super) fn create_policy(&mut self, create: &CreatePolicy) -> Applied {
        let owner = self.need_table(&create.table)?;
        let expressions: Vec<_> = create.using.iter().chain(&create.with_check).collect();
        for expression in &expressions {
            if expression.subquery.is_none() {
                for column in &expression.columns {
                    self.need_any_column(&owner, column)
                        .map_err(|_| ApplyError::new("42703", format!("column \"{column}\" does not exist")))?;
                }
            }
        }
        let own: BTreeSet<String> = self.table(&owner)?.columns.iter().map(|column| column.name.clone()).collect();
        // Inside a subquery an unqualified name may be the other relation's: only a name with no subquery is certain.
        let columns: BTreeSet<String> = expressions
            .iter()
            .filter(|expression| expression.subquery.is_none())
            .flat_map(|expression| &expression.columns)
            .filter(|column| own.contains(*column))
            .cloned()
            .collect();
        let mut reads = Vec::new();
        for query in expressions.iter().filter_map(|expression| expression.subquery.as_deref()) {
            for (name, _) in &query.reads {
                self.check_readable(name)?;
                reads.push(self.schema.resolve(name));
            }
        }
        let text = policy_text(create);
        let table = self.table_mut(&owner)?;
        if table.policies.contains_key(&create.name) {
            return Err(ApplyError::new(
                "42710",
                format!("policy \"{}\" for table \"{}\" already exists", create.name, owner.name),
            ));
        }
        let policy = Policy { definition: Fact::Known(text.clone()), reads, columns };
        table.policies.insert(create.name.clone(), policy);
        let id = part(Space::Policy, "policy", &owner, &create.name);
        self.change(EffectKind::CreatePolicy, Verb::Make, id, text);
        Ok(())
    }

    pub(super) fn alter_policy(&mut self, name: &str, table: &Name, text: &str) -> Applied {
        let owner = self.need_table(table)?;
        let listed = self.table_mut(&owner)?;
        let complete = listed.complete;
        match listed.policies.get_mut(name) {
            Some(policy) => {
                if let Fact::Known(definition) = &mut policy.definition {
                    *definition = PolicyText::read(definition).altered(&PolicyText::read(text)).to_string();
                }
            }
            None if complete => {
                return Err(ApplyError::new(
                    "42704",
                    format!("policy \"{name}\" for table \"{}\" does not exist", owner.name),
                ));
            }
            None => {
                let policy = Policy { definition: Fact::Unknown, reads: Vec::new(), columns: BTreeSet::new() };
                listed.policies.insert(name.to_owned(), policy);
            }
        }
        let id = part(Space::Policy, "policy", &owner, name);
        self.change(EffectKind::ChangePolicy, Verb::Alter, id, text);
        Ok(())
    }
}

/// Trigger functions that the server brings (manual, section 9.28, "Trigger Functions").
fn builtin_trigger_function(name: &Name) -> bool {
    matches!(
        name.name.as_str(),
        "suppress_redundant_updates_trigger" | "tsvector_update_trigger" | "tsvector_update_trigger_column"
    )
}

fn policy_text(create: &CreatePolicy) -> String {
    let mut text = String::from(if create.permissive { "AS PERMISSIVE" } else { "AS RESTRICTIVE" });
    text.push_str(&format!(" FOR {}", create.command));
    // TO PUBLIC is what no clause says.
    if !create.roles.is_empty() && create.roles != ["public"] {
        let mut roles = create.roles.clone();
        roles.sort();
        text.push_str(&format!(" TO {}", roles.join(", ")));
    }
    if let Some(using) = &create.using {
        text.push_str(&format!(" USING ({})", using.text));
    }
    if let Some(check) = &create.with_check {
        text.push_str(&format!(" WITH CHECK ({})", check.text));
    }
    text
}

/// The clauses of a policy's text.
#[derive(Default)]
struct PolicyText<'t> {
    /// `AS PERMISSIVE FOR ALL`.
    head: &'t str,
    roles: Option<&'t str>,
    using: Option<&'t str>,
    check: Option<&'t str>,
}

impl<'t> PolicyText<'t> {
    /// Splits before each clause that stands outside of quotes and parentheses.
    fn read(text: &'t str) -> Self {
        const CLAUSES: [&str; 3] = ["to ", "using ", "with check "];
        let mut starts = Vec::new();
        for (at, _) in outside(text).filter(|&(at, _)| at == 0 || text[..at].ends_with(' ')) {
            let here =
                |clause: &&str| text.get(at..at + clause.len()).is_some_and(|found| found.eq_ignore_ascii_case(clause));
            if let Some(which) = CLAUSES.iter().position(here) {
                starts.push((at, which));
            }
        }
        let end = |index: usize| starts.get(index).map_or(text.len(), |&(at, _)| at);
        let mut parts = Self { head: text[..end(0)].trim(), ..Self::default() };
        for (index, &(at, which)) in starts.iter().enumerate() {
            let clause = text[at + CLAUSES[which].len()..end(index + 1)].trim();
            match which {
                0 => parts.roles = Some(clause),
                1 => parts.using = Some(clause),
                _ => parts.check = Some(clause),
            }
        }
        parts
    }

    /// Each clause that the other has replaces this one's.
    fn altered(self, by: &Self) -> Self {
        // TO PUBLIC is what no clause says.
        let roles = by.roles.or(self.roles).filter(|roles| !roles.eq_ignore_ascii_case("public"));
        Self { head: self.head, roles, using: by.using.or(self.using), check: by.check.or(self.check) }
    }
}

impl std::fmt::Display for PolicyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.head)?;
        // Roles are a set.
        let roles = self.roles.map(|roles| {
            let mut roles = pieces(roles);
            roles.sort_unstable();
            roles.join(", ")
        });
        for (word, clause) in [("TO", roles.as_deref()), ("USING", self.using), ("WITH CHECK", self.check)] {
            if let Some(clause) = clause {
                write!(f, " {word} {clause}")?;
            }
        }
        Ok(())
    }
}
