//! Whether an object that the baseline makes is on the server: a question to the catalog by the parts of its name, so that
//! no name has to be taken apart again, whatever it is made of.

use crate::quote::literal;
use migrate_core::model::{EffectKind, ObjectName};

/// An SQL condition: the object is there. `None` for what has no such simple question.
pub(super) fn is_there(kind: EffectKind, name: &ObjectName) -> Option<String> {
    use EffectKind as K;
    let own = literal(name.name);
    Some(match kind {
        K::CreateTable => relation(name, "'r', 'p', 'f'"),
        K::CreateView | K::ReplaceView => relation(name, "'v'"),
        K::CreateMaterializedView => relation(name, "'m'"),
        K::CreateSequence => relation(name, "'S'"),
        K::CreateIndex => relation(name, "'i', 'I'"),
        K::AddColumn => of_relation(name, "pg_attribute", "attrelid", "attname", "NOT o.attisdropped")?,
        K::AddConstraint => of_relation(name, "pg_constraint", "conrelid", "conname", "true")?,
        K::CreateTrigger => of_relation(name, "pg_trigger", "tgrelid", "tgname", "true")?,
        K::CreatePolicy => of_relation(name, "pg_policy", "polrelid", "polname", "true")?,
        K::CreateRule => of_relation(name, "pg_rewrite", "ev_class", "rulename", "true")?,
        K::AddEnumValue => {
            let (schema, owner) = name.owner?;
            format!(
                "EXISTS (SELECT FROM pg_catalog.pg_enum o JOIN pg_catalog.pg_type t ON t.oid = o.enumtypid JOIN \
                 pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE {} AND t.typname = {} AND o.enumlabel = {own})",
                in_schema(schema),
                literal(owner)
            )
        }
        K::CreateType | K::CreateDomain => of_schema(name, "pg_type", "typnamespace", "typname", "true"),
        K::CreateFunction | K::ReplaceFunction => {
            // Compared as text, since an oidvector counts from 0 and an array from 1; a type that is not there is left out.
            let arguments = name.arguments.map_or_else(
                || "true".to_owned(),
                |arguments| {
                    let types: String = arguments
                        .iter()
                        .map(|name| format!(", pg_catalog.to_regtype({})::pg_catalog.oid", literal(name)))
                        .collect();
                    format!("o.proargtypes::pg_catalog.text = pg_catalog.concat_ws(' ', NULL::pg_catalog.text{types})")
                },
            );
            of_schema(name, "pg_proc", "pronamespace", "proname", &arguments)
        }
        K::CreateStatistics => of_schema(name, "pg_statistic_ext", "stxnamespace", "stxname", "true"),
        K::CreateSchema => of_database(&own, "pg_namespace", "nspname"),
        K::CreateExtension => of_database(&own, "pg_extension", "extname"),
        K::CreatePublication => of_database(&own, "pg_publication", "pubname"),
        _ => return None,
    })
}

/// A relation of one of these kinds (`pg_class.relkind`).
fn relation(name: &ObjectName, kinds: &str) -> String {
    of_schema(name, "pg_class", "relnamespace", "relname", &format!("o.relkind IN ({kinds})"))
}

fn of_database(own: &str, catalog: &str, column: &str) -> String {
    format!("EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {column} = {own})")
}

fn of_schema(name: &ObjectName, catalog: &str, namespace: &str, column: &str, besides: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.{catalog} o JOIN pg_catalog.pg_namespace n ON n.oid = o.{namespace} WHERE {} AND \
         o.{column} = {} AND {besides})",
        in_schema(name.schema),
        literal(name.name)
    )
}

/// A thing that its relation owns, under a name that is its own only there.
fn of_relation(name: &ObjectName, catalog: &str, relation: &str, column: &str, besides: &str) -> Option<String> {
    let (schema, owner) = name.owner?;
    Some(format!(
        "EXISTS (SELECT FROM pg_catalog.{catalog} o JOIN pg_catalog.pg_class r ON r.oid = o.{relation} JOIN \
         pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE {} AND r.relname = {} AND o.{column} = {} AND {besides})",
        in_schema(schema),
        literal(owner),
        literal(name.name)
    ))
}

fn in_schema(schema: Option<&str>) -> String {
    match schema {
        Some(schema) => format!("n.nspname = {}", literal(schema)),
        None => "n.nspname = ANY (pg_catalog.current_schemas(true))".to_owned(),
    }
}
