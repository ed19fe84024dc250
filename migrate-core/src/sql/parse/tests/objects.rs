//! Everything that is not a table or a query: objects, access, triggers, replication, sessions, maintenance.

use super::one;
use crate::model::LockClass;
use crate::sql::Name;
use crate::sql::ast::*;

#[test]
fn drops() {
    let read = |sql: &str| match one(sql) {
        Stmt::Drop(drop) => drop,
        other => panic!("{other:?}"),
    };
    let index = read("DROP INDEX CONCURRENTLY IF EXISTS s.i");
    assert!(index.concurrently && index.if_exists && !index.cascade);
    assert_eq!(
        index.targets,
        [Target { kind: ObjectKind::Index, name: Name::qualified("s", "i"), on: None, args: None }]
    );
    let functions = read("DROP FUNCTION f(a int, OUT b int), g CASCADE");
    assert!(functions.cascade);
    assert_eq!(functions.targets[0].args.as_ref().map(Vec::len), Some(1));
    assert_eq!(functions.targets[1].args, None);
    assert_eq!(read("DROP TRIGGER g ON s.t").targets[0].on, Some(Name::qualified("s", "t")));
    assert_eq!(read("DROP OPERATOR s.+ (int, NONE)").targets[0].name, Name::qualified("s", "+"));
    assert_eq!(read("DROP CAST (int AS text)").targets[0].name.name, "int4 as text");
    assert_eq!(read("DROP OWNED BY bob, eve").targets.len(), 2);
    assert_eq!(read("DROP OPERATOR CLASS c USING gin").targets[0].on, Some(Name::bare("gin")));
}

#[test]
fn comments_and_labels() {
    let target = |sql: &str| match one(sql) {
        Stmt::Comment { target, .. } => target,
        other => panic!("{other:?}"),
    };
    let column = target("COMMENT ON COLUMN s.t.c IS 'x'");
    assert_eq!(
        (column.kind, column.name, column.on),
        (ObjectKind::Column, Name::bare("c"), Some(Name::qualified("s", "t")))
    );
    let constraint = target("COMMENT ON CONSTRAINT c ON DOMAIN s.d IS NULL");
    assert_eq!((constraint.kind, constraint.on), (ObjectKind::DomainConstraint, Some(Name::qualified("s", "d"))));
    assert_eq!(target("COMMENT ON POLICY p ON t IS ''").on, Some(Name::bare("t")));
    assert_eq!(target("COMMENT ON FUNCTION f(int) IS ''").args.map(|args| args.len()), Some(1));
    assert!(matches!(one("COMMENT ON TABLE t IS E'a\\tb'"), Stmt::Comment { text: Some(text), .. } if text == "a\tb"));
    assert!(matches!(one("COMMENT ON TABLE t IS NULL"), Stmt::Comment { text: None, .. }));
}

#[test]
fn grants() {
    let read = |sql: &str| match one(sql) {
        Stmt::Grant(grant) => grant,
        other => panic!("{other:?}"),
    };
    let grant = read("GRANT SELECT (a, b), update ON s.t, u TO bob, PUBLIC WITH GRANT OPTION GRANTED BY eve");
    assert_eq!(grant.privileges, [("SELECT".into(), vec!["a".into(), "b".into()]), ("UPDATE".into(), vec![])]);
    assert_eq!(grant.objects.iter().map(|target| target.name.to_string()).collect::<Vec<_>>(), ["s.t", "u"]);
    assert_eq!(
        (grant.grantees.join(","), grant.grant_option, grant.granted_by.as_deref()),
        ("bob,public".into(), true, Some("eve"))
    );
    assert!(!grant.revoke && !grant.of_roles);
    let all = read("REVOKE GRANT OPTION FOR ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA a, b FROM bob CASCADE");
    assert!(all.revoke && all.grant_option && all.cascade);
    assert_eq!(
        (all.privileges[0].0.as_str(), all.all_kind, all.all_in_schemas.join(",")),
        ("ALL", Some(ObjectKind::Sequence), "a,b".into())
    );
    let roles = read("GRANT a, \"B\" TO bob WITH ADMIN OPTION");
    assert!(roles.of_roles && roles.grant_option);
    assert_eq!(roles.privileges.iter().map(|(role, _)| role.as_str()).collect::<Vec<_>>(), ["a", "B"]);
    let function = read("GRANT EXECUTE ON FUNCTION f(integer) TO bob");
    assert_eq!(function.objects[0].args.as_ref().map(|args| args[0].name.name.as_str()), Some("int4"));
    assert_eq!(read("GRANT USAGE ON SCHEMA s TO bob").objects[0].kind, ObjectKind::Schema);
    assert_eq!(read("GRANT SET ON PARAMETER my.setting TO bob").objects[0].name.name, "my.setting");
}

#[test]
fn triggers_and_policies() {
    let Stmt::CreateTrigger(read) =
        one("CREATE OR REPLACE CONSTRAINT TRIGGER g AFTER INSERT OR UPDATE OF a, b ON s.t FROM u INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.a > 1) EXECUTE PROCEDURE s.f('x')")
    else {
        panic!()
    };
    assert_eq!(
        (read.name.as_str(), read.table, read.function),
        ("g", Name::qualified("s", "t"), Name::qualified("s", "f"))
    );
    assert!(read.or_replace && read.constraint && read.for_each_row && !read.instead_of);
    assert_eq!(read.events, ["INSERT", "UPDATE OF a, b"]);
    assert_eq!(read.from, Some(Name::bare("u")));
    let definition = "after insert or update of a, b from u deferrable initially deferred for each row when (new.a > 1) execute function s.f('x')";
    assert_eq!(read.definition, definition);
    let Stmt::CreatePolicy(policy) =
        one("CREATE POLICY p ON s.t AS RESTRICTIVE FOR UPDATE TO bob, PUBLIC USING (a > 1) WITH CHECK (b)")
    else {
        panic!()
    };
    assert_eq!(
        (policy.permissive, policy.command.as_str(), policy.roles.join(",")),
        (false, "UPDATE", "bob,public".into())
    );
    assert_eq!(policy.using.map(|using| using.text).as_deref(), Some("a > 1"));
    assert_eq!(policy.with_check.map(|check| check.text).as_deref(), Some("b"));
    let Stmt::CreatePolicy(plain) = one("CREATE POLICY p ON t") else { panic!() };
    assert_eq!((plain.permissive, plain.command.as_str()), (true, "ALL"));
    assert!(
        matches!(one("CREATE RULE r AS ON DELETE TO s.t DO INSTEAD NOTHING"), Stmt::CreateRule { table, .. } if table == Name::qualified("s", "t"))
    );
}

#[test]
fn types_and_domains() {
    let Stmt::CreateType { definition: TypeDefinition::Enum { values }, .. } =
        one("CREATE TYPE t AS ENUM ('a', 'it''s')")
    else {
        panic!()
    };
    assert_eq!(values, ["a", "it's"]);
    let Stmt::CreateType { definition: TypeDefinition::Composite { attributes }, .. } =
        one("CREATE TYPE t AS (a int, b text COLLATE \"C\")")
    else {
        panic!()
    };
    assert_eq!((attributes[0].0.as_str(), attributes[1].2.clone()), ("a", Some(Name::bare("C"))));
    let Stmt::CreateType { definition: TypeDefinition::Range { subtype, .. }, .. } =
        one("CREATE TYPE t AS RANGE (subtype = float)")
    else {
        panic!()
    };
    assert_eq!(subtype.map(|ty| ty.name), Some(Name::bare("float8")));
    let added = Stmt::AlterEnumAddValue {
        name: Name::bare("t"),
        if_not_exists: true,
        value: "x".into(),
        place: Some((Placement::After, "y".into())),
    };
    assert_eq!(one("ALTER TYPE t ADD VALUE IF NOT EXISTS 'x' AFTER 'y'"), added);
    let Stmt::CreateDomain(domain) =
        one("CREATE DOMAIN s.d AS text COLLATE \"C\" DEFAULT 'x' CONSTRAINT c CHECK (VALUE <> '') NOT NULL")
    else {
        panic!()
    };
    assert_eq!((domain.collation, domain.not_null), (Some(Name::bare("C")), true));
    assert_eq!(domain.default.map(|default| default.text).as_deref(), Some("'x'"));
    assert_eq!(domain.checks[0].0.as_deref(), Some("c"));
    let alter = |sql: &str| match one(&format!("ALTER DOMAIN d {sql}")) {
        Stmt::AlterDomain { action, .. } => action,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        alter("ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID"),
        DomainAction::AddCheck { name: Some(_), not_valid: true, .. }
    ));
    assert!(matches!(alter("SET DEFAULT 5"), DomainAction::SetDefault(_)));
    assert_eq!(alter("VALIDATE CONSTRAINT c"), DomainAction::ValidateConstraint { name: "c".into() });
    assert_eq!(alter("RENAME CONSTRAINT c TO d"), DomainAction::RenameConstraint { name: "c".into(), to: "d".into() });
    assert_eq!(
        alter("DROP CONSTRAINT IF EXISTS c CASCADE"),
        DomainAction::DropConstraint { name: "c".into(), if_exists: true, cascade: true }
    );
    assert_eq!(alter("SET NOT NULL"), DomainAction::SetNotNull);
    assert_eq!(alter("ADD NOT NULL"), DomainAction::AddNotNull { name: None });
}

#[test]
fn sequences_and_views() {
    let Stmt::CreateSequence(read) =
        one("CREATE TEMP SEQUENCE IF NOT EXISTS s.q AS int INCREMENT BY -2 NO MAXVALUE CYCLE OWNED BY s.t.c")
    else {
        panic!()
    };
    assert!(read.temporary && read.if_not_exists && !read.unlogged);
    assert_eq!(read.options.data_type.map(|ty| ty.name), Some(Name::bare("int4")));
    let settings = [("INCREMENT", "-2"), ("MAXVALUE", "NO"), ("CYCLE", "YES")];
    assert_eq!(read.options.settings, settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(read.options.owned_by, Some(Some((Name::qualified("s", "t"), "c".into()))));
    assert!(matches!(one("ALTER SEQUENCE q OWNED BY NONE RESTART"), Stmt::AlterSequence { options, .. }
        if options.owned_by == Some(None) && options.restart == Some(None)));
    let Stmt::CreateView(view) = one(
        "CREATE OR REPLACE TEMP RECURSIVE VIEW s.v (a) WITH (security_invoker) AS SELECT 1 FROM t WITH CASCADED CHECK OPTION",
    ) else {
        panic!()
    };
    assert!(view.or_replace && view.temporary && view.recursive);
    assert_eq!((view.columns.join(","), view.definition.as_str()), ("a".into(), "select 1 from t"));
    assert_eq!(view.options, "with (security_invoker) with cascaded check option");
    let Stmt::CreateMaterializedView(stored) = one(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS m USING heap WITH (fillfactor = 7) TABLESPACE x AS SELECT 1 WITH NO DATA",
    ) else {
        panic!()
    };
    assert!(stored.if_not_exists && !stored.with_data);
    assert_eq!((stored.using.as_deref(), stored.tablespace.as_deref()), (Some("heap"), Some("x")));
    assert!(matches!(one("CREATE TEMP TABLE t (a, b) AS SELECT 1, 2"), Stmt::CreateTableAs(table)
        if table.columns == ["a", "b"] && table.with_data && table.persistence == Persistence::Temporary));
}

#[test]
fn replication() {
    let Stmt::CreatePublication { scope, .. } = one(
        "CREATE PUBLICATION p FOR TABLE a (x, y) WHERE (x > 1), ONLY s.b, TABLES IN SCHEMA c, CURRENT_SCHEMA WITH (publish = 'insert')",
    ) else {
        panic!()
    };
    assert_eq!(scope.tables[0], (Name::bare("a"), false, vec!["x".into(), "y".into()], Some("x > 1".into())));
    assert_eq!(scope.tables[1], (Name::qualified("s", "b"), true, vec![], None));
    assert_eq!(scope.schemas, [Some("c".to_owned()), None]);
    assert_eq!(scope.with.as_deref(), Some("with (publish = 'insert')"));
    assert!(matches!(
        one("ALTER PUBLICATION p DROP TABLE t"),
        Stmt::AlterPublication { action: PublicationAction::Drop, .. }
    ));
    let slot = |with: &str| {
        matches!(
            one(&format!("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p {with}")),
            Stmt::CreateSubscription { slot: true, .. }
        )
    };
    assert!(
        slot("")
            && !slot("WITH (create_slot = false)")
            && !slot("WITH (connect = off)")
            && slot("WITH (create_slot = true)")
    );
    let refresh = |action: &str| {
        matches!(one(&format!("ALTER SUBSCRIPTION s {action}")), Stmt::AlterSubscription { refresh: true, .. })
    };
    assert!(
        refresh("REFRESH PUBLICATION")
            && refresh("SET PUBLICATION p")
            && !refresh("SET PUBLICATION p WITH (refresh = false)")
            && !refresh("ENABLE")
    );
}

#[test]
fn sessions_and_maintenance() {
    let setting = |sql: &str| match one(sql) {
        Stmt::Setting { kind, local, name, value } => (kind, local, name, value.unwrap_or_default()),
        other => panic!("{other:?}"),
    };
    assert_eq!(setting("SET LOCAL lock_timeout TO '1s'"), ("SET", true, "lock_timeout".into(), "'1s'".into()));
    assert_eq!(setting("SET Search_Path = a, \"B\""), ("SET", false, "search_path".into(), "a, \"B\"".into()));
    assert_eq!(setting("SET TIME ZONE 'utc'"), ("SET", false, "timezone".into(), "'utc'".into()));
    assert_eq!(setting("RESET my.setting"), ("RESET", false, "my.setting".into(), String::new()));
    assert_eq!(setting("SET LOCAL ROLE bob"), ("SET ROLE", true, "role".into(), "bob".into()));
    let locks = Stmt::LockTable {
        tables: vec![(Name::bare("a"), true), (Name::qualified("s", "b"), false)],
        mode: LockClass::ShareUpdateExclusive,
        nowait: true,
    };
    assert_eq!(one("LOCK TABLE ONLY a, s.b IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"), locks);
    assert!(matches!(one("LOCK a"), Stmt::LockTable { mode: LockClass::AccessExclusive, nowait: false, .. }));
    let vacuum = Stmt::Vacuum { tables: vec![(Name::bare("t"), false)], full: true, analyze: false };
    assert_eq!(one("VACUUM (FULL, ANALYZE false) t (a, b)"), vacuum);
    assert!(matches!(one("VACUUM FULL ANALYZE"), Stmt::Vacuum { full: true, analyze: true, .. }));
    let cluster = Stmt::Cluster { table: Some(Name::bare("t")), index: Some("i".into()) };
    assert_eq!(one("CLUSTER t USING i"), cluster);
    assert_eq!(one("CLUSTER i ON t"), cluster);
    let truncate = Stmt::Truncate {
        tables: vec![(Name::bare("a"), true), (Name::bare("b"), false)],
        restart_identity: true,
        cascade: true,
    };
    assert_eq!(one("TRUNCATE ONLY a, b RESTART IDENTITY CASCADE"), truncate);
    assert!(matches!(one("EXPLAIN (ANALYZE off) DELETE FROM t"), Stmt::Explain { analyze: false, .. }));
    assert!(matches!(one("EXPLAIN (ANALYZE) DELETE FROM t"), Stmt::Explain { analyze: true, .. }));
    assert!(
        matches!(one("COPY t (a) FROM PROGRAM 'x'"), Stmt::Copy { from: true, program_or_file: true, columns, .. } if columns == ["a"])
    );
    assert!(matches!(
        one("COPY (SELECT 1 FROM t) TO STDOUT"),
        Stmt::Copy { from: false, program_or_file: false, query: Some(_), table: None, .. }
    ));
    assert!(
        matches!(one("CALL s.p(f(1))"), Stmt::Call { function, query } if function == Name::qualified("s", "p") && query.functions.len() == 2)
    );
    assert!(matches!(one("DECLARE c CURSOR WITH HOLD FOR SELECT 1"), Stmt::DeclareCursor { hold: true, .. }));
    assert!(
        matches!(one("CREATE EXTENSION e SCHEMA s VERSION '1.2'"), Stmt::CreateExtension { schema: Some(_), version: Some(version), .. } if version == "1.2")
    );
    assert!(
        matches!(one("ALTER EXTENSION e SET SCHEMA s"), Stmt::AlterExtension { set_schema: Some(schema), .. } if schema == "s")
    );
    assert!(
        matches!(one("CREATE STATISTICS IF NOT EXISTS s.x (mcv) ON a, b FROM s.t"), Stmt::CreateStatistics { table, if_not_exists: true, text, .. }
        if table == Name::qualified("s", "t") && text == "(mcv) on a, b from s.t")
    );
}

#[test]
fn identifiers_fold_and_truncate() {
    let name = |sql: &str| match one(&format!("DROP TABLE {sql}")) {
        Stmt::Drop(drop) => drop.targets[0].name.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name("Foo"), Name::bare("foo"));
    assert_eq!(name("\"Fo\"\"o\""), Name::bare("Fo\"o"));
    assert_eq!(name("U&\"d\\0061ta\""), Name::bare("data"));
    assert_eq!(name("U&\"d!0061ta\" UESCAPE '!'"), Name::bare("data"));
    assert_eq!(name(&"x".repeat(80)).name.len(), 63);
    assert_eq!(name("a.b.c"), Name::qualified("b", "c"));
    assert_eq!(name("ÄÖ"), Name::bare("ÄÖ"));
}
