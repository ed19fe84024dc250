//! Every spelling that the attributes and `migrations!` take, in places where names are not what they seem.
#![deny(warnings)]

use migrate_pg::prelude::*;

mod renamed {
    pub mod library {
        pub use migrate_pg::*;
    }
}

/// SQL out of files.
#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = None)]
#[step(up_file = "ui/files/create_notes.sql", down_file = "ui/files/drop_notes.sql")]
struct FromFiles;

/// Raw strings, `concat!`, several lines, a list of downs.
///
/// With a second paragraph.
#[derive(Migration)]
#[migration(
    version = 2,
    phase = Expand,
    lock = AccessExclusive,
    transactional = true,
    pg = 14..=18,
    supersedes = ["v1:0123456789abcdef"],
    accept_late = "it commutes with everything",
    crate = crate::renamed::library,
)]
#[step(
    up = r#"ALTER TABLE notes ADD COLUMN "Order Id" bigint"#,
    down = [r#"ALTER TABLE notes DROP COLUMN "Order Id""#],
)]
#[step(up = concat!("ALTER TABLE notes ", "ADD COLUMN note", 2, " text"), down = "ALTER TABLE notes DROP COLUMN note2")]
struct Spelled;

macro_rules! add_column {
    ($name:ident, $version:literal, $up:literal, $down:expr, $phase:ident) => {
        #[derive(Migration)]
        #[migration(version = $version, phase = $phase, lock = AccessExclusive)]
        #[step(up = $up, down = $down)]
        pub(crate) struct $name;
    };
}
add_column!(
    FromMacro,
    3,
    "ALTER TABLE notes ADD COLUMN author text",
    "ALTER TABLE notes DROP COLUMN author",
    Expand
);

mod shadowed {
    #![allow(dead_code, non_camel_case_types)]
    mod core {}
    mod std {}
    struct Option;
    struct Vec;
    struct Some;
    struct str;

    /// Fields by position, bound in order.
    #[derive(migrate_pg::Migration)]
    #[migration(version = 4, phase = Migrate, lock = RowExclusive, transactional = false)]
    #[backfill(
        table = "notes",
        key = ["id", "author"],
        set = "note2 = $1, body = $2",
        filter = "note2 IS NULL AND body IS NULL",
        down = keep("goes with the column")
    )]
    pub struct Backfilled(#[bind("text")] pub &'static ::std::primitive::str, #[bind("text")] pub String);

    impl Backfilled {
        pub fn new() -> Self {
            Self("nobody", "nothing".to_string())
        }
    }
}

migrations! {
    /// All of them.
    pub fn history() = [FromFiles, Spelled, FromMacro {}, shadowed::Backfilled::new(),]
}
migrations! { baseline = "ui/files/schema.sql"; crate = renamed::library; fn adopted() = [FromFiles] }
migrations! { baseline = "ui/files/dump.sql"; fn dumped() = [] }
migrations! { fn empty() = [] }
async fn rows(_: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    Ok(())
}
migrations! {
    roles = ["app", "read only"];
    extensions = ["citext"];
    seed(1) = "ui/files/create_notes.sql";
    seed(2) = rows;
    proof = never("the forms are what is looked at");
    #[cfg(all())]
    fn with_settings() = []
}

fn main() {
    let history = history();
    let metas: Vec<_> = history.metas().collect();
    assert!(metas[0].steps()[0].up().contains("CREATE TABLE notes ("));
    assert_eq!(metas[1].doc(), "Raw strings, `concat!`, several lines, a list of downs.\n\nWith a second paragraph.");
    assert_eq!(metas[1].steps()[1].up(), "ALTER TABLE notes ADD COLUMN note2 text");
    assert_eq!(metas[1].supersedes(), ["v1:0123456789abcdef"]);
    assert_eq!(metas[1].accept_late(), Some("it commutes with everything"));
    let binds = history.migrations().nth(3).unwrap().binds();
    assert_eq!(binds.iter().map(|bind| bind.sql_type).collect::<Vec<_>>(), ["text", "text"]);
    assert_eq!(format!("{:?}", binds[1].value), "\"nothing\"");
    assert!(metas[3].location().ends_with("forms.rs)"), "{}", metas[3].location());

    let adopted = adopted();
    assert!(adopted.baseline().unwrap().sql().starts_with("CREATE TABLE users"));
    let dumped = dumped();
    let dumped = dumped.baseline().unwrap();
    assert!(dumped.sql().contains("SET row_security = off;"));
    assert!(!dumped.sql().contains("restrict") && !dumped.sql().contains("transaction_timeout = 0"));
    assert!(dumped.effects().iter().any(|effect| effect.object() == "trigger touch on public.venues"));
    assert!(dumped.names().iter().any(|name| (name.name, name.arguments) == ("touch", Some(&[][..]))));
    assert!(empty().is_empty());
}
