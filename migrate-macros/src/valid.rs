//! Hands the attributes to the check of `migrate-core`, which knows SQL, and turns the places of the problems that it
//! finds back into tokens.

use crate::{
    ast::{Down, Given, Migration, Slot, Sql, StepKind, Sync},
    ctxt::Ctxt,
    files::Files,
};
use migrate_core::{
    model::{LockClass, PgRange, Phase},
    sql::check::{
        self, AllowDeclaration, Assume, Checked, Declaration, DestructiveDeclaration, DownDeclaration, Fill, Site,
        SqlText, StepDeclaration, SyncDeclaration, SyncPart,
    },
};
use proc_macro2::TokenStream;
use quote::ToTokens;

/// What the check says of a migration, and which of the struct's attributes each of its steps is of; nothing, with the
/// errors noted, where something is wrong with it.
pub(crate) fn check(migration: &Migration, files: &Files, ctxt: &Ctxt) -> Option<(Checked, Vec<usize>)> {
    let declared = declaration(migration, files, ctxt);
    if declared.declaration.steps.is_empty() {
        return None;
    }
    match check::check(&declared.declaration) {
        Ok(checked) => Some((checked, declared.indexes)),
        Err(problems) => {
            for problem in problems {
                if !declared.hides(problem.site) {
                    ctxt.error(declared.place(migration, problem.site), problem.message);
                }
            }
            None
        }
    }
}

/// A declaration, and what of it is only a placeholder because the attribute's own value was refused.
pub(crate) struct Declared {
    pub(crate) declaration: Declaration,
    /// The sites whose values were refused.
    refused: Vec<Site>,
    /// Whether a whole step is missing, so that what the check says of the migration as a whole means nothing.
    partial: bool,
    /// The index in the struct's attributes of each step in the declaration.
    indexes: Vec<usize>,
}

impl Declared {
    /// The tokens of a site.
    pub(crate) fn place(&self, migration: &Migration, site: Site) -> TokenStream {
        let head = &migration.head;
        let step = |index: usize| &migration.steps[self.indexes[index]];
        let backfill = |index: usize, tokens: fn(&crate::ast::Backfill, &TokenStream) -> TokenStream| {
            let step = step(index);
            match &step.kind {
                StepKind::Backfill(backfill) => tokens(backfill, &step.name),
                StepKind::Statement { .. } | StepKind::Sync(_) => step.name.clone(),
            }
        };
        let destructive = |tokens: fn(&crate::ast::Destructive) -> TokenStream| {
            migration.destructive.as_ref().map_or_else(|| migration.ident.to_token_stream(), tokens)
        };
        match site {
            Site::Phase => head.phase.tokens_or(&head.name),
            Site::Lock => head.lock.tokens_or(&head.name),
            Site::Transactional => head.transactional.tokens_or(&head.name),
            Site::DeployFrom => head.deploy_from.tokens_or(&head.name),
            Site::Step(index) => step(index).name.clone(),
            Site::Up(index) => match &step(index).kind {
                StepKind::Statement { up, .. } => up.tokens_or(&step(index).name),
                StepKind::Backfill(_) | StepKind::Sync(_) => step(index).name.clone(),
            },
            Site::Down(index) => step(index).down.tokens_or(&step(index).name),
            Site::DownStatement(index, statement) => match step(index).down.value() {
                Some(Down::Sql(list)) if statement < list.len() => list[statement].tokens.clone(),
                _ => step(index).down.tokens_or(&step(index).name),
            },
            Site::Assume(index) => match &step(index).kind {
                StepKind::Statement { assume, .. } => assume.tokens_or(&step(index).name),
                StepKind::Backfill(_) | StepKind::Sync(_) => step(index).name.clone(),
            },
            Site::BackfillTable(index) => backfill(index, |backfill, name| backfill.table.tokens_or(name)),
            Site::BackfillKey(index) => backfill(index, |backfill, name| backfill.key.tokens_or(name)),
            Site::BackfillSet(index) => backfill(index, |backfill, name| backfill.set.tokens_or(name)),
            Site::BackfillRead(index) => backfill(index, |backfill, name| backfill.read.tokens_or(name)),
            Site::BackfillWrite(index) => backfill(index, |backfill, name| backfill.write.tokens_or(name)),
            Site::BackfillFilter(index) => backfill(index, |backfill, name| backfill.filter.tokens_or(name)),
            Site::Destructive => destructive(|destructive| destructive.name.clone()),
            Site::Backup => destructive(|destructive| destructive.backup.tokens_or(&destructive.name)),
            Site::Approved => destructive(|destructive| destructive.approved.tokens_or(&destructive.name)),
            Site::Allow(index) => head.allows[index].hazard.tokens.clone(),
            Site::BindType(index) => migration.binds[index].sql_type.tokens_or(&migration.binds[index].place),
            Site::Bind(index) => migration.binds[index].place.clone(),
            // `Site` may grow; the struct's name is always a fair place.
            _ => migration.ident.to_token_stream(),
        }
    }

    /// Whether a problem at this site follows from a value that was refused already.
    fn hides(&self, site: Site) -> bool {
        let of_step = |site: Site| match site {
            Site::Step(step)
            | Site::Up(step)
            | Site::Down(step)
            | Site::DownStatement(step, _)
            | Site::Assume(step)
            | Site::BackfillTable(step)
            | Site::BackfillKey(step)
            | Site::BackfillSet(step)
            | Site::BackfillRead(step)
            | Site::BackfillWrite(step)
            | Site::BackfillFilter(step) => Some(step),
            _ => None,
        };
        let whole = of_step(site).is_none() && !matches!(site, Site::Bind(_) | Site::BindType(_));
        self.refused.contains(&site)
            || whole && self.partial
            || self.refused.iter().any(|refused| {
                matches!(
                    (refused, site),
                    (Site::Down(down), Site::DownStatement(other, _) | Site::Step(other)) if *down == other
                ) || matches!((refused, site), (Site::Assume(assume), Site::Up(other)) if *assume == other)
            })
    }
}

/// The attributes in the form that the check takes.
pub(crate) fn declaration(migration: &Migration, files: &Files, ctxt: &Ctxt) -> Declared {
    let head = &migration.head;
    let mut refused = Vec::new();
    // A missing value of these has been noted as an error too.
    for (site, unknown) in [
        (Site::Phase, head.phase.value().is_none()),
        (Site::Lock, head.lock.value().is_none()),
        (Site::Transactional, head.transactional.is_refused()),
        (Site::DeployFrom, head.deploy_from.is_refused()),
    ] {
        if unknown {
            refused.push(site);
        }
    }
    let mut partial = head.pg.is_refused();

    let mut steps = Vec::new();
    let mut indexes = Vec::new();
    for (index, step) in migration.steps.iter().enumerate() {
        let position = steps.len();
        let down = down(&step.down, files, ctxt);
        let declared = match &step.kind {
            StepKind::Sync(sync) => {
                let written = sync_steps(sync, ctxt);
                partial |= written.is_none();
                for declared in written.into_iter().flatten() {
                    steps.push(declared);
                    indexes.push(index);
                }
                continue;
            }
            StepKind::Statement { up, assume } => up.given().and_then(|up| sql(up, files, ctxt)).map(|up| {
                if let Some(assume) = assume.value() {
                    refused.extend(refused_of(assume, position));
                }
                if assume.is_refused() || assume.value().is_some_and(|assume| assume.reason.value().is_none()) {
                    refused.push(Site::Assume(position));
                }
                let assume = assume.value().map(|assume| Assume {
                    lock: assume.lock.value().copied(),
                    phase: assume.phase.value().copied(),
                    effects: assume.effects.value().cloned(),
                    transactional: assume.transactional.value().copied(),
                    destructive: assume.destructive.value().copied(),
                    reason: assume.reason.value().cloned().unwrap_or_default(),
                });
                StepDeclaration::Statement { up, down: down.clone().unwrap_or(None), assume }
            }),
            StepKind::Backfill(backfill) => {
                for (site, unknown) in [
                    (Site::BackfillKey(position), backfill.key.is_refused()),
                    (Site::BackfillFilter(position), backfill.filter.is_refused()),
                ] {
                    if unknown {
                        refused.push(site);
                    }
                }
                let fill = if backfill.in_rust() {
                    backfill
                        .read
                        .value()
                        .zip(backfill.write.value())
                        .filter(|_| backfill.set.is_absent())
                        .map(|(read, write)| Fill::Rows { read: read.clone(), write: write.clone() })
                } else {
                    backfill.set.value().map(|set| Fill::Set(set.clone()))
                };
                backfill.table.value().zip(fill).map(|(table, fill)| {
                    StepDeclaration::Backfill {
                        table: table.clone(),
                        key: backfill.key.value().cloned().unwrap_or_default(),
                        // Any number will do for what is judged of the rest.
                        batch: backfill.batch.value().copied().unwrap_or(1),
                        fill,
                        filter: backfill.filter.value().cloned(),
                        down: down.clone().unwrap_or(None),
                    }
                })
            }
        };
        match declared {
            Some(declared) => {
                if down.is_err() {
                    refused.push(Site::Down(position));
                }
                steps.push(declared);
                indexes.push(index);
            }
            None => partial = true,
        }
    }

    for (index, bind) in migration.binds.iter().enumerate() {
        if bind.sql_type.value().is_none() {
            refused.extend([Site::Bind(index), Site::BindType(index)]);
        }
    }
    if let Some(destructive) = &migration.destructive {
        if destructive.backup.is_refused() {
            refused.push(Site::Backup);
        }
        if destructive.approved.is_refused() {
            refused.push(Site::Approved);
        }
    }
    for (index, allow) in head.allows.iter().enumerate() {
        if allow.reason.value().is_none() {
            refused.push(Site::Allow(index));
        }
    }

    refused.extend((0..migration.meant.len()).map(|index| Site::Allow(head.allows.len() + index)));

    let declaration = Declaration {
        name: migration.ident.to_string(),
        file: files.source().map(ToOwned::to_owned),
        version: head.version.value().copied().unwrap_or(1),
        phase: head.phase.value().copied().unwrap_or(Phase::Contract),
        lock: head.lock.value().copied().unwrap_or(LockClass::AccessExclusive),
        transactional: head.transactional.value().copied().unwrap_or(true),
        pg: head.pg.value().copied().unwrap_or(PgRange::SUPPORTED),
        steps,
        destructive: migration.destructive.as_ref().map(|destructive| DestructiveDeclaration {
            backup: destructive.backup.value().copied(),
            approved: destructive.approved.value().cloned(),
        }),
        allows: head
            .allows
            .iter()
            .map(|allow| AllowDeclaration {
                hazard: allow.hazard.value.clone(),
                reason: allow.reason.value().cloned().unwrap_or_default(),
            })
            .chain(
                migration.meant.iter().map(|hazard| AllowDeclaration { hazard: hazard.clone(), reason: String::new() }),
            )
            .collect(),
        deploy_from: head.deploy_from.value().copied(),
        binds: migration.binds.iter().map(|bind| bind.sql_type.value().cloned().unwrap_or_default()).collect(),
    };
    Declared { declaration, refused, partial, indexes }
}

/// What cannot be judged where a value of an `assume` was refused: it would count as the worst.
fn refused_of(assume: &crate::ast::Assume, step: usize) -> Vec<Site> {
    let sites: [(bool, &[Site]); 4] = [
        (assume.lock.is_refused(), &[Site::Lock]),
        (assume.phase.is_refused(), &[Site::Phase]),
        (assume.transactional.is_refused(), &[Site::Transactional]),
        (assume.destructive.is_refused(), &[Site::Step(step), Site::Destructive, Site::Backup, Site::Approved]),
    ];
    sites.iter().filter(|(refused, _)| *refused).flat_map(|(_, sites)| sites.iter().copied()).collect()
}

/// The statements that a `#[sync]` comes to.
fn sync_steps(sync: &Sync, ctxt: &Ctxt) -> Option<Vec<StepDeclaration>> {
    let values = |list: &[Given<String>]| list.iter().map(|given| given.value.clone()).collect();
    let (forward, backward) = (sync.forward.value()?, sync.backward.value()?);
    let (table, old, new) = (sync.table.given()?, sync.old.given()?, sync.new.given()?);
    let declaration = SyncDeclaration {
        install: !sync.drop,
        table: table.value.clone(),
        old: old.value.clone(),
        new: new.value.clone(),
        forward: values(forward),
        backward: values(backward),
    };
    let place = |part| match part {
        SyncPart::Table => table.tokens.clone(),
        SyncPart::Old => old.tokens.clone(),
        SyncPart::New => new.tokens.clone(),
        SyncPart::Forward(at) => {
            forward.get(at).map_or_else(|| sync.forward.tokens_or(&table.tokens), |given| given.tokens.clone())
        }
        SyncPart::Backward(at) => {
            backward.get(at).map_or_else(|| sync.backward.tokens_or(&table.tokens), |given| given.tokens.clone())
        }
    };
    check::sync_steps(&declaration)
        .map_err(|problems| problems.into_iter().for_each(|(part, message)| ctxt.error(place(part), message)))
        .ok()
}

/// `Err` where what the attribute says was refused.
fn down(slot: &Slot<Down>, files: &Files, ctxt: &Ctxt) -> Result<Option<DownDeclaration>, ()> {
    let down = match slot {
        Slot::Absent => return Ok(None),
        Slot::Refused => return Err(()),
        Slot::Given(down) => &down.value,
    };
    Ok(Some(match down {
        Down::Derived => DownDeclaration::Derived,
        Down::Keep(reason) => DownDeclaration::Keep(reason.clone()),
        Down::Nothing(reason) => DownDeclaration::Nothing(reason.clone()),
        Down::Sql(list) => {
            let texts: Vec<_> = list.iter().map(|text| sql(text, files, ctxt)).collect();
            DownDeclaration::Sql(texts.into_iter().collect::<Option<_>>().ok_or(())?)
        }
    }))
}

fn sql(given: &Given<Sql>, files: &Files, ctxt: &Ctxt) -> Option<SqlText> {
    match &given.value {
        Sql::Text(text) => Some(SqlText { text: text.clone(), file: None }),
        Sql::File(path) => match files.read(path) {
            Ok(text) => Some(SqlText { text, file: Some(path.clone()) }),
            Err(message) => {
                ctxt.error(&given.tokens, message);
                None
            }
        },
    }
}
