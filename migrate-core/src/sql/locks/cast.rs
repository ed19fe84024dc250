//! Which types a value is cast to without being asked: the assignment and implicit casts of `pg_cast`, the same on
//! servers 14 to 18, and the rules of `find_coercion_pathway` around them.

use super::rewrite::{base, is_builtin, is_oid_alias};
use crate::sql::ast::TypeName;
use crate::sql::schema::{Schema, World};
use crate::sql::server::Server;

/// Whether a column of the one type can be given values of the other; `None` where the types are not known.
pub(super) fn is_assignable(schema: &Schema, pg: Server<'_>, from: &TypeName, to: &TypeName) -> Option<bool> {
    let (from, to) = (base(schema, from), base(schema, to));
    if from.percent_type || to.percent_type {
        return None;
    }
    let (one, other) = (schema.resolve_type(&from), schema.resolve_type(&to));
    if one.name == other.name && (one.array > 0) == (other.array > 0) {
        return Some(true);
    }
    let known = |name: &TypeName| is_builtin(&name.name) || schema.types.contains_key(&name.name);
    let own_casts = schema.world == World::Open || schema.others.keys().any(|key| key.starts_with("cast "));
    if !known(&one) || !known(&other) || own_casts {
        return None;
    }
    // `int4` has a cast to `"char"` that must be asked for, and then no other way is looked for.
    let asked = one.array == 0 && one.name.name == "int4" && other.name.name == "char";
    if other.array == 0 && is_builtin(&other.name) && is_string(pg, &other.name.name) && !asked {
        return Some(true);
    }
    match (one.array > 0, other.array > 0) {
        (true, true) => {
            let element = |name: TypeName| TypeName { array: 0, ..name };
            is_assignable(schema, pg, &element(one), &element(other))
        }
        (false, false) if is_builtin(&one.name) && is_builtin(&other.name) => {
            Some(is_cast(&one.name.name, &other.name.name))
        }
        _ => Some(false),
    }
}

/// `TYPCATEGORY_STRING`: anything is assigned to these by its output function.
fn is_string(pg: Server<'_>, name: &str) -> bool {
    matches!(name, "text" | "varchar" | "bpchar" | "name") || (name == "char" && pg.before(15))
}

fn is_number(name: &str) -> bool {
    matches!(name, "int2" | "int4" | "int8" | "float4" | "float8" | "numeric")
}

fn is_cast(from: &str, to: &str) -> bool {
    match (from, to) {
        (from, to) if is_number(from) && is_number(to) => true,
        ("int4" | "int8" | "numeric", "money")
        | ("money", "numeric")
        | ("bpchar" | "text" | "varchar", "char")
        | ("text" | "varchar", "regclass")
        | ("bit", "varbit")
        | ("varbit", "bit")
        | ("box" | "path", "polygon")
        | ("polygon", "path")
        | ("point", "box")
        | ("cidr", "inet")
        | ("inet", "cidr")
        | ("json", "jsonb")
        | ("jsonb", "json")
        | ("macaddr", "macaddr8")
        | ("macaddr8", "macaddr")
        | ("date", "timestamp" | "timestamptz")
        | ("timestamp", "date" | "time" | "timestamptz")
        | ("timestamptz", "date" | "time" | "timestamp" | "timetz")
        | ("time", "interval" | "timetz")
        | ("timetz" | "interval", "time")
        | ("oid", "int4" | "int8")
        | ("regoper", "regoperator")
        | ("regoperator", "regoper")
        | ("regproc", "regprocedure")
        | ("regprocedure", "regproc") => true,
        ("int2" | "int4" | "int8", "oid") => true,
        ("int2" | "int4" | "int8" | "oid", to) => is_oid_alias(to),
        (from, "oid" | "int4" | "int8") => is_oid_alias(from),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_assignable;
    use crate::sql::ast::{Stmt, TableAction, TypeName};
    use crate::sql::parse::parse;
    use crate::sql::schema::Schema;

    fn named(name: &str) -> TypeName {
        let statements = parse(&format!("ALTER TABLE t ALTER a TYPE {name}")).expect("it parses");
        let Stmt::AlterTable(alter) = &statements[0].stmt else { panic!("{name}") };
        let [TableAction::SetType { data_type, .. }] = alter.actions.as_slice() else { panic!("{name}") };
        data_type.clone()
    }

    #[test]
    fn assignments() {
        let mut schema = Schema::empty();
        for statement in parse("CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN d AS int").expect("it parses") {
            schema.apply(&statement, 18).expect("it applies");
        }
        for (from, to, expected) in [
            ("int", "bigint", Some(true)),
            ("int", "text", Some(true)),
            ("d", "numeric(8, 2)", Some(true)),
            ("text", "d", Some(false)),
            ("text", "int", Some(false)),
            ("text", "mood", Some(false)),
            ("mood", "varchar(10)", Some(true)),
            ("int[]", "bigint[]", Some(true)),
            ("text[]", "int[]", Some(false)),
            ("int", "int[]", Some(false)),
            ("boolean", "int", Some(false)),
            ("timestamptz", "date", Some(true)),
            ("date", "time", Some(false)),
            ("text", "elsewhere", None),
        ] {
            assert_eq!(is_assignable(&schema, 18.into(), &named(from), &named(to)), expected, "{from} to {to}");
        }
    }
}
