//! Every action of ALTER TABLE.

use super::{action, one};
use crate::sql::Name;
use crate::sql::ast::*;

#[test]
#[allow(clippy::large_stack_arrays, reason = "a table, once, in a test")]
fn actions_without_parts_of_their_own() {
    let name = || "x".to_owned();
    let cases = [
        ("DROP COLUMN IF EXISTS x CASCADE", TableAction::DropColumn { name: name(), if_exists: true, cascade: true }),
        ("DROP x", TableAction::DropColumn { name: name(), if_exists: false, cascade: false }),
        ("ALTER x DROP DEFAULT", TableAction::DropDefault { column: name() }),
        ("ALTER x SET NOT NULL", TableAction::SetNotNull { column: name() }),
        ("ALTER x DROP NOT NULL", TableAction::DropNotNull { column: name() }),
        ("ALTER x DROP EXPRESSION IF EXISTS", TableAction::DropExpression { column: name(), if_exists: true }),
        ("ALTER x DROP IDENTITY", TableAction::DropIdentity { column: name(), if_exists: false }),
        ("ALTER x SET STATISTICS 7", TableAction::SetStatistics { column: name(), target: "7".into() }),
        ("ALTER x SET STATISTICS DEFAULT", TableAction::SetStatistics { column: name(), target: "-1".into() }),
        ("ALTER x SET STORAGE MAIN", TableAction::SetStorage { column: name(), storage: "main".into() }),
        ("ALTER x SET COMPRESSION lz4", TableAction::SetCompression { column: name(), method: "lz4".into() }),
        (
            "ALTER x SET (n_distinct = 5)",
            TableAction::SetColumnOptions { column: name(), options: vec![("n_distinct".into(), Some("5".into()))] },
        ),
        (
            "ALTER x RESET (n_distinct)",
            TableAction::ResetColumnOptions { column: name(), options: vec!["n_distinct".into()] },
        ),
        (
            "ALTER x OPTIONS (SET a 'b')",
            TableAction::ForeignOptions { column: Some(name()), text: "options (set a 'b')".into() },
        ),
        ("VALIDATE CONSTRAINT x", TableAction::ValidateConstraint { name: name() }),
        (
            "DROP CONSTRAINT IF EXISTS x CASCADE",
            TableAction::DropConstraint { name: name(), if_exists: true, cascade: true },
        ),
        ("RENAME CONSTRAINT x TO y", TableAction::RenameConstraint { name: name(), to: "y".into() }),
        ("RENAME x TO y", TableAction::RenameColumn { name: name(), to: "y".into() }),
        ("RENAME TO y", TableAction::RenameTo { to: "y".into() }),
        ("SET SCHEMA s", TableAction::SetSchema { to: "s".into() }),
        ("OWNER TO bob", TableAction::OwnerTo { to: "bob".into() }),
        (
            "ENABLE TRIGGER x",
            TableAction::EnableTrigger { which: TriggerScope::Named(name()), mode: TriggerMode::Origin },
        ),
        (
            "ENABLE ALWAYS TRIGGER x",
            TableAction::EnableTrigger { which: TriggerScope::Named(name()), mode: TriggerMode::Always },
        ),
        (
            "ENABLE REPLICA TRIGGER x",
            TableAction::EnableTrigger { which: TriggerScope::Named(name()), mode: TriggerMode::Replica },
        ),
        ("ENABLE TRIGGER USER", TableAction::EnableTrigger { which: TriggerScope::User, mode: TriggerMode::Origin }),
        ("DISABLE TRIGGER ALL", TableAction::DisableTrigger { which: TriggerScope::All }),
        ("ENABLE REPLICA RULE x", TableAction::EnableRule { name: name(), mode: TriggerMode::Replica }),
        ("DISABLE RULE x", TableAction::DisableRule { name: name() }),
        ("ENABLE ROW LEVEL SECURITY", TableAction::RowSecurity(RowSecurity::Enable)),
        ("DISABLE ROW LEVEL SECURITY", TableAction::RowSecurity(RowSecurity::Disable)),
        ("FORCE ROW LEVEL SECURITY", TableAction::RowSecurity(RowSecurity::Force)),
        ("NO FORCE ROW LEVEL SECURITY", TableAction::RowSecurity(RowSecurity::NoForce)),
        ("CLUSTER ON x", TableAction::ClusterOn { index: name() }),
        ("SET WITHOUT CLUSTER", TableAction::SetWithoutCluster),
        ("SET WITHOUT OIDS", TableAction::SetWithoutOids),
        ("SET TABLESPACE x", TableAction::SetTablespace { to: name() }),
        ("SET LOGGED", TableAction::SetLogged),
        ("SET UNLOGGED", TableAction::SetUnlogged),
        ("SET ACCESS METHOD heap", TableAction::SetAccessMethod { method: Some("heap".into()) }),
        ("SET ACCESS METHOD DEFAULT", TableAction::SetAccessMethod { method: None }),
        (
            "SET (fillfactor = '70')",
            TableAction::SetOptions { options: vec![("fillfactor".into(), Some("70".into()))] },
        ),
        ("RESET (fillfactor)", TableAction::ResetOptions { options: vec!["fillfactor".into()] }),
        ("INHERIT s.x", TableAction::Inherit { parent: Name::qualified("s", "x") }),
        ("NO INHERIT x", TableAction::NoInherit { parent: Name::bare("x") }),
        ("OF s.x", TableAction::OfType { name: Name::qualified("s", "x") }),
        ("NOT OF", TableAction::NotOf),
        ("REPLICA IDENTITY FULL", TableAction::ReplicaIdentity(ReplicaIdentity::Full)),
        ("REPLICA IDENTITY NOTHING", TableAction::ReplicaIdentity(ReplicaIdentity::Nothing)),
        ("REPLICA IDENTITY DEFAULT", TableAction::ReplicaIdentity(ReplicaIdentity::Default)),
        ("REPLICA IDENTITY USING INDEX x", TableAction::ReplicaIdentity(ReplicaIdentity::Index(name()))),
        (
            "ATTACH PARTITION x DEFAULT",
            TableAction::AttachPartition { partition: Name::bare("x"), bound: PartitionBound::Default },
        ),
        (
            "DETACH PARTITION x CONCURRENTLY",
            TableAction::DetachPartition { partition: Name::bare("x"), concurrently: true, finalize: false },
        ),
        (
            "DETACH PARTITION x FINALIZE",
            TableAction::DetachPartition { partition: Name::bare("x"), concurrently: false, finalize: true },
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(action(&format!("ALTER TABLE t {sql}")), expected, "{sql}");
    }
}

#[test]
fn actions_with_types_and_expressions() {
    let TableAction::SetType { column, data_type, collation, using } =
        action("ALTER TABLE t ALTER COLUMN c SET DATA TYPE character varying(9) COLLATE \"C\" USING c :: text || $1")
    else {
        panic!()
    };
    assert_eq!((column.as_str(), data_type.name, collation), ("c", Name::bare("varchar"), Some(Name::bare("C"))));
    assert_eq!(using.map(|using| using.text).as_deref(), Some("c::text || $1"));
    let TableAction::SetDefault { expression, .. } =
        action("ALTER TABLE t ALTER c SET DEFAULT nextval('s.q'::regclass)")
    else {
        panic!()
    };
    assert_eq!(expression.sequences, [Name::qualified("s", "q")]);
    let TableAction::SetExpression { expression, .. } = action("ALTER TABLE t ALTER c SET EXPRESSION AS (a * 2)")
    else {
        panic!()
    };
    assert_eq!(expression.text, "a * 2");
    let TableAction::AddIdentity { identity, .. } =
        action("ALTER TABLE t ALTER c ADD GENERATED ALWAYS AS IDENTITY (CACHE 5)")
    else {
        panic!()
    };
    assert_eq!((identity.always, identity.options.settings), (true, vec![("CACHE".to_owned(), "5".to_owned())]));
    let TableAction::SetIdentity { always, options, .. } =
        action("ALTER TABLE t ALTER c SET GENERATED BY DEFAULT SET INCREMENT 3 RESTART WITH 9")
    else {
        panic!()
    };
    assert_eq!((always, options.restart), (Some(false), Some(Some("9".to_owned()))));
    assert_eq!(options.settings, [("INCREMENT".to_owned(), "3".to_owned())]);
    let altered = TableAction::AlterConstraint {
        name: "k".into(),
        deferrable: Some(false),
        initially_deferred: Some(false),
        enforced: None,
        inherit: None,
    };
    assert_eq!(action("ALTER TABLE t ALTER CONSTRAINT k NOT DEFERRABLE INITIALLY IMMEDIATE"), altered);
}

#[test]
fn several_actions_and_other_relations() {
    let Stmt::AlterTable(alter) = one("ALTER TABLE IF EXISTS ONLY db.s.t DROP a, DROP b") else { panic!() };
    assert_eq!(
        (alter.name, alter.only, alter.if_exists, alter.actions.len()),
        (Name::qualified("s", "t"), true, true, 2)
    );
    let kind = |sql: &str| match one(sql) {
        Stmt::AlterTable(alter) => alter.kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind("ALTER VIEW v RENAME TO w"), ObjectKind::View);
    assert_eq!(kind("ALTER MATERIALIZED VIEW v SET TABLESPACE w"), ObjectKind::MaterializedView);
    assert_eq!(kind("ALTER INDEX v SET (fillfactor = 7)"), ObjectKind::Index);
    assert_eq!(kind("ALTER SEQUENCE v SET LOGGED"), ObjectKind::Sequence);
    assert_eq!(kind("ALTER FOREIGN TABLE v DROP c"), ObjectKind::ForeignTable);
}
