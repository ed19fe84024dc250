//! Makes steps and baselines of what is [`Written`], where the program runs and asks for them: each once, for the rest of the
//! process, since it is as constant as what it is read from.

use super::written::{Reader, Written};
use super::{
    Backfill, Concurrent, ConcurrentAction, Down, DownStatement, Effect, LockClass, Loss, ObjectName, Phase, Step,
    StepKind, Work,
};
use crate::__private::v1;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// What was read before, by where it is written.
type ReadOnce<T> = LazyLock<Mutex<HashMap<(usize, usize), &'static T>>>;

fn once<T>(read: &ReadOnce<T>, written: Written, make: fn(Reader) -> T) -> &'static T {
    // Nothing panics under the lock that leaves the map half changed.
    let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
    read.entry(written.place()).or_insert_with(|| Box::leak(Box::new(make(written.read()))))
}

/// The steps of a migration.
pub(super) fn steps(written: Written) -> &'static [Step] {
    static READ: ReadOnce<Vec<Step>> = LazyLock::new(Mutex::default);
    let steps: &Vec<Step> = once(&READ, written, |mut reader| {
        let count = reader.number();
        (0..count).map(|_| step(&mut reader)).collect()
    });
    steps
}

/// The objects of a baseline, and their names.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) effects: Vec<Effect>,
    /// One for each of `effects`.
    pub(super) names: Vec<ObjectName>,
}

pub(super) fn objects(written: Written) -> &'static Objects {
    static READ: ReadOnce<Objects> = LazyLock::new(Mutex::default);
    once(&READ, written, |mut reader| {
        let effects = effects(&mut reader).to_vec();
        let names = effects.iter().map(|_| name(&mut reader)).collect();
        Objects { effects, names }
    })
}

fn step(reader: &mut Reader) -> Step {
    let up = reader.text();
    let [kind, phase, lock, work, transactional, destructive, down] = reader.small();
    let effects_of_up = effects(reader);
    let kind = match kind {
        0 => StepKind::Statement,
        _ => StepKind::Backfill(backfill(reader)),
    };
    let locks = locks(reader);
    let (destroys, concurrent, notes) = (losses(reader), concurrent(reader), texts(reader));
    let down = match down {
        0 => Down::Sql(list(reader, down_statement)),
        1 => Down::Keep(reader.text()),
        2 => Down::Nothing(reader.text()),
        _ => Down::Irreversible(reader.text()),
    };
    v1::Step {
        kind,
        up,
        down,
        phase: Phase::ALL[usize::from(phase)],
        lock: LockClass::ALL[usize::from(lock)],
        locks,
        work: Work::ALL[usize::from(work)],
        transactional: transactional != 0,
        destructive: destructive != 0,
        effects: effects_of_up,
        destroys,
        concurrent,
        notes,
    }
    .build()
}

fn down_statement(reader: &mut Reader) -> DownStatement {
    let sql = reader.text();
    let [lock, work, transactional] = reader.small();
    let effects = effects(reader);
    let locks = locks(reader);
    let (destroys, concurrent, hazards) = (losses(reader), concurrent(reader), texts(reader));
    v1::DownStatement {
        sql,
        lock: LockClass::ALL[usize::from(lock)],
        locks,
        work: Work::ALL[usize::from(work)],
        transactional: transactional != 0,
        destroys,
        concurrent,
        hazards,
        effects,
    }
    .build()
}

fn backfill(reader: &mut Reader) -> Backfill {
    let (table, key) = (reader.text(), texts(reader));
    // The derive refuses a batch that is larger.
    let batch = u32::try_from(reader.number()).unwrap_or(u32::MAX);
    let (set, read, write, filter) = (reader.text(), texts(reader), texts(reader), reader.text());
    v1::Backfill { table, key, batch, set, read, write, filter }.build()
}

fn locks(reader: &mut Reader) -> &'static [(&'static str, LockClass)] {
    list(reader, |reader| (reader.text(), lock_class(reader)))
}

fn lock_class(reader: &mut Reader) -> LockClass {
    let [lock] = reader.small();
    LockClass::ALL[usize::from(lock)]
}

fn effects(reader: &mut Reader) -> &'static [Effect] {
    list(reader, Reader::effect)
}

fn losses(reader: &mut Reader) -> &'static [Loss] {
    list(reader, |reader| Loss { relation: reader.text(), column: optional(reader), cascades: reader.flag() })
}

fn concurrent(reader: &mut Reader) -> Option<Concurrent> {
    let action = *ConcurrentAction::ALL.get(usize::try_from(reader.number().checked_sub(1)?).ok()?)?;
    Some(Concurrent { action, schema: optional(reader), name: reader.text(), table: optional(reader) })
}

fn name(reader: &mut Reader) -> ObjectName {
    let schema = optional(reader);
    let owner = reader.flag().then(|| (optional(reader), reader.text()));
    let name = reader.text();
    ObjectName { schema, owner, name, arguments: reader.flag().then(|| texts(reader)) }
}

fn optional(reader: &mut Reader) -> Option<&'static str> {
    reader.flag().then(|| reader.text())
}

fn texts(reader: &mut Reader) -> &'static [&'static str] {
    list(reader, Reader::text)
}

fn list<T>(reader: &mut Reader, mut item: impl FnMut(&mut Reader) -> T) -> &'static [T] {
    let count = reader.number();
    (0..count).map(|_| item(reader)).collect::<Vec<_>>().leak()
}
