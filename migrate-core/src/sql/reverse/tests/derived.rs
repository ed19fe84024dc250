//! The downs that are derived, as text.

use super::super::{Derived, derive};
use super::{Around, Made, Open, SHOP, schema, statements};
use crate::model::PgRange;

/// Where, up, and the derived statements.
const DERIVED: &[(Around, &str, &[&str])] = &[
    (Open, "ALTER TABLE orders ADD COLUMN status text", &["ALTER TABLE orders DROP COLUMN status"]),
    (Open, "ALTER TABLE \"Orders\" ADD \"Status\" text", &["ALTER TABLE \"Orders\" DROP COLUMN \"Status\""]),
    (
        Open,
        "ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int, RENAME CONSTRAINT x TO y",
        &["ALTER TABLE t RENAME CONSTRAINT y TO x, DROP COLUMN b, DROP COLUMN a"],
    ),
    (Open, "ALTER TABLE t ALTER c SET NOT NULL", &["ALTER TABLE t ALTER COLUMN c DROP NOT NULL"]),
    (Open, "ALTER TABLE s.a RENAME TO b", &["ALTER TABLE s.b RENAME TO a"]),
    (Open, "ALTER TABLE t ADD FOREIGN KEY (u) REFERENCES users (id)", &["ALTER TABLE t DROP CONSTRAINT t_u_fkey"]),
    (Open, "CREATE INDEX CONCURRENTLY i ON s.t (a)", &["DROP INDEX CONCURRENTLY IF EXISTS s.i"]),
    (Open, "CREATE INDEX ON t (a, b)", &["DROP INDEX t_a_b_idx"]),
    (
        Open,
        "CREATE FUNCTION f(a integer, b text DEFAULT '') RETURNS int LANGUAGE sql AS 'SELECT 1'",
        &["DROP FUNCTION f(integer, text)"],
    ),
    (Open, "GRANT SELECT (a), INSERT ON t TO app_ro, PUBLIC", &["REVOKE SELECT (a), INSERT ON t FROM app_ro, PUBLIC"]),
    (Open, "CREATE TABLE t (id bigint)", &["DROP TABLE t"]),
    (Open, "ALTER TYPE mood RENAME VALUE 'a' TO 'it''s'", &["ALTER TYPE mood RENAME VALUE 'it''s' TO 'a'"]),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'x'",
        &["ALTER TABLE orders ALTER COLUMN status DROP DEFAULT"],
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN total SET DEFAULT 5",
        &["ALTER TABLE orders ALTER COLUMN total SET DEFAULT 0"],
    ),
    (
        Made(SHOP),
        "ALTER TABLE users ALTER COLUMN full_name TYPE text",
        &["ALTER TABLE users ALTER COLUMN full_name TYPE varchar(40)"],
    ),
    (
        Made(SHOP),
        "ALTER TABLE users ALTER COLUMN age TYPE text",
        &["ALTER TABLE users ALTER COLUMN age TYPE integer USING age::integer"],
    ),
    (
        Made(SHOP),
        "ALTER TABLE users ALTER COLUMN age TYPE order_state USING age::text::order_state",
        &["ALTER TABLE users ALTER COLUMN age TYPE integer USING age::text::integer"],
    ),
    (Made("CREATE EXTENSION pg_trgm"), "DROP EXTENSION pg_trgm", &["CREATE EXTENSION pg_trgm SCHEMA public"]),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN full_name",
        &[
            "ALTER TABLE users ADD COLUMN full_name varchar(40) DEFAULT 'anonymous'",
            "COMMENT ON COLUMN public.users.full_name IS 'as on the card'",
        ],
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN email",
        &[
            "ALTER TABLE users ADD COLUMN email varchar(100) NOT NULL",
            "CREATE UNIQUE INDEX users_email_idx ON public.users (email)",
        ],
    ),
    (
        Made(SHOP),
        "DROP INDEX CONCURRENTLY orders_status_idx",
        &["CREATE INDEX CONCURRENTLY orders_status_idx ON public.orders (status) WHERE (status <> 'paid')"],
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders DROP CONSTRAINT orders_user_fk",
        &[
            "ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE CASCADE",
        ],
    ),
    (
        Made(SHOP),
        "DROP FUNCTION total(bigint)",
        &["CREATE FUNCTION public.total(int8) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT 1.0 $$"],
    ),
    (
        Made(SHOP),
        "DROP TRIGGER orders_touch ON orders",
        &["CREATE TRIGGER orders_touch before update ON public.orders for each row execute function touch()"],
    ),
    (
        Made(SHOP),
        "ALTER TABLE events DETACH PARTITION events_2024",
        &["ALTER TABLE events ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')"],
    ),
];

fn derived(around: Around, up: &str) -> Derived {
    let before = schema(around, PgRange::SUPPORTED.max());
    derive(&statements(up)[0], &before, PgRange::SUPPORTED)
}

#[test]
fn downs_are_derived() {
    let mut wrong = Vec::new();
    for &(around, up, wanted) in DERIVED {
        let found = derived(around, up);
        if found != Derived::Sql(wanted.iter().map(|&text| text.to_owned()).collect()) {
            wrong.push(format!("{up}\n  wanted {wanted:?}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_default_that_an_earlier_step_left_out_is_known() {
    let mut before = schema(Open, 18);
    before.apply(&statements("ALTER TABLE orders ADD COLUMN status text")[0], 18).unwrap();
    let up = &statements("ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'")[0];
    let wanted = "ALTER TABLE orders ALTER COLUMN status DROP DEFAULT".to_owned();
    assert_eq!(derive(up, &before, PgRange::SUPPORTED), Derived::Sql(vec![wanted]));
}

#[test]
fn what_cannot_be_derived_is_asked_for() {
    for (up, why, template) in [
        (
            "ALTER TABLE users DROP COLUMN full_name",
            "the definition of column users.full_name is not in this migration",
            "ALTER TABLE users ADD COLUMN full_name <type>",
        ),
        (
            "ALTER TABLE users ALTER COLUMN a TYPE text",
            "the type of column users.a before is not in this migration",
            "ALTER TABLE users ALTER COLUMN a TYPE <type>",
        ),
        (
            "DROP INDEX i",
            "the definition of index i is not in this migration; the down must make it again",
            "CREATE INDEX i ON <table> (<columns>)",
        ),
        (
            "INSERT INTO t VALUES (1)",
            "which rows to delete again from t is not known; delete them by their key",
            "DELETE FROM t WHERE <the rows inserted>",
        ),
    ] {
        assert_eq!(derived(Open, up), Derived::Needs(why.to_owned(), Some(template.to_owned())), "{up}");
    }
}

#[test]
fn nothing_and_never() {
    for up in [
        "VACUUM t",
        "ANALYZE t",
        "REINDEX TABLE t",
        "REFRESH MATERIALIZED VIEW m",
        "ALTER TABLE t VALIDATE CONSTRAINT c",
        "SELECT count(*) FROM t",
        "SET LOCAL lock_timeout = '1s'",
    ] {
        assert!(matches!(derived(Open, up), Derived::Nothing(_)), "{up}: {:?}", derived(Open, up));
    }
    assert_eq!(
        derived(Open, "ALTER TYPE mood ADD VALUE 'calm'"),
        Derived::Irreversible("PostgreSQL cannot remove a value from an enum: mood keeps 'calm'".to_owned())
    );
}
