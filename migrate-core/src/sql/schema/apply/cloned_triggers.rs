//! The row triggers of a partitioned table are on its partitions too, each under the same name, and go their parent's way
//! (`CloneRowTriggersToPartition`).

use super::Apply;
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Fact, Relation, Schema};

impl Schema {
    /// Whether the trigger is one that the partition has from its parent.
    pub(crate) fn is_cloned_trigger(&self, partition: &Name, trigger: &str) -> bool {
        let Some(table) = self.table(partition) else { return false };
        let Fact::Known(Some((parent, _))) = &table.partition_of else { return false };
        let of_parent = self.table(parent).and_then(|parent| parent.triggers.get(trigger));
        match (table.triggers.get(trigger), of_parent) {
            (Some(own), Some(parents)) => {
                parents.row && own.definition != Fact::Unknown && own.definition == parents.definition
            }
            _ => false,
        }
    }
}

impl Apply<'_> {
    /// What refuses to rename a trigger of a partition by itself (`renametrig`); 14 does not.
    pub(super) fn check_renamed_trigger(&self, table: &Name, trigger: &str) -> Applied {
        if self.pg.before(15) || !self.schema.is_cloned_trigger(table, trigger) {
            return Ok(());
        }
        let sqlstate = if self.pg.at_least(18) { "0A000" } else { "XX000" };
        Err(ApplyError::new(sqlstate, format!("cannot rename trigger \"{trigger}\" on table \"{}\"", table.name)))
    }

    /// The partitions' triggers follow the name of their parent's.
    pub(super) fn rename_cloned(&mut self, table: &Name, from: &str, to: &str) {
        if !self.schema.is_partitioned(table) {
            return;
        }
        // From the bottom up: a clone is known by its parent's trigger.
        for partition in self.schema.descendants_of(table).into_iter().rev() {
            if self.schema.is_cloned_trigger(&partition, from)
                && let Some(Relation::Table(listed)) = self.schema.relations.get_mut(&partition)
                && let Some(trigger) = listed.triggers.remove(from)
            {
                listed.triggers.insert(to.to_owned(), trigger);
            }
        }
    }

    /// A partition that leaves does not keep its parent's triggers (`DropClonedTriggersFromPartition`), nor do those below.
    pub(super) fn drop_cloned_triggers(&mut self, partition: &Name) {
        let Some(table) = self.schema.table(partition) else { return };
        let cloned: Vec<String> = table
            .triggers
            .keys()
            .filter(|trigger| self.schema.is_cloned_trigger(partition, trigger))
            .cloned()
            .collect();
        for trigger in cloned {
            for below in self.schema.descendants_of(partition).into_iter().rev() {
                if self.schema.is_cloned_trigger(&below, &trigger)
                    && let Some(Relation::Table(listed)) = self.schema.relations.get_mut(&below)
                {
                    listed.triggers.remove(&trigger);
                }
            }
            if let Some(Relation::Table(listed)) = self.schema.relations.get_mut(partition) {
                listed.triggers.remove(&trigger);
            }
        }
    }
}
