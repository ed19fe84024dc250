//! The names PostgreSQL makes up: `makeObjectName` and `ChooseRelationName` in `indexcmds.c`, `ChooseConstraintName` in
//! `pg_constraint.c`.

use super::Schema;
use crate::sql::name::Name;

/// NAMEDATALEN less the terminator.
const LONGEST: usize = 63;

/// `name1[_name2][_label]`, the longer of the first two shortened until it fits.
pub(super) fn object_name(first: &str, second: Option<&str>, label: Option<&str>) -> String {
    let overhead = label.map_or(0, |label| label.len() + 1) + usize::from(second.is_some());
    let available = LONGEST.saturating_sub(overhead);
    let (mut one, mut two) = (first.len(), second.map_or(0, str::len));
    while one + two > available {
        if one > two { one -= 1 } else { two -= 1 }
    }
    let mut name = clip(first, one).to_owned();
    for part in [second.map(|second| clip(second, two)), label].into_iter().flatten() {
        name.push('_');
        name.push_str(part);
    }
    name
}

/// The text up to `bytes`, not inside a character.
fn clip(text: &str, mut bytes: usize) -> &str {
    while !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    &text[..bytes]
}

impl Schema {
    /// A free relation name: `first_second_label`, then with 1, 2 … behind the label. Where `is_constraint`, constraints
    /// of the schema count too.
    pub(super) fn choose_relation_name(
        &self,
        first: &str,
        second: Option<&str>,
        label: &str,
        schema: &str,
        is_constraint: bool,
    ) -> Name {
        numbered(label, |label| {
            let name = Name::qualified(schema, object_name(first, second, Some(label)));
            let taken =
                self.relations.contains_key(&name) || (is_constraint && self.constraint_name_used(schema, &name.name));
            (!taken).then_some(name)
        })
    }

    /// A free constraint name in `schema`; `others` are names of constraints that are being made in the same statement.
    pub(super) fn choose_constraint_name(
        &self,
        first: &str,
        second: Option<&str>,
        label: &str,
        schema: &str,
        others: &[String],
    ) -> String {
        numbered(label, |label| {
            let name = object_name(first, second, Some(label));
            (!others.contains(&name) && !self.constraint_name_used(schema, &name)).then_some(name)
        })
    }

    fn constraint_name_used(&self, schema: &str, constraint: &str) -> bool {
        self.tables()
            .any(|(name, table)| name.schema.as_deref() == Some(schema) && table.constraints.contains_key(constraint))
    }
}

fn numbered<T>(label: &str, try_label: impl Fn(&str) -> Option<T>) -> T {
    let mut pass = 0_u32;
    loop {
        let found = if pass == 0 { try_label(label) } else { try_label(&format!("{label}{pass}")) };
        match found {
            Some(found) => return found,
            None => pass += 1,
        }
    }
}

/// `a_b` for the columns of a constraint or index, cut like `ChooseIndexNameAddition` does.
pub(super) fn columns_part<'a>(columns: impl IntoIterator<Item = &'a str>) -> String {
    let mut part = String::new();
    for column in columns {
        if !part.is_empty() {
            part.push('_');
        }
        part.push_str(column);
        if part.len() >= 64 {
            break;
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_from_the_longer_part() {
        assert_eq!(object_name("orders", Some("id"), Some("seq")), "orders_id_seq");
        assert_eq!(object_name("orders", None, Some("pkey")), "orders_pkey");
        let long = object_name(&"t".repeat(60), Some("column_name"), Some("fkey"));
        assert_eq!(long, format!("{}_column_name_fkey", "t".repeat(46)));
        assert_eq!(long.len(), 63);
    }
}
