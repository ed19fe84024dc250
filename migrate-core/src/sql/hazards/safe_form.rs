//! The safe form of a hazard as migrations ready to paste: structs whose versions are left to fill in.

use crate::model::{LockClass, Phase};
use crate::sql::name::{Name, quoted};
use std::fmt::Write;

/// What stands where the version goes; the derive refuses it until it is replaced.
pub(super) const VERSION: &str = "YYYY_MM_DD_HHMM";

/// The migrations that do the same without the hazard, in their order.
#[derive(Debug, Default)]
pub(super) struct SafeForm {
    text: String,
}

/// What a migration of the safe form declares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    phase: Phase,
    lock: LockClass,
    transactional: bool,
    destructive: bool,
    /// A hazard that the derive sees in it for want of the schema, and why it is none.
    allowed: Option<(&'static str, &'static str)>,
}

/// A transactional migration.
pub(super) const fn declared(phase: Phase, lock: LockClass) -> Declared {
    Declared { phase, lock, transactional: true, destructive: false, allowed: None }
}

impl Declared {
    /// Outside of a transaction block.
    pub(super) const fn alone(self) -> Self {
        Self { transactional: false, ..self }
    }

    /// In spite of what the derive must take for a hazard, for this reason.
    pub(super) const fn allowing(self, hazard: &'static str, reason: &'static str) -> Self {
        Self { allowed: Some((hazard, reason)), ..self }
    }

    /// With a gate before it.
    pub(super) const fn destructive(self) -> Self {
        Self { destructive: true, ..self }
    }
}

/// One `#[step(…)]`.
#[derive(Debug)]
pub(super) struct Step {
    up: String,
    down: Down,
}

#[derive(Debug)]
enum Down {
    Sql(Vec<String>),
    Derived,
    Nothing(&'static str),
}

/// A step and the statement that takes it back.
pub(super) fn step(up: impl Into<String>, down: impl Into<String>) -> Step {
    Step { up: up.into(), down: Down::Sql(vec![down.into()]) }
}

/// A step that several statements take back.
pub(super) fn step_back_by(up: impl Into<String>, down: Vec<String>) -> Step {
    Step { up: up.into(), down: Down::Sql(down) }
}

/// A step of the migration at hand, moved: its down goes with it.
pub(super) fn moved(up: impl Into<String>) -> Step {
    Step { up: up.into(), down: Down::Derived }
}

/// A step that changes nothing that could be taken back.
pub(super) fn step_for_good(up: impl Into<String>, why: &'static str) -> Step {
    Step { up: up.into(), down: Down::Nothing(why) }
}

/// The validation of a constraint, which PostgreSQL cannot and need not take back.
pub(super) fn validate(table: &Name, constraint: &str) -> Step {
    step_for_good(
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {}", quoted(constraint)),
        "a constraint that was validated stays true",
    )
}

impl SafeForm {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// What was written out already, right behind a remark.
    pub(super) fn then_text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// One that was written out already.
    pub(super) fn rendered(text: String) -> Self {
        Self { text }
    }

    /// A remark between migrations.
    pub(super) fn note(mut self, note: &str) -> Self {
        self.gap();
        for line in wrapped(note, 110) {
            let _ = writeln!(self.text, "// {line}");
        }
        self
    }

    /// One migration.
    pub(super) fn migration(mut self, name: &str, declared: Declared, steps: &[Step]) -> Self {
        self.head(name, declared);
        for step in steps {
            let _ = write!(self.text, "#[step(up = {},\n       down = ", string(&step.up));
            let _ = match &step.down {
                Down::Sql(statements) => match statements.as_slice() {
                    [one] => self.text.write_str(&string(one)),
                    several => {
                        let strings: Vec<_> = several.iter().map(|sql| string(sql)).collect();
                        write!(self.text, "[{}]", strings.join(",\n               "))
                    }
                },
                Down::Derived => self.text.write_str("derived"),
                Down::Nothing(why) => write!(self.text, "nothing({})", string(why)),
            };
            self.text.push_str(")]\n");
        }
        let _ = writeln!(self.text, "pub struct {name};");
        self
    }

    /// A migration of one backfill.
    pub(super) fn backfill(mut self, name: &str, table: &Name, key: &str, set: &str, filter: &str, keep: &str) -> Self {
        self.head(name, declared(Phase::Migrate, LockClass::RowExclusive).alone());
        let _ = writeln!(
            self.text,
            "#[backfill(table = {}, key = {}, batch = 10_000, set = {}, filter = {}, down = keep({}))]",
            string(&table.to_string()),
            string(key),
            string(set),
            string(filter),
            string(keep),
        );
        let _ = writeln!(self.text, "pub struct {name};");
        self
    }

    /// The migrations of another safe form, after these.
    pub(super) fn then(mut self, other: &Self) -> Self {
        self.gap();
        self.text.push_str(&other.text);
        self
    }

    pub(super) fn render(self) -> String {
        self.text
    }

    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn head(&mut self, name: &str, declared: Declared) {
        let after_note = self.text.lines().next_back().is_some_and(|line| line.starts_with("// "));
        if !after_note {
            self.gap();
        }
        debug_assert!(name.chars().all(char::is_alphanumeric), "{name}");
        let _ = write!(
            self.text,
            "#[derive(Migration)]\n#[migration(version = {VERSION}, phase = {}, lock = {}",
            declared.phase, declared.lock
        );
        if !declared.transactional {
            self.text.push_str(", transactional = false");
        }
        if let Some((hazard, reason)) = declared.allowed {
            let _ =
                write!(self.text, ",\n            allow({}, reason = {})", hazard.replace('-', "_"), string(reason));
        }
        self.text.push_str(")]\n");
        if declared.destructive {
            self.text.push_str("#[destructive(backup = Dump, approved = \"NAME @ DIGEST\")]\n");
        }
    }
}

/// `orders`, `status`, `Index` → `IndexOrdersStatus`: the name of a struct.
pub(super) fn struct_name(verb: &str, parts: &[&str]) -> String {
    let mut name = verb.to_owned();
    for part in parts {
        for word in part.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let mut chars = word.chars();
            name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
            name.extend(chars);
        }
    }
    name
}

/// The text as a Rust string literal, raw where it holds quotes or backslashes.
pub(super) fn string(text: &str) -> String {
    if !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    let mut hashes = String::from("#");
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("r{hashes}\"{text}\"{hashes}")
}

/// The text in lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_written_as_a_user_writes_them() {
        let form = SafeForm::new()
            .migration(
                &struct_name("Index", &["orders", "status"]),
                declared(Phase::Expand, LockClass::ShareUpdateExclusive).alone(),
                &[step("CREATE INDEX CONCURRENTLY i ON orders (\"Status\")", "DROP INDEX CONCURRENTLY IF EXISTS i")],
            )
            .render();
        assert_eq!(
            form,
            "#[derive(Migration)]\n\
             #[migration(version = YYYY_MM_DD_HHMM, phase = Expand, lock = ShareUpdateExclusive, transactional = false)]\n\
             #[step(up = r#\"CREATE INDEX CONCURRENTLY i ON orders (\"Status\")\"#,\n       \
             down = \"DROP INDEX CONCURRENTLY IF EXISTS i\")]\n\
             pub struct IndexOrdersStatus;\n"
        );
    }

    #[test]
    fn remarks_stand_before_their_migration() {
        let form = SafeForm::new()
            .migration("A", declared(Phase::Expand, LockClass::None), &[])
            .note("then")
            .migration("B", declared(Phase::Expand, LockClass::None), &[])
            .render();
        assert!(form.contains("pub struct A;\n\n// then\n#[derive(Migration)]\n"), "{form}");
    }
}
