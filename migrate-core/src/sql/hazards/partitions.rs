//! Partitions attached, made and detached in ways that stop the whole partitioned table.

use super::case::{Case, held, waiting};
use super::safe_form::{SafeForm, declared, step, struct_name, validate};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase};
use crate::sql::ast::{CreateTable, PartitionBound, Persistence, Stmt, TableAction};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::schema::Fact;

pub(super) static DETACH: Hazard = Hazard {
    name: "detach-not-concurrent",
    title: "DETACH PARTITION without CONCURRENTLY",
    severity: Severity::Blocking,
    why: "The whole partitioned table is locked, not only the partition: every query of it waits.",
    lock: "ACCESS EXCLUSIVE on the parent and the partition",
    safe: "DETACH PARTITION … CONCURRENTLY, outside of a transaction; refused beside a default partition.",
};

pub(super) fn detect_detach(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let TableAction::DetachPartition { partition, concurrently: false, finalize: false } = action.action else {
            continue;
        };
        let lock = case.lock_on(&action.relation);
        // Beside a default partition the server has no other form.
        if !lock.blocks_reads() || case.before.default_partition_of(&action.relation).is_some() {
            continue;
        }
        let parent = &action.alter.name;
        let message = format!(
            "DETACH PARTITION takes {} on {}, the whole partitioned table: {}",
            lock.sql(),
            action.relation,
            waiting(lock)
        );
        let bound = case.table(&case.before.resolve(partition)).and_then(|table| match &table.partition_of {
            Fact::Known(Some((_, bound))) => Some(bound),
            _ => None,
        });
        let mut form = SafeForm::new();
        if bound.is_none() {
            form = form.note("The bound in the down is the partition's own, as \\d+ shows it.");
        }
        let bound = bound.map_or_else(|| "FOR VALUES FROM ('A') TO ('B')".to_owned(), print::bound);
        form = form.migration(
            &struct_name("Detach", &[&partition.name]),
            declared(Phase::Contract, LockClass::AccessExclusive).alone(),
            &[step(
                format!("ALTER TABLE {parent} DETACH PARTITION {partition} CONCURRENTLY"),
                format!("ALTER TABLE {parent} ATTACH PARTITION {partition} {bound}"),
            )],
        );
        found.push(Finding::new(&DETACH, message).about(&action.relation).at(case.text, "detach").safe(form));
    }
    found
}

pub(super) static ATTACH: Hazard = Hazard {
    name: "attach-scans",
    title: "ATTACH PARTITION that reads the partition or the default partition",
    severity: Severity::Blocking,
    why: "Unless a valid CHECK proves that every row is within the bound, the partition is read while it is locked; the \
          default partition likewise, for rows that belong to the new one; and indexes that the parent has and the partition \
          has not are built.",
    lock: "ACCESS EXCLUSIVE on the partition and on the default partition",
    safe: "CHECK (key is not null and within the bound) NOT VALID on the partition, VALIDATE, ATTACH, DROP the CHECK. A default \
           partition: a valid CHECK on it that excludes the new bound. Indexes: CONCURRENTLY on the partition first.",
};

pub(super) fn detect_attach(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let TableAction::AttachPartition { partition, bound } = action.action else { continue };
        let waited_for: Vec<_> = case.blocked_tables();
        let child = case.before.resolve(partition);
        let default = case.before.default_partition_of(&action.relation);
        let concerned = waited_for.iter().find(|(name, _)| **name == child || Some(*name) == default.as_ref());
        let Some((relation, lock)) = concerned else { continue };
        if !action.works() {
            continue;
        }
        let message = held("ATTACH PARTITION", *lock, relation, "its rows are checked", &action.because);
        let parent = &action.alter.name;
        let key = key_columns(case, &action.relation);
        found.push(Finding::new(&ATTACH, message).about(relation).at(case.text, "attach").safe(proved(
            parent,
            partition,
            bound,
            key.as_deref(),
        )));
    }
    found
}

fn key_columns(case: &Case<'_>, parent: &Name) -> Option<String> {
    match &case.table(parent)?.partition_by {
        Fact::Known(Some(by)) => match by.columns.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// CHECK NOT VALID, VALIDATE, ATTACH, drop the CHECK.
fn proved(parent: &Name, partition: &Name, bound: &PartitionBound, key: Option<&str>) -> SafeForm {
    let constraint = format!("{}_bound", partition.name);
    let named = quoted(&constraint);
    let check = check_of(bound, key);
    let add = format!("ALTER TABLE {partition} ADD CONSTRAINT {named} CHECK ({check})");
    let drop = format!("ALTER TABLE {partition} DROP CONSTRAINT {named}");
    SafeForm::new()
        .note("The CHECK says what the bound says (pg_get_partition_constraintdef shows it after a rehearsal).")
        .migration(
            &struct_name("Prove", &[&constraint]),
            declared(Phase::Contract, LockClass::AccessExclusive),
            &[step(format!("{add} NOT VALID"), drop.clone())],
        )
        .migration(
            &struct_name("Validate", &[&constraint]),
            declared(Phase::Migrate, LockClass::ShareUpdateExclusive),
            &[validate(partition, &constraint)],
        )
        .migration(
            &struct_name("Attach", &[&partition.name]),
            // Alone, the derive knows nothing of the parent's key.
            declared(Phase::Expand, LockClass::AccessExclusive)
                .allowing(ATTACH.name, "the valid CHECK proves that every row is within the bound"),
            &[
                step(
                    format!("ALTER TABLE {parent} ATTACH PARTITION {partition} {}", print::bound(bound)),
                    format!("ALTER TABLE {parent} DETACH PARTITION {partition}"),
                ),
                step(drop, add),
            ],
        )
}

/// The partition constraint of a bound over one column. The key stands as `KEY` where it is not known.
fn check_of(bound: &PartitionBound, key: Option<&str>) -> String {
    let key = key.map_or_else(|| "\"KEY\"".to_owned(), quoted);
    let PartitionBound::Values(text) = bound else {
        return format!("{key} IS NOT NULL");
    };
    let lower = text.to_ascii_lowercase();
    let between = |from: usize| {
        let open = text[from..].find('(')? + from;
        let close = text[open..].find(')')? + open;
        Some((text[open + 1..close].trim().to_owned(), close))
    };
    let mut conditions = vec![format!("{key} IS NOT NULL")];
    if let Some(from) = lower.find("from")
        && let Some((low, end)) = between(from)
        && let Some((high, _)) = between(end + 1)
    {
        if !low.eq_ignore_ascii_case("minvalue") {
            conditions.push(format!("{key} >= {low}"));
        }
        if !high.eq_ignore_ascii_case("maxvalue") {
            conditions.push(format!("{key} < {high}"));
        }
    } else if let Some(values) = lower.find(" in")
        && let Some((values, _)) = between(values)
    {
        conditions.push(format!("{key} IN ({values})"));
    }
    conditions.join(" AND ")
}

pub(super) static CREATE: Hazard = Hazard {
    name: "partition-of-live-parent",
    title: "CREATE TABLE … PARTITION OF on a live parent",
    severity: Severity::Blocking,
    why: "The whole partitioned table is locked: every query of it waits, and everything queues behind that wait; a default \
          partition is read meanwhile.",
    lock: "ACCESS EXCLUSIVE on the parent and on the default partition; ATTACH takes only SHARE UPDATE EXCLUSIVE on the parent",
    safe: "CREATE TABLE (LIKE parent INCLUDING ALL), then ATTACH PARTITION.",
};

pub(super) fn detect_create(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::CreateTable(create) = case.stmt else { return Vec::new() };
    let Some((parent, bound)) = &create.partition_of else { return Vec::new() };
    let Some(relation) = case.old(parent) else { return Vec::new() };
    let lock = case.lock_on(&relation);
    if !lock.blocks_reads() {
        return Vec::new();
    }
    let mut message = format!(
        "CREATE TABLE … PARTITION OF takes {} on {relation}, the whole partitioned table: {}",
        lock.sql(),
        waiting(lock)
    );
    for because in case.because() {
        message.push_str("; ");
        message.push_str(&because);
    }
    vec![
        Finding::new(&CREATE, message)
            .about(&relation)
            .at(case.text, "partition of")
            .safe(made_apart(create, parent, bound)),
    ]
}

fn made_apart(create: &CreateTable, parent: &Name, bound: &PartitionBound) -> SafeForm {
    let name = &create.name;
    let mut form = SafeForm::new();
    if create.partition_by.is_some() {
        form = form.note("PARTITION BY of the new table stays as it was written; its own partitions come after.");
    }
    if !create.columns.is_empty() || !create.constraints.is_empty() {
        form = form
            .note("The partition's own defaults and constraints follow as ALTER TABLE steps, before it is attached.");
    }
    let unlogged = if create.persistence == Persistence::Unlogged { "UNLOGGED " } else { "" };
    let by = create.partition_by.as_ref().map_or_else(String::new, |by| format!(" PARTITION BY {}", by.text));
    form.migration(
        &struct_name("Create", &[&name.name]),
        declared(Phase::Expand, LockClass::ShareUpdateExclusive),
        &[
            step(
                // A partition takes its parent's identity (from 17 on), and may have none of its own.
                format!("CREATE {unlogged}TABLE {name} (LIKE {parent} INCLUDING ALL EXCLUDING IDENTITY){by}"),
                format!("DROP TABLE {name}"),
            ),
            step(
                format!("ALTER TABLE {parent} ATTACH PARTITION {name} {}", print::bound(bound)),
                format!("ALTER TABLE {parent} DETACH PARTITION {name}"),
            ),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, safe, shop, unknown};

    #[test]
    fn detached_under_a_lock_on_the_whole_table() {
        for before in [shop(), unknown()] {
            let sql = "ALTER TABLE events DETACH PARTITION events_2025";
            assert_eq!(refused(&before, sql), ["detach-not-concurrent"]);
            safe(&before, sql, "detach-not-concurrent");
        }
        let beside_default = made_by(
            "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);
             CREATE TABLE pd PARTITION OF p DEFAULT",
        );
        assert!(refused(&beside_default, "ALTER TABLE p DETACH PARTITION p1").is_empty());
    }

    #[test]
    fn attached_with_a_scan() {
        let sql = "ALTER TABLE events ATTACH PARTITION events_old FOR VALUES FROM ('2020-01-01') TO ('2025-01-01')";
        assert_eq!(refused(&shop(), sql), ["attach-scans"]);
        let form = safe(&shop(), sql, "attach-scans");
        assert!(
            form.contains("CHECK (at IS NOT NULL AND at >= '2020-01-01' AND at < '2025-01-01') NOT VALID"),
            "{form}"
        );
    }

    #[test]
    fn made_in_place() {
        let sql = "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["partition-of-live-parent"]);
        }
        safe(&shop(), sql, "partition-of-live-parent");
        let both_new = "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)";
        assert!(refused(&unknown(), both_new).is_empty());
    }
}
