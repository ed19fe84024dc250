//! What is to run, in which order, what is held back and why, and which gates stand before it: a pure function of the
//! history, the ledger, the server's version and the highest phase that was asked for. The runner executes a plan and
//! decides nothing of this by itself, so that all of it can be tested, and asked for, without a database.

mod commute;
mod refusal;
#[cfg(test)]
mod tests;

pub use refusal::{Refusal, Refused};

use crate::model::{Backup, Baseline, Effect, Loss, Meta, ObjectName, PgRange, Phase, Step, Verb, Version};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// What the ledger says of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version.
    pub version: Version,
    /// The name of the struct when it was applied.
    pub name: String,
    /// The phase it was declared with.
    pub phase: Phase,
    /// The digest of the text that was run.
    pub digest: String,
    /// How far it got.
    pub state: State,
    /// The versions before it that were known and still pending when it was applied: it passed them.
    pub passed: Vec<Version>,
}

/// How far a migration got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Begun outside one transaction and not finished.
    Applying,
    /// Done.
    Applied,
    /// Being taken back outside one transaction, and not finished.
    Undoing,
}

impl State {
    /// The name in the ledger, `applied`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Undoing => "undoing",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Applying, Self::Applied, Self::Undoing].into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is to run.
#[derive(Debug, Clone)]
pub struct Plan {
    planned: Vec<Planned>,
    held: Vec<Held>,
    accepted: Vec<AcceptedEdit>,
    ahead: Vec<Applied>,
    already: usize,
    ceiling: Phase,
}

/// A migration that is to run.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The migration.
    pub meta: &'static Meta,
    /// The state in which the ledger has it, where an earlier run did not finish it.
    pub unfinished: Option<State>,
    /// What must be passed right before its steps.
    pub gates: Vec<GateNeed>,
    /// The versions before it that are pending and held back: it passes them.
    pub passes: Vec<Version>,
}

/// A gate that stands before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateNeed {
    /// The step, counted from 1.
    pub step: usize,
    /// The backup that must have been made.
    pub backup: Backup,
    /// The data that the step destroys.
    pub losses: &'static [Loss],
}

/// A migration that is not to run now.
#[derive(Debug, Clone)]
pub struct Held {
    /// The migration.
    pub meta: &'static Meta,
    /// Why it waits.
    pub why: HeldWhy,
}

/// Why a migration is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldWhy {
    /// Its phase is later than the one that was asked for.
    Phase {
        /// The phase that was asked for.
        ceiling: Phase,
    },
    /// It comes after a migration that is held back, and both touch the same thing.
    Behind {
        /// The one it waits for.
        version: Version,
        /// What both touch.
        object: String,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            HeldWhy::Phase { ceiling } => {
                write!(
                    f,
                    "{} comes after {ceiling}: run_through(Phase::{}) applies it",
                    self.meta.phase(),
                    self.meta.phase()
                )
            }
            HeldWhy::Behind { version, object } => write!(f, "waits behind {version}: both touch {object}"),
        }
    }
}

/// An applied migration whose text was edited since, on purpose.
#[derive(Debug, Clone)]
pub struct AcceptedEdit {
    /// The migration as it is now.
    pub meta: &'static Meta,
    /// The digest that the ledger has.
    pub was: String,
}

impl Plan {
    /// The plan for this history on a server of this major version whose ledger holds `ledger`, up to and including the
    /// phase `ceiling`.
    ///
    /// # Errors
    ///
    /// Everything that forbids a run at all, not only the first such thing.
    pub fn new(history: &[&'static Meta], ledger: &[Applied], server: u16, ceiling: Phase) -> Result<Self, Refused> {
        let mut refusals = Vec::new();
        let known: HashMap<Version, &'static Meta> = history.iter().map(|&meta| (meta.version(), meta)).collect();
        refusals
            .extend(history.iter().filter(|meta| meta.is_broken()).map(|meta| Refusal::Broken { name: meta.name() }));
        if refusals.is_empty() {
            refusals.extend(
                history
                    .windows(2)
                    .filter(|pair| pair[0].version() >= pair[1].version())
                    .map(|pair| Refusal::NotAscending { meta: pair[1], after: pair[0].version() }),
            );
        }
        if !refusals.is_empty() {
            return Err(Refused::new(refusals));
        }

        let newest = history.last().map(|meta| meta.version());
        let mut ahead = Vec::new();
        let mut accepted = Vec::new();
        let mut already = 0;
        for row in ledger {
            let Some(&meta) = known.get(&row.version) else {
                if newest.is_none_or(|newest| row.version > newest) {
                    ahead.push(row.clone());
                } else {
                    refusals.push(Refusal::Missing { applied: row.clone() });
                }
                continue;
            };
            if row.state != State::Applied {
                // An unfinished one may be mended: the runner holds the steps that were done against the text.
                continue;
            }
            already += 1;
            if row.digest != meta.digest() {
                if meta.supersedes().contains(&row.digest.as_str()) {
                    accepted.push(AcceptedEdit { meta, was: row.digest.clone() });
                } else {
                    refusals.push(Refusal::Edited { meta, applied: row.clone() });
                }
            }
        }
        if ahead.iter().any(|row| row.phase == Phase::Contract) {
            refusals.push(Refusal::Ahead {
                contracts: ahead.iter().filter(|row| row.phase == Phase::Contract).cloned().collect(),
            });
        }

        let rows: HashMap<Version, &Applied> = ledger.iter().map(|row| (row.version, row)).collect();
        let mut planned: Vec<Planned> = Vec::new();
        let mut held: Vec<Held> = Vec::new();
        for &meta in history {
            let row = rows.get(&meta.version());
            let unfinished = match row.map(|row| row.state) {
                Some(State::Applied) => continue,
                other => other,
            };
            if unfinished.is_none() && meta.accept_late().is_none() {
                // One that is under way counts: what it has done so far was done without this one.
                let mut passed_by = ledger.iter().filter(|row| row.version > meta.version());
                if let Some(after) = passed_by.find(|row| !row.passed.contains(&meta.version())) {
                    refusals.push(Refusal::OutOfOrder { meta, after: after.version });
                    continue;
                }
            }
            let why = if meta.phase() > ceiling {
                Some(HeldWhy::Phase { ceiling })
            } else {
                held.iter().find_map(|before| {
                    commute::shared_object(before.meta, meta)
                        .map(|object| HeldWhy::Behind { version: before.meta.version(), object })
                })
            };
            match why {
                Some(why) => held.push(Held { meta, why }),
                None => planned.push(Planned {
                    meta,
                    unfinished,
                    gates: gates(meta),
                    passes: held.iter().map(|held| held.meta.version()).collect(),
                }),
            }
        }
        if !planned.is_empty() && !PgRange::SUPPORTED.contains(server) {
            refusals.push(Refusal::UnsupportedServer { server });
        } else {
            refusals.extend(
                planned
                    .iter()
                    .filter(|planned| !planned.meta.pg().contains(server))
                    .map(|planned| Refusal::Server { meta: planned.meta, server }),
            );
        }
        if refusals.is_empty() {
            Ok(Self { planned, held, accepted, ahead, already, ceiling })
        } else {
            Err(Refused::new(refusals))
        }
    }

    /// The migrations that run, in order.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// The migrations that are held back, in order.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Edits of applied migrations that `supersedes` accepts and the ledger does not know yet.
    pub fn accepted(&self) -> &[AcceptedEdit] {
        &self.accepted
    }

    /// What the ledger has that is newer than this program.
    pub fn ahead(&self) -> &[Applied] {
        &self.ahead
    }

    /// How many migrations of the history are applied already.
    pub const fn already(&self) -> usize {
        self.already
    }

    /// The highest phase that was asked for.
    pub const fn ceiling(&self) -> Phase {
        self.ceiling
    }

    /// Whether there is nothing to run and nothing to record.
    pub fn is_nothing(&self) -> bool {
        self.planned.is_empty() && self.accepted.is_empty()
    }

    /// The backups that no kind in `provided` satisfies, with the migrations that want them.
    pub fn missing_backups(&self, provided: &[Backup]) -> Vec<(&'static Meta, Backup)> {
        let wanted = self.planned.iter().filter_map(|planned| {
            let backup = planned.meta.destructive()?.backup;
            Some((planned.meta, backup))
        });
        wanted.filter(|(_, backup)| !provided.contains(backup)).collect()
    }
}

fn gates(meta: &'static Meta) -> Vec<GateNeed> {
    let Some(destructive) = meta.destructive() else { return Vec::new() };
    let steps = meta.steps().iter().enumerate().filter(|(_, step)| step.destructive());
    steps
        .map(|(index, step)| GateNeed { step: index + 1, backup: destructive.backup, losses: step.destroys() })
        .collect()
}

/// What a baseline makes and neither it nor the migrations in `applied` takes away or renames again: what must be found
/// on a server for the baseline to be adopted, and by which name.
pub fn baseline_objects(baseline: &Baseline, applied: &[&'static Meta]) -> Vec<(&'static Effect, &'static ObjectName)> {
    let later = applied.iter().flat_map(|meta| meta.steps()).flat_map(Step::effects);
    let made = baseline.effects().iter().zip(baseline.names());
    let gone: HashSet<_> = baseline
        .effects()
        .iter()
        .chain(later)
        .filter(|effect| matches!(effect.verb, Verb::Take | Verb::TakeIfThere | Verb::Rename))
        .map(|effect| (effect.id.space, effect.id.owner, effect.id.key))
        .collect();
    // 0 is the owner of what has none, and the key of what no history follows.
    let owners_gone: HashSet<u128> = gone.iter().map(|&(_, _, key)| key).filter(|&key| key != 0).collect();
    made.filter(|(effect, _)| matches!(effect.verb, Verb::Make | Verb::Ensure))
        .filter(|(effect, _)| {
            !gone.contains(&(effect.id.space, effect.id.owner, effect.id.key))
                && !owners_gone.contains(&effect.id.owner)
        })
        .collect()
}
