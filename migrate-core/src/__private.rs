//! What expansions of the macros name. Not part of the public interface: the crates of one release pin each other with
//! `=`, so that an expansion always meets the constructors it was written for.

pub use crate::bound::{BIND_AS_TEXT, bound_type};

/// The constructors that expansions use.
pub mod v1 {
    use crate::model;
    pub use crate::model::history::check::{CheckedHistory, capacity as history_capacity};
    pub use crate::model::kinds::{locks, phases};
    pub use crate::model::{
        Allow, Approval, Backup, Bind, Concurrent, ConcurrentAction, Described, Down, EffectKind, LockClass, Loss,
        ObjectKey, ObjectName, PgRange, Phase, RowBackfill, RowConverter, RowIn, RowOut, Space, StepKind, Verb, Work,
    };
    pub use crate::model::{Baseline as BuiltBaseline, History, Meta as BuiltMeta, Written};
    pub use postgres_types::ToSql;

    /// The parts of a [`model::Meta`].
    #[derive(Debug, Clone, Copy)]
    #[allow(missing_docs)]
    pub struct Meta {
        pub version: i64,
        pub name: &'static str,
        pub location: &'static str,
        pub doc: &'static str,
        pub phase: Phase,
        pub lock: LockClass,
        pub transactional: bool,
        pub pg: PgRange,
        pub steps: &'static [model::Step],
        pub destructive: Option<model::Destructive>,
        pub allows: &'static [Allow],
        pub digest: &'static str,
        pub supersedes: &'static [&'static str],
        pub accept_late: Option<&'static str>,
        pub deploy_from: Option<i64>,
        /// Relations that must have been made since `deploy_from`: key, name, and what it would be otherwise.
        pub new_since: &'static [(u128, &'static str, &'static str)],
        pub broken: bool,
    }

    impl Meta {
        /// The finished constant.
        pub const fn build(self) -> model::Meta {
            model::Meta { data: self, written: None }
        }

        /// Stands for a struct that the derive refused.
        pub const fn broken(name: &'static str) -> model::Meta {
            Self { name, ..Self::BLANK }.build()
        }

        const BLANK: Self = Self {
            version: 0,
            name: "",
            location: "",
            doc: "",
            phase: Phase::Contract,
            lock: LockClass::AccessExclusive,
            transactional: false,
            pg: PgRange::SUPPORTED,
            steps: &[],
            destructive: None,
            allows: &[],
            digest: "",
            supersedes: &[],
            accept_late: None,
            deploy_from: None,
            new_since: &[],
            broken: true,
        };
    }

    /// The parts of a [`model::Step`].
    #[derive(Debug, Clone, Copy)]
    #[allow(missing_docs)]
    pub struct Step {
        pub kind: StepKind,
        pub up: &'static str,
        pub down: Down,
        pub phase: Phase,
        pub lock: LockClass,
        pub locks: &'static [(&'static str, LockClass)],
        pub work: Work,
        pub transactional: bool,
        pub destructive: bool,
        pub effects: &'static [model::Effect],
        pub destroys: &'static [Loss],
        pub concurrent: Option<Concurrent>,
        pub notes: &'static [&'static str],
    }

    impl Step {
        /// The finished constant.
        pub const fn build(self) -> model::Step {
            model::Step { data: self }
        }
    }

    /// The parts of a [`model::DownStatement`].
    #[derive(Debug, Clone, Copy)]
    #[allow(missing_docs)]
    pub struct DownStatement {
        pub sql: &'static str,
        pub lock: LockClass,
        pub locks: &'static [(&'static str, LockClass)],
        pub work: Work,
        pub transactional: bool,
        pub destroys: &'static [Loss],
        pub concurrent: Option<Concurrent>,
        pub hazards: &'static [&'static str],
        pub effects: &'static [model::Effect],
    }

    impl DownStatement {
        /// The finished constant.
        pub const fn build(self) -> model::DownStatement {
            model::DownStatement { data: self }
        }
    }

    /// The parts of a [`model::Backfill`].
    #[derive(Debug, Clone, Copy)]
    #[allow(missing_docs)]
    pub struct Backfill {
        pub table: &'static str,
        pub key: &'static [&'static str],
        pub batch: u32,
        pub set: &'static str,
        pub read: &'static [&'static str],
        pub write: &'static [&'static str],
        pub filter: &'static str,
    }

    impl Backfill {
        /// The finished constant.
        pub const fn build(self) -> model::Backfill {
            model::Backfill { data: self }
        }
    }

    /// The parts of a [`model::Effect`].
    #[derive(Debug, Clone, Copy)]
    #[allow(missing_docs)]
    pub struct Effect {
        pub kind: EffectKind,
        pub verb: Verb,
        pub object: &'static str,
        pub definition: &'static str,
        /// The object; its key is 0 where the history check does not follow it.
        pub id: ObjectKey,
        /// Hash of the new name of a rename, else 0.
        pub to: u128,
        pub to_name: &'static str,
    }

    impl Effect {
        /// The finished constant.
        pub const fn build(self) -> model::Effect {
            let Self { kind, verb, object, definition, id, to, to_name } = self;
            model::Effect { kind, verb, object, definition, id, to, to_name }
        }
    }

    /// An object that the history check follows.
    pub const fn object(space: Space, name: &'static str, owner_name: &'static str) -> model::ObjectKey {
        model::ObjectKey::of(space, name, owner_name)
    }

    // Expansions call functions with what every migration has, in order, and add the rest where there is any: the compiler
    // spends less on a call than on a struct literal.

    /// A [`model::Meta`] with what every migration has.
    #[allow(clippy::too_many_arguments)]
    pub const fn meta(
        version: i64,
        name: &'static str,
        location: &'static str,
        doc: &'static str,
        phase: Phase,
        lock: LockClass,
        transactional: bool,
        digest: &'static str,
        written: Written,
    ) -> model::Meta {
        let data =
            Meta { version, name, location, doc, phase, lock, transactional, digest, broken: false, ..Meta::BLANK };
        model::Meta { data, written: Some(written) }
    }

    /// What the derive found out of the steps, or of a baseline's objects.
    pub const fn written(trace: &'static [u128], told: &'static [u8], texts: &'static str) -> Written {
        Written::new(trace, told, texts)
    }

    /// What only some migrations have.
    #[allow(clippy::too_many_arguments)]
    pub const fn meta_with(
        meta: model::Meta,
        pg: PgRange,
        destructive: Option<model::Destructive>,
        allows: &'static [Allow],
        supersedes: &'static [&'static str],
        accept_late: Option<&'static str>,
        deploy_from: Option<i64>,
        new_since: &'static [(u128, &'static str, &'static str)],
    ) -> model::Meta {
        let model::Meta { data, written } = meta;
        let data = Meta { pg, destructive, allows, supersedes, accept_late, deploy_from, new_since, ..data };
        model::Meta { data, written }
    }

    /// The conversion of a struct with a backfill in Rust.
    pub fn converter<T: RowBackfill + Send + Sync>(migration: &T) -> &dyn RowConverter {
        migration
    }

    /// How many columns a conversion reads.
    pub const fn columns_read<T: RowBackfill>() -> usize {
        <T::In as RowIn>::COLUMNS
    }

    /// How many columns a conversion writes.
    pub const fn columns_written<T: RowBackfill>() -> usize {
        <T::Out as RowOut>::COLUMNS
    }

    /// A [`model::Destructive`].
    pub const fn destructive(backup: Backup, name: &'static str, digest: &'static str) -> model::Destructive {
        model::Destructive { backup, approval: Approval { name, digest } }
    }

    /// A [`model::Baseline`].
    pub const fn baseline(sql: &'static str, digest: &'static str, written: Written) -> model::Baseline {
        model::Baseline { sql, digest, written }
    }

    /// A range that the derive has checked.
    ///
    /// # Panics
    ///
    /// Panics where the range is none: the derive refuses those.
    pub const fn pg_range(min: u16, max: u16) -> PgRange {
        match PgRange::new(min, max) {
            Some(range) => range,
            None => panic!("not a range of servers"),
        }
    }

    /// The `Meta` of the type that this expression is of.
    pub const fn meta_of<T: Described>(_: fn() -> T) -> &'static model::Meta {
        T::META
    }

    /// The `Meta` of the type of this value.
    pub const fn meta_by<T: Described>(_: &T) -> &'static model::Meta {
        T::META
    }

    /// An entry of a history.
    pub struct Entry<T>(pub T);

    impl<T: Described> Entry<T> {
        /// The entry in the form that a list holds.
        pub fn boxed(self) -> Box<dyn model::Migration>
        where
            T: Send + Sync + 'static,
        {
            Box::new(self.0)
        }
    }

    /// What stands in for [`Entry::boxed`] where the type is no migration: that is an error already, where its `Meta` is
    /// asked for, and not to be said twice.
    pub trait Refused: Sized {
        /// Is never reached, since it does not compile.
        fn boxed(self) -> Box<dyn model::Migration> {
            unreachable!("an entry that is no migration does not compile")
        }
    }

    impl<T> Refused for Entry<T> {}
}
