use super::*;
use crate::__private::v1;
use crate::model::{EffectKind, LockClass, PgRange, Space, Step, Work};

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn effect(kind: EffectKind, verb: Verb, space: Space, owner: &str, name: &'static str, words: &'static str) -> Effect {
    v1::Effect {
        kind,
        verb,
        object: words,
        definition: "",
        id: v1::object(space, name, String::leak(owner.to_owned())),
        to: 0,
        to_name: "",
    }
    .build()
}

fn step(effects: &[Effect], destructive: bool) -> Step {
    v1::Step {
        kind: v1::StepKind::Statement,
        up: "SELECT 1",
        down: v1::Down::Sql(&[]),
        phase: Phase::Expand,
        lock: LockClass::AccessExclusive,
        locks: &[],
        work: Work::Metadata,
        transactional: true,
        destructive,
        effects: Vec::leak(effects.to_vec()),
        destroys: if destructive { &[Loss { relation: "t", column: None, cascades: false }] } else { &[] },
        concurrent: None,
        notes: &[],
    }
    .build()
}

fn parts(version: i64, phase: Phase, steps: Vec<Step>) -> v1::Meta {
    v1::Meta {
        version,
        name: leak(format!("M{version}")),
        location: "",
        doc: "",
        phase,
        lock: LockClass::AccessExclusive,
        transactional: true,
        pg: PgRange::SUPPORTED,
        steps: Vec::leak(steps),
        destructive: None,
        allows: &[],
        digest: leak(format!("v1:{version:016x}")),
        supersedes: &[],
        accept_late: None,
        deploy_from: None,
        new_since: &[],
        broken: false,
    }
}

fn on_table(table: &str) -> Vec<Step> {
    let words: &'static str = leak(format!("column {table}.c"));
    vec![step(&[effect(EffectKind::AddColumn, Verb::Make, Space::Column, table, "c", words)], false)]
}

fn meta(version: i64, phase: Phase, table: &str) -> &'static Meta {
    leak(parts(version, phase, on_table(table)).build())
}

fn row(version: i64, phase: Phase) -> Applied {
    Applied {
        version: Version::new(version),
        name: format!("M{version}"),
        phase,
        digest: format!("v1:{version:016x}"),
        state: State::Applied,
        passed: Vec::new(),
    }
}

fn versions(plan: &Plan) -> Vec<i64> {
    plan.planned().iter().map(|planned| planned.meta.version().get()).collect()
}

fn held(plan: &Plan) -> Vec<i64> {
    plan.held().iter().map(|held| held.meta.version().get()).collect()
}

use Phase::{Contract, Expand, Migrate};

#[test]
fn a_fresh_database_gets_everything_up_to_the_ceiling_in_order() {
    let history = [meta(1, Expand, "a"), meta(2, Migrate, "b"), meta(3, Contract, "c"), meta(4, Expand, "d")];
    let plan = Plan::new(&history, &[], 16, Expand).unwrap();
    assert_eq!((versions(&plan), held(&plan)), (vec![1, 4], vec![2, 3]));
    assert_eq!(plan.held()[0].why, HeldWhy::Phase { ceiling: Expand });
    assert_eq!(plan.planned()[1].passes, [Version::new(2), Version::new(3)]);
    let plan = Plan::new(&history, &[], 16, Migrate).unwrap();
    assert_eq!((versions(&plan), held(&plan)), (vec![1, 2, 4], vec![3]));
    let plan = Plan::new(&history, &[], 16, Contract).unwrap();
    assert_eq!((versions(&plan), held(&plan)), (vec![1, 2, 3, 4], vec![]));
}

#[test]
fn an_expand_waits_behind_a_held_one_that_touches_the_same_table() {
    let history = [meta(1, Contract, "a"), meta(2, Expand, "a"), meta(3, Expand, "b"), meta(4, Expand, "a")];
    let plan = Plan::new(&history, &[], 16, Expand).unwrap();
    assert_eq!((versions(&plan), held(&plan)), (vec![3], vec![1, 2, 4]));
    let HeldWhy::Behind { version, object } = &plan.held()[1].why else { panic!("{:?}", plan.held()[1]) };
    assert_eq!((version.get(), object.as_str()), (1, "column a.c"));
}

#[test]
fn waiting_is_passed_on() {
    // 2 waits for 1, and 3 touches what 2 touches though not what 1 does.
    let both = [on_table("a"), on_table("b")].concat();
    let history = [meta(1, Contract, "a"), leak(parts(2, Expand, both).build()), meta(3, Expand, "b")];
    let plan = Plan::new(&history, &[], 16, Expand).unwrap();
    assert_eq!((versions(&plan), held(&plan)), (vec![], vec![1, 2, 3]));
}

#[test]
fn what_only_uses_the_same_table_commutes() {
    let uses = |version, phase| {
        let used = effect(EffectKind::ReadRows, Verb::Use, Space::Relation, "", "shared", "table shared");
        let made: &'static str = leak(format!("table t{version}"));
        let made = effect(EffectKind::CreateTable, Verb::Make, Space::Relation, "", made, made);
        let meta: &'static Meta = leak(parts(version, phase, vec![step(&[used, made], false)]).build());
        meta
    };
    let plan = Plan::new(&[uses(1, Migrate), uses(2, Expand)], &[], 16, Expand).unwrap();
    assert_eq!(versions(&plan), [2]);
    let plan = Plan::new(&[uses(1, Migrate), meta(2, Expand, "shared")], &[], 16, Expand).unwrap();
    assert_eq!(versions(&plan), [0; 0]);
}

#[test]
fn a_relation_is_the_same_with_and_without_its_schema() {
    let named = |version, phase, name: &'static str| {
        let words: &'static str = leak(format!("table {name}"));
        let change = effect(EffectKind::SetTableOption, Verb::Alter, Space::Relation, "", name, words);
        let meta: &'static Meta = leak(parts(version, phase, vec![step(&[change], false)]).build());
        meta
    };
    let plan = Plan::new(&[named(1, Contract, "public.a"), named(2, Expand, "a")], &[], 16, Expand).unwrap();
    assert_eq!(versions(&plan), [0; 0]);
}

#[test]
fn what_is_not_known_passes_nothing_and_is_not_passed() {
    let assumed = effect(EffectKind::Assumed, Verb::Use, Space::Other, "", "", "taken on trust");
    for steps in [vec![step(&[assumed], false)], vec![step(&[], false)]] {
        let unknown: &'static Meta = leak(parts(2, Expand, steps).build());
        let plan = Plan::new(&[meta(1, Contract, "a"), unknown], &[], 16, Expand).unwrap();
        assert_eq!(held(&plan), [1, 2]);
        let mut parts = unknown.data;
        (parts.version, parts.phase) = (1, Contract);
        let plan = Plan::new(&[leak(parts.build()), meta(2, Expand, "a")], &[], 16, Expand).unwrap();
        assert_eq!(held(&plan), [1, 2]);
    }
    let schema = effect(EffectKind::DropSchema, Verb::Take, Space::Schema, "", "s", "schema s");
    let wide: &'static Meta = leak(parts(1, Contract, vec![step(&[schema], false)]).build());
    assert_eq!(held(&Plan::new(&[wide, meta(2, Expand, "a")], &[], 16, Expand).unwrap()), [1, 2]);
}

#[test]
fn what_was_passed_is_not_out_of_order_and_what_appeared_later_is() {
    let history = [meta(1, Expand, "a"), meta(2, Contract, "b"), meta(3, Expand, "c")];
    let mut third = row(3, Expand);
    third.passed = vec![Version::new(2)];
    let plan = Plan::new(&history, &[row(1, Expand), third.clone()], 16, Contract).unwrap();
    assert_eq!(versions(&plan), [2]);
    let refused = Plan::new(&history, &[row(1, Expand), row(3, Expand)], 16, Contract).unwrap_err();
    let [Refusal::OutOfOrder { meta: late, after }] = refused.refusals() else { panic!("{refused}") };
    assert_eq!((late.version().get(), after.get()), (2, 3));
    let text = refused.to_string();
    assert!(text.contains("Renumber") && text.contains("accept_late"), "{text}");
    // It is refused also where the phase would hold it back: nobody is to find out at the Contract.
    assert!(Plan::new(&history, &[row(1, Expand), row(3, Expand)], 16, Expand).is_err());
    let mut accepted = history[1].data;
    accepted.accept_late = Some("another team's");
    let history = [history[0], leak(accepted.build()), history[2]];
    assert_eq!(versions(&Plan::new(&history, &[row(1, Expand), row(3, Expand)], 16, Contract).unwrap()), [2]);
}

#[test]
fn an_edit_is_refused_unless_it_supersedes() {
    let mut applied = row(1, Expand);
    applied.digest = "v1:00000000000000aa".to_owned();
    let refused = Plan::new(&[meta(1, Expand, "a")], std::slice::from_ref(&applied), 16, Expand).unwrap_err();
    assert!(matches!(refused.refusals(), [Refusal::Edited { .. }]), "{refused}");
    assert!(refused.to_string().contains("supersedes = \"v1:00000000000000aa\""), "{refused}");
    let mut parts = parts(1, Expand, on_table("a"));
    parts.supersedes = &["v1:00000000000000aa"];
    let plan = Plan::new(&[leak(parts.build())], &[applied], 16, Expand).unwrap();
    assert_eq!((plan.accepted().len(), plan.already(), plan.is_nothing()), (1, 1, false));
}

#[test]
fn ahead_is_fine_until_a_contract_ran() {
    let history = [meta(1, Expand, "a")];
    let ledger = [row(1, Expand), row(2, Migrate)];
    let plan = Plan::new(&history, &ledger, 16, Expand).unwrap();
    assert!(plan.is_nothing());
    assert_eq!(plan.ahead().len(), 1);
    let ledger = [row(1, Expand), row(2, Migrate), row(3, Contract)];
    let refused = Plan::new(&history, &ledger, 16, Expand).unwrap_err();
    assert!(matches!(refused.refusals(), [Refusal::Ahead { contracts }] if contracts.len() == 1), "{refused}");
    assert!(refused.to_string().contains("3 M3"), "{refused}");
}

#[test]
fn an_applied_version_in_the_range_must_be_in_the_program() {
    let refused = Plan::new(&[meta(3, Expand, "a")], &[row(1, Expand), row(3, Expand)], 16, Expand).unwrap_err();
    assert!(matches!(refused.refusals(), [Refusal::Missing { applied }] if applied.version.get() == 1), "{refused}");
}

#[test]
fn every_reason_is_given() {
    let mut edited = row(2, Expand);
    edited.digest = "v1:other".to_owned();
    let refused =
        Plan::new(&[meta(2, Expand, "a")], &[row(1, Expand), edited, row(3, Contract)], 16, Expand).unwrap_err();
    assert_eq!(refused.refusals().len(), 3, "{refused}");
}

#[test]
fn servers_outside_the_range_are_refused_when_something_is_to_run() {
    let mut narrow = parts(1, Expand, on_table("a"));
    narrow.pg = PgRange::new(15, 16).unwrap();
    let narrow: &'static Meta = leak(narrow.build());
    assert!(Plan::new(&[narrow], &[], 15, Expand).is_ok());
    let refused = Plan::new(&[narrow], &[], 14, Expand).unwrap_err();
    assert!(matches!(refused.refusals(), [Refusal::Server { server: 14, .. }]), "{refused}");
    let refused = Plan::new(&[narrow], &[], 19, Expand).unwrap_err();
    assert!(matches!(refused.refusals(), [Refusal::UnsupportedServer { server: 19 }]), "{refused}");
    assert!(Plan::new(&[narrow], &[row(1, Expand)], 19, Expand).unwrap().is_nothing());
}

#[test]
fn broken_and_descending_histories_are_refused() {
    let broken: &'static Meta = leak(v1::Meta::broken("Bad"));
    let refused = Plan::new(&[meta(1, Expand, "a"), broken], &[], 16, Expand).unwrap_err();
    assert!(matches!(refused.refusals(), [Refusal::Broken { name: "Bad" }]), "{refused}");
    for second in [1, 2] {
        let refused = Plan::new(&[meta(2, Expand, "a"), meta(second, Expand, "b")], &[], 16, Expand).unwrap_err();
        assert!(matches!(refused.refusals(), [Refusal::NotAscending { .. }]), "{refused}");
    }
}

#[test]
fn an_unfinished_one_is_resumed_whatever_its_digest_was() {
    let mut unfinished = row(1, Expand);
    unfinished.state = State::Applying;
    unfinished.digest = "v1:before it was mended".to_owned();
    let plan = Plan::new(&[meta(1, Expand, "a"), meta(2, Expand, "b")], &[unfinished.clone()], 16, Expand).unwrap();
    assert_eq!(plan.planned()[0].unfinished, Some(State::Applying));
    assert_eq!((versions(&plan), plan.already()), (vec![1, 2], 0));
    // At start-up an unfinished Contract is held back like any other, and what touches the same waits for it.
    unfinished.phase = Contract;
    let plan = Plan::new(&[meta(1, Contract, "a"), meta(2, Expand, "a")], &[unfinished], 16, Expand).unwrap();
    assert_eq!(held(&plan), [1, 2]);
}

#[test]
fn gates_stand_before_destructive_steps() {
    let mut parts = parts(1, Contract, vec![on_table("a")[0], step(on_table("b")[0].effects(), true)]);
    parts.destructive = Some(v1::destructive(Backup::Dump, "NAME", "0"));
    let meta: &'static Meta = leak(parts.build());
    let plan = Plan::new(&[meta], &[], 16, Contract).unwrap();
    let gates = &plan.planned()[0].gates;
    assert_eq!(gates, &[GateNeed { step: 2, backup: Backup::Dump, losses: meta.steps()[1].destroys() }]);
    assert_eq!(plan.missing_backups(&[]).len(), 1);
    assert!(plan.missing_backups(&[Backup::Dump]).is_empty());
    // Held back, it wants no gate.
    assert!(Plan::new(&[meta], &[], 16, Expand).unwrap().missing_backups(&[]).is_empty());
}

#[cfg(feature = "sql")]
#[test]
fn a_baseline_is_what_is_left_of_it() {
    use crate::sql::{Name, check};

    let table = |verb, name: &'static str| effect(EffectKind::CreateTable, verb, Space::Relation, "", name, name);
    let column = |owner: &str| effect(EffectKind::AddColumn, Verb::Make, Space::Column, owner, "c", "column c");
    let baseline = [table(Verb::Make, "a"), table(Verb::Make, "b"), column("b"), table(Verb::Ensure, "d"), column("d")];
    let found = baseline.iter().map(|effect| check::CheckedEffect {
        kind: effect.kind,
        verb: effect.verb,
        object: effect.object.to_owned(),
        definition: String::new(),
        id: check::CheckedObject {
            space: effect.id.space,
            key: effect.id.key,
            name: effect.id.name.to_owned(),
            owner: effect.id.owner,
            owner_name: effect.id.owner_name.to_owned(),
        },
        to: 0,
        to_name: String::new(),
        columns_listed: false,
    });
    let name = check::CheckedName { owner: None, name: Name { schema: None, name: String::new() }, arguments: None };
    let read = check::CheckedBaseline {
        digest: String::new(),
        sql: None,
        names: vec![name; baseline.len()],
        effects: found.collect(),
        properties: Vec::new(),
    };
    let baseline = v1::baseline("", "", check::Words::of_baseline(&read).leak());
    assert_eq!(baseline_objects(&baseline, &[]).len(), 5);
    let drop: &'static Meta = leak(parts(1, Contract, vec![step(&[table(Verb::Take, "b")], false)]).build());
    let left: Vec<_> = baseline_objects(&baseline, &[drop]).iter().map(|(effect, _)| effect.object()).collect();
    assert_eq!(left, ["a", "d", "column c"]);
    // What no history follows has no key: that such a thing goes takes nothing else along.
    let mut cast = effect(EffectKind::DropObject, Verb::Take, Space::Other, "", "cast", "cast (a AS b)");
    cast.id.key = 0;
    let drop: &'static Meta = leak(parts(2, Contract, vec![step(&[cast], false)]).build());
    assert_eq!(baseline_objects(&baseline, &[drop]).len(), 5);
}

#[test]
fn what_was_begun_and_left_the_program_is_not_said_to_be_applied() {
    let history = [meta(2, Expand, "a")];
    let begun = Applied { state: State::Applying, ..row(1, Migrate) };
    let refused = Plan::new(&history, &[begun], 16, Expand).unwrap_err().to_string();
    assert!(refused.contains("migration 1 M1 was begun and is not finished (applying in the ledger)"), "{refused}");
    assert!(!refused.contains("is applied"), "{refused}");
}

fn step_of(up: &'static str, effects: &[Effect]) -> Step {
    v1::Step {
        kind: v1::StepKind::Statement,
        up,
        down: v1::Down::Sql(&[]),
        phase: Phase::Expand,
        lock: LockClass::None,
        locks: &[],
        work: Work::Metadata,
        transactional: true,
        destructive: false,
        effects: Vec::leak(effects.to_vec()),
        destroys: &[],
        concurrent: None,
        notes: &[],
    }
    .build()
}

/// What is held behind the first, which is held by its phase.
fn behind(held: &'static Meta, later: &'static Meta) -> bool {
    let plan = Plan::new(&[held, later], &[], 16, Expand).unwrap();
    matches!(plan.held().get(1).map(|held| &held.why), Some(HeldWhy::Behind { .. }))
}

fn of_steps(version: i64, phase: Phase, steps: Vec<Step>) -> &'static Meta {
    leak(parts(version, phase, steps).build())
}

#[test]
fn what_a_held_one_makes_or_changes_is_found_by_name_in_the_sql_of_a_later_one() {
    let carts = || effect(EffectKind::AddColumn, Verb::Make, Space::Column, "carts", "state", "column carts.state");
    let state = |verb| effect(EffectKind::CreateType, verb, Space::Type, "", "public.order_state", "type order_state");
    let held = of_steps(1, Contract, vec![step_of("CREATE TYPE order_state AS ENUM ('a')", &[state(Verb::Make)])]);
    let later = of_steps(2, Expand, vec![step_of("ALTER TABLE carts ADD COLUMN state \"order_state\"[]", &[carts()])]);
    assert!(behind(held, later));
    let other = of_steps(2, Expand, vec![step_of("ALTER TABLE carts ADD COLUMN order_states text", &[carts()])]);
    assert!(!behind(held, other));

    let f =
        || effect(EffectKind::ReplaceFunction, Verb::Ensure, Space::Routine, "", "public.f(text)", "function f(text)");
    let fill =
        || effect(EffectKind::UpdateRows, Verb::Rows, Space::Relation, "", "public.orders", "table public.orders");
    let uses = of_steps(1, Migrate, vec![step_of("UPDATE orders SET x = F(y)", &[fill()])]);
    let replaces = of_steps(2, Expand, vec![step_of("CREATE OR REPLACE FUNCTION f(text) …", &[f()])]);
    assert!(behind(uses, replaces));

    let odd = || effect(EffectKind::CreateType, Verb::Make, Space::Type, "", "public.\"a b\"", "type \"a b\"");
    let makes = of_steps(1, Contract, vec![step_of("CREATE TYPE \"a b\" AS ENUM ('a')", &[odd()])]);
    assert!(behind(
        makes,
        of_steps(2, Expand, vec![step_of("ALTER TABLE carts ADD COLUMN state \"a b\"", &[carts()])])
    ));
}

#[test]
fn a_grant_on_all_tables_waits_for_a_held_one_that_makes_some() {
    let grant = || effect(EffectKind::ChangeObject, Verb::Alter, Space::Schema, "", "public", "schema public");
    let makes = |owner: &'static str| {
        let of = effect(EffectKind::CreateTable, Verb::Make, Space::Relation, owner, "audit", "table audit");
        of_steps(1, Contract, vec![step_of("CREATE TABLE audit ()", &[of])])
    };
    let all = of_steps(2, Expand, vec![step_of("GRANT SELECT ON ALL TABLES IN SCHEMA public TO r", &[grant()])]);
    assert!(behind(makes(""), all));
    let alters = meta(1, Contract, "a");
    assert!(!behind(alters, all), "it has no new table to reach");
}

#[test]
fn default_privileges_are_changed_in_order() {
    let defaults =
        || effect(EffectKind::ChangeObject, Verb::Alter, Space::Other, "", "default privileges", "default privileges");
    let of = |version, phase| of_steps(version, phase, vec![step_of("ALTER DEFAULT PRIVILEGES …", &[defaults()])]);
    assert!(behind(of(1, Contract), of(2, Expand)));
}

#[test]
fn a_late_one_is_refused_beside_one_that_is_under_way() {
    let history = [meta(1, Expand, "a"), meta(5, Expand, "b"), meta(10, Expand, "c")];
    let under_way = Applied { state: State::Applying, ..row(10, Expand) };
    let refused = Plan::new(&history, &[row(1, Expand), under_way], 16, Expand).unwrap_err();
    assert!(refused.to_string().contains("M5"), "{refused}");
}
