//! One `#[sync(…)]`: a trigger that keeps two shapes of a row alike while clients of both live. It is written out as
//! ordinary statements, each with its down, so that everything else treats them as such.
//!
//! The trigger fires before a row is inserted or updated, and changes nothing but that row: it runs no statement that
//! could fire a trigger, so that the two directions cannot call each other. Which shape the client wrote decides the
//! direction: on INSERT the one that has a value, on UPDATE the one that changed. A client that writes both knows both, and
//! is left alone.
//!
//! A backfill's own writes are left alone too: it says so by `SET LOCAL migrate.backfill`, which needs no privilege, where
//! `session_replication_role` does. What other triggers write because of a backfill is not its own: they run at a depth
//! of 1 or more (`pg_trigger_depth`).

use super::declaration::{DownDeclaration, SqlText, StepDeclaration};
use crate::model::SYNC_PREFIX;
use crate::sql::name::{Name, quoted};
use crate::sql::parse::{parse_column_list, parse_expression, parse_table_name};
use crate::sql::source::SyntaxError;
use std::fmt::Write as _;

/// The longest identifier, in bytes (`NAMEDATALEN` less one).
const LONGEST_NAME: usize = 63;

/// `#[sync(…)]` as the attribute spells it.
#[derive(Debug, Clone)]
pub struct SyncDeclaration {
    /// Whether the trigger is made, or taken away.
    pub install: bool,
    /// The table, as SQL.
    pub table: String,
    /// The columns of the shape that goes, as SQL identifiers.
    pub old: Vec<String>,
    /// The columns of the shape that comes, as SQL identifiers.
    pub new: Vec<String>,
    /// For each of the new columns, an expression over the old.
    pub forward: Vec<String>,
    /// For each of the old columns, an expression over the new.
    pub backward: Vec<String>,
}

/// A part of a [`SyncDeclaration`] to point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SyncPart {
    Table,
    Old,
    New,
    /// An expression, by its place.
    Forward(usize),
    /// An expression, by its place.
    Backward(usize),
}

/// The steps that a `#[sync]` comes to.
///
/// # Errors
///
/// What is wrong with its parts.
pub fn sync_steps(declaration: &SyncDeclaration) -> Result<Vec<StepDeclaration>, Vec<(SyncPart, String)>> {
    let mut problems = Vec::new();
    let table = parse_table_name(&declaration.table)
        .map_err(|error| problems.push((SyncPart::Table, show_error(&declaration.table, &error))))
        .ok();
    let old = columns(&declaration.old, SyncPart::Old, &mut problems);
    let new = columns(&declaration.new, SyncPart::New, &mut problems);
    if let Some(both) = old.iter().find(|column| new.contains(column)) {
        problems.push((
            SyncPart::New,
            format!("`{both}` is of both shapes: a column that both have needs no trigger\n  = leave it out of `old` and `new`"),
        ));
    }
    if problems.is_empty() {
        expressions_of("forward", &declaration.forward, ("old", &old), ("new", &new), &mut problems);
        expressions_of("backward", &declaration.backward, ("new", &new), ("old", &old), &mut problems);
    }
    match table {
        Some(table) if problems.is_empty() => {
            let written = Written { declaration, table, old, new };
            Ok(if declaration.install { written.install() } else { written.take_away() })
        }
        _ => Err(problems),
    }
}

fn show_error(text: &str, error: &SyntaxError) -> String {
    format!("SQL syntax error: {}\n{}", error.message, error.render(text))
}

fn columns(list: &[String], part: SyncPart, problems: &mut Vec<(SyncPart, String)>) -> Vec<String> {
    let mut names = Vec::new();
    for column in list {
        match parse_column_list(column) {
            Ok(mut found) if found.len() == 1 => names.push(found.remove(0)),
            Ok(_) => problems.push((part, format!("`{column}` is not one column"))),
            Err(error) => problems.push((part, show_error(column, &error))),
        }
    }
    if list.is_empty() {
        let (name, example) =
            if part == SyncPart::Old { ("old", "full_name") } else { ("new", "first_name, last_name") };
        problems.push((part, format!("a shape has at least one column\n  = write `{name} = \"{example}\"`")));
    }
    names
}

fn expressions_of(
    name: &str,
    expressions: &[String],
    (from_name, from): (&str, &[String]),
    (to_name, to): (&str, &[String]),
    problems: &mut Vec<(SyncPart, String)>,
) {
    let part = |place| if name == "forward" { SyncPart::Forward(place) } else { SyncPart::Backward(place) };
    if expressions.len() != to.len() {
        let list: Vec<String> = to.iter().map(|column| format!("\"… {column} …\"")).collect();
        problems.push((
            part(0),
            format!(
                "`{name}` has {} expression{}, and `{to_name}` {} column{}: each column wants one of its own\n  = write `{name} = [{}]`",
                expressions.len(),
                if expressions.len() == 1 { "" } else { "s" },
                to.len(),
                if to.len() == 1 { "" } else { "s" },
                list.join(", ")
            ),
        ));
        return;
    }
    for (place, expression) in expressions.iter().enumerate() {
        match parse_expression(expression) {
            Err(error) => problems.push((part(place), show_error(expression, &error))),
            Ok(read) => {
                if read.subquery.is_some() {
                    problems.push((
                        part(place),
                        "a subquery reads other rows, which change without this one being written\n  = write it with the columns of the row alone".to_owned(),
                    ));
                } else if let Some(other) = read.columns.iter().find(|column| !from.contains(column)) {
                    problems.push((
                        part(place),
                        format!(
                            "`{name}` says what `{to_name}` is by `{from_name}` alone ({}), and this names `{other}`: when that changes, the row would go stale\n  = leave it out, or name it in `{from_name}`",
                            from.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
                        ),
                    ));
                }
            }
        }
    }
}

/// A declaration whose parts are right, as SQL.
struct Written<'a> {
    declaration: &'a SyncDeclaration,
    table: Name,
    old: Vec<String>,
    new: Vec<String>,
}

impl Written<'_> {
    fn install(&self) -> Vec<StepDeclaration> {
        let probe = DownDeclaration::Nothing("it only reads the catalog".to_owned());
        vec![
            step(self.probe(), probe, true),
            step(self.create_function(), DownDeclaration::Sql(vec![sql(self.drop_function())]), true),
            step(self.create_trigger(), DownDeclaration::Sql(vec![sql(self.drop_trigger())]), true),
        ]
    }

    fn take_away(&self) -> Vec<StepDeclaration> {
        vec![
            step(self.drop_trigger(), DownDeclaration::Sql(vec![sql(self.create_trigger())]), false),
            step(self.drop_function(), DownDeclaration::Sql(vec![sql(self.create_function())]), false),
        ]
    }

    /// `zz_migrate_sync_users_full_name_3fa9c1d2`: what it is of, and a hash of all of it, so that no two are alike also
    /// where the name has to be cut.
    fn name(&self) -> String {
        let whole = format!("{}|{}|{}", self.table, list(&self.old), list(&self.new));
        let hash = fnv(&whole) & 0xffff_ffff;
        let mut name = format!("{SYNC_PREFIX}{}_{}", self.table.name, self.old.join("_"));
        let most = LONGEST_NAME - 9;
        if name.len() > most {
            let end = (0..=most).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
            name.truncate(end);
        }
        let _ = write!(name, "_{hash:08x}");
        quoted(&name)
    }

    /// The function lives beside its table, where the SQL says where that is.
    fn function(&self) -> String {
        match &self.table.schema {
            Some(schema) => format!("{}.{}", quoted(schema), self.name()),
            None => self.name(),
        }
    }

    /// A function's body is not looked into when it is made: that its expressions stand for something is found out by
    /// planning them, before any client's write depends on it.
    fn probe(&self) -> String {
        let columns: Vec<String> = self.old.iter().chain(&self.new).map(|column| quoted(column)).collect();
        let expressions: Vec<&str> =
            self.declaration.forward.iter().chain(&self.declaration.backward).map(String::as_str).collect();
        format!(
            "EXPLAIN (COSTS OFF) SELECT {} FROM (SELECT {} FROM {} LIMIT 0) AS {}",
            expressions.join(", "),
            columns.join(", "),
            self.table,
            quoted(&self.table.name)
        )
    }

    fn create_function(&self) -> String {
        let given = |columns: &[String]| format!("pg_catalog.num_nonnulls({}) > 0", row("NEW", columns));
        let changed = |columns: &[String]| {
            format!("pg_catalog.record_image_ne(ROW({}), ROW({}))", row("NEW", columns), row("OLD", columns))
        };
        let fill = |columns: &[String], expressions: &[String], from: &[String]| {
            let source: Vec<String> = from.iter().map(|column| format!("NEW.{0} AS {0}", quoted(column))).collect();
            format!(
                "SELECT {} INTO {} FROM (SELECT {}) AS {};",
                expressions.join(", "),
                row("NEW", columns),
                source.join(", "),
                quoted(&self.table.name)
            )
        };
        // A tag that the expressions do not hold.
        let mut tag = "migrate".to_owned();
        let texts = || self.declaration.forward.iter().chain(&self.declaration.backward);
        while texts().any(|text| text.contains(&format!("${tag}$"))) {
            tag.push('_');
        }
        format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS ${tag}$
#variable_conflict use_column
DECLARE
  by_old boolean;
  by_new boolean;
BEGIN
  IF TG_OP = 'INSERT' THEN
    by_old := {old_given};
    by_new := {new_given};
  ELSE
    by_old := {old_changed};
    by_new := {new_changed};
  END IF;
  IF by_old AND NOT by_new THEN
    {forward}
  ELSIF by_new AND NOT by_old THEN
    {backward}
  END IF;
  RETURN NEW;
END
${tag}$",
            function = self.function(),
            old_given = given(&self.old),
            new_given = given(&self.new),
            old_changed = changed(&self.old),
            new_changed = changed(&self.new),
            forward = fill(&self.new, &self.declaration.forward, &self.old),
            backward = fill(&self.old, &self.declaration.backward, &self.new),
        )
    }

    fn create_trigger(&self) -> String {
        format!(
            "CREATE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() > 0 OR \
             pg_catalog.current_setting('migrate.backfill', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION {}()",
            self.name(),
            self.table,
            self.function()
        )
    }

    fn drop_trigger(&self) -> String {
        format!("DROP TRIGGER {} ON {}", self.name(), self.table)
    }

    fn drop_function(&self) -> String {
        format!("DROP FUNCTION {}()", self.function())
    }
}

fn step(up: String, down: DownDeclaration, install: bool) -> StepDeclaration {
    StepDeclaration::Sync { up: sql(up), down, install }
}

fn sql(text: String) -> SqlText {
    SqlText { text, file: None }
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

/// `NEW.first_name, NEW.last_name`
fn row(record: &str, columns: &[String]) -> String {
    columns.iter().map(|column| format!("{record}.{}", quoted(column))).collect::<Vec<_>>().join(", ")
}

/// FNV-1a, 64 bits. It makes names that stand in databases, and must stay as it is.
fn fnv(text: &str) -> u64 {
    let with = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(with(0xcbf2_9ce4_8422_2325, 14), with)
}
