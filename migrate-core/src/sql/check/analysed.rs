//! What the check knows while it goes through the steps.

use super::checked::CheckedStep;
use super::declaration::Declaration;
use crate::model::{LockClass, Phase};
use crate::sql::ast::Statement;
use crate::sql::facts::{Facts, LostData};
use crate::sql::hazards::Finding;
use crate::sql::name::Name;
use crate::sql::phase::Fresh;
use crate::sql::schema::Schema;

/// The schema so far, and what came with this migration.
pub(super) struct Knowledge {
    pub(super) schema: Schema,
    pub(super) fresh: Fresh,
    /// The migration says by `deploy_from` that what it touches is new.
    pub(super) deploy: bool,
}

impl Knowledge {
    pub(super) fn new(declaration: &Declaration) -> Self {
        Self { schema: Schema::open(), fresh: Fresh::default(), deploy: declaration.deploy_from.is_some() }
    }
}

/// A step that was understood.
pub(super) struct Analysed {
    pub(super) checked: CheckedStep,
    /// What the rest of the migration is judged by; `None` where it was taken on trust.
    pub(super) detail: Option<Detail>,
    /// The findings that have to be allowed by name.
    pub(super) findings: Vec<Finding>,
    /// Why the lock may rightly be declared stronger than it was computed.
    pub(super) may_be_stronger: bool,
    /// Its down was refused, and what hangs on a down as witness is not known: it is judged when the down is right.
    pub(super) unsure: bool,
    /// Values that it overwrites, and that its down does not bring back; they are among what it destroys.
    pub(super) overwritten: Vec<LostData>,
    /// Relations that had to be taken as new, by `deploy_from`, for the phase and the findings that stand here; with what
    /// they would have been.
    pub(super) relied_on_new: Vec<(Name, String)>,
}

pub(super) struct Detail {
    pub(super) statement: Statement,
    pub(super) facts: Facts,
    pub(super) before: Schema,
}

impl Analysed {
    pub(super) fn lock(&self) -> LockClass {
        self.checked.lock
    }

    pub(super) fn phase(&self) -> Phase {
        self.checked.phase
    }

    /// The relation with the strongest lock.
    pub(super) fn strongest(&self) -> Option<(&str, LockClass)> {
        self.checked.locks.iter().map(|(name, class)| (name.as_str(), *class)).max_by_key(|(_, class)| *class)
    }

    /// The sentence that says why the lock, or the work, is what it is.
    pub(super) fn reason(&self) -> Option<&str> {
        let facts = &self.detail.as_ref()?.facts;
        facts.reasons.iter().max_by_key(|reason| (reason.lock, reason.work)).map(|reason| reason.because.as_str())
    }
}
