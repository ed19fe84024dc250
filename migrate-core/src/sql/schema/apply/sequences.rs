//! CREATE SEQUENCE and ALTER SEQUENCE.

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{CreateSequence, ObjectKind, SequenceOptions};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::resolve::TEMP;
use crate::sql::schema::text::sequence_text;
use crate::sql::schema::{ApplyError, Fact, Relation, Sequence};

impl Apply<'_> {
    pub(super) fn create_sequence(&mut self, create: &CreateSequence) -> Applied {
        let verb = if create.if_not_exists { Verb::Ensure } else { Verb::Make };
        let name =
            if create.temporary { Name::qualified(TEMP, &create.name.name) } else { self.schema.place(&create.name) };
        if !self.free_relation(&name, create.if_not_exists)? {
            let object = self.schema.relation_id(&name);
            self.change(EffectKind::CreateSequence, Verb::Ensure, object, "");
            return Ok(());
        }
        let owned_by = self.owner_of(&name, &create.options)?.unwrap_or(None);
        let mut options = SequenceOptions { owned_by: None, ..create.options.clone() };
        without_defaults(&mut options);
        self.schema.relations.insert(
            name.clone(),
            Relation::Sequence(Sequence {
                new: true,
                options: Fact::Known(options),
                unlogged: create.unlogged,
                owned_by: Fact::Known(owned_by),
                identity: false,
            }),
        );
        let object = self.schema.relation_id(&name);
        self.change(EffectKind::CreateSequence, verb, object, sequence_text(&create.options));
        Ok(())
    }

    /// OWNED BY, resolved: the column must be there, in the sequence's own schema (`process_owned_by`).
    fn owner_of(&mut self, sequence: &Name, options: &SequenceOptions) -> Applied<Option<Option<(Name, String)>>> {
        Ok(match &options.owned_by {
            None => None,
            Some(None) => Some(None),
            Some(Some((table, column))) => {
                let table = self.need_table(table)?;
                if table.schema != sequence.schema {
                    return Err(ApplyError::new("55000", "sequence must be in same schema as table it is linked to"));
                }
                self.need_column(&table, column)?;
                Some(Some((table, column.clone())))
            }
        })
    }

    pub(super) fn alter_sequence(&mut self, name: &Name, if_exists: bool, options: &SequenceOptions) -> Applied {
        let Some(found) = self.relation_as(name, ObjectKind::Sequence, if_exists)? else { return Ok(()) };
        let owned_by = self.owner_of(&found, options)?;
        let Some(Relation::Sequence(sequence)) = self.schema.relations.get_mut(&found) else {
            return Err(ApplyError::wrong_kind(&found, "a sequence"));
        };
        if let Some(owned_by) = owned_by {
            if sequence.identity {
                return Err(ApplyError::new("0A000", "cannot change ownership of identity sequence"));
            }
            sequence.owned_by = Fact::Known(owned_by);
        }
        if let Fact::Known(known) = &mut sequence.options {
            merge_options(known, options);
        }
        self.alter_relation(EffectKind::ChangeSequence, &found, sequence_text(options));
        Ok(())
    }
}

/// The options after ALTER SEQUENCE gave others.
pub(super) fn merge_options(known: &mut SequenceOptions, given: &SequenceOptions) {
    if given.data_type.is_some() {
        known.data_type.clone_from(&given.data_type);
    }
    for (name, value) in &given.settings {
        known.settings.retain(|(other, _)| other != name);
        known.settings.push((name.clone(), value.clone()));
    }
    without_defaults(known);
}

/// Leaves out what is so without being said (`init_params` in `sequence.c`), so that what was set back compares equal.
pub(super) fn without_defaults(options: &mut SequenceOptions) {
    options.settings.retain(|(name, value)| {
        !matches!(
            (name.as_str(), value.as_str()),
            ("INCREMENT" | "CACHE", "1") | ("MINVALUE" | "MAXVALUE" | "CYCLE", "NO")
        )
    });
    options.settings.sort();
}
