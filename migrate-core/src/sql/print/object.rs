//! Indexes, views, sequences, types, domains, functions, triggers, policies and privileges as SQL.

use super::{
    list, literal, parenthesised, role, sequence_options, signature, target_name, type_name, with_clause, wrapped,
};
use crate::sql::ast::{
    CreateDomain, CreateFunction, CreateIndex, CreateMaterializedView, CreatePolicy, CreateSequence, CreateView, Grant,
    IndexElement, ObjectKind, PublicationScope, Target, TypeDefinition, Volatility,
};
use crate::sql::name::{Name, quoted};

/// A whole CREATE INDEX.
pub(crate) fn create_index(of: &CreateIndex) -> String {
    let mut out = "CREATE ".to_owned();
    if of.unique {
        out.push_str("UNIQUE ");
    }
    out.push_str("INDEX ");
    if of.concurrently {
        out.push_str("CONCURRENTLY ");
    }
    if of.if_not_exists {
        out.push_str("IF NOT EXISTS ");
    }
    if let Some(name) = &of.name {
        out.push_str(&format!("{} ", quoted(name)));
    }
    out.push_str("ON ");
    if of.only {
        out.push_str("ONLY ");
    }
    out.push_str(&of.table.to_string());
    if of.method != "btree" {
        out.push_str(&format!(" USING {}", quoted(&of.method)));
    }
    let elements: Vec<_> = of.elements.iter().map(index_element).collect();
    out.push_str(&format!(" ({})", elements.join(", ")));
    if !of.include.is_empty() {
        out.push_str(&format!(" INCLUDE ({})", list(&of.include)));
    }
    if of.nulls_not_distinct {
        out.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(with) = &of.with {
        out.push_str(&format!(" {}", with_clause(with)));
    }
    if let Some(tablespace) = &of.tablespace {
        out.push_str(&format!(" TABLESPACE {}", quoted(tablespace)));
    }
    if let Some(predicate) = &of.predicate {
        out.push_str(&format!(" WHERE {}", predicate.text));
    }
    out
}

fn index_element(of: &IndexElement) -> String {
    let mut out = match (&of.column, &of.expression) {
        (Some(column), _) => quoted(column),
        (None, Some(expression)) => parenthesised(expression),
        (None, None) => String::new(),
    };
    if let Some(collation) = &of.collation {
        out.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(opclass) = &of.opclass {
        out.push_str(&format!(" {opclass}"));
    }
    if of.descending {
        out.push_str(" DESC");
    }
    match of.nulls_first {
        Some(true) => out.push_str(" NULLS FIRST"),
        Some(false) => out.push_str(" NULLS LAST"),
        None => {}
    }
    out
}

/// The two halves of a view's options: `WITH (…)` stands before the query, `WITH CHECK OPTION` behind it.
fn view_options(options: &str) -> (&str, &str) {
    let lower = options.to_ascii_lowercase();
    let check = ["with check option", "with cascaded check option", "with local check option"]
        .iter()
        .find_map(|clause| lower.find(clause));
    match check {
        Some(at) => (options[..at].trim(), options[at..].trim()),
        None => (options.trim(), ""),
    }
}

/// A view from its parts, as the schema keeps them.
pub(crate) fn view(head: &str, name: &Name, columns: &[String], options: &str, definition: &str) -> String {
    let mut out = format!("{head} {name}");
    if !columns.is_empty() {
        out.push_str(&format!(" ({})", list(columns)));
    }
    let (with, check) = view_options(options);
    if !with.is_empty() {
        out.push_str(&format!(" {}", with_clause(with)));
    }
    out.push_str(&format!(" AS {definition}"));
    if !check.is_empty() {
        out.push_str(&format!(" {check}"));
    }
    out
}

/// A whole CREATE VIEW.
#[allow(dead_code, reason = "held by the tests of the round trip; downs restore these from their own text")]
pub(crate) fn create_view(of: &CreateView) -> String {
    let mut head = "CREATE ".to_owned();
    if of.or_replace {
        head.push_str("OR REPLACE ");
    }
    if of.temporary {
        head.push_str("TEMPORARY ");
    }
    if of.recursive {
        head.push_str("RECURSIVE ");
    }
    head.push_str("VIEW");
    view(&head, &of.name, &of.columns, &of.options, &of.definition)
}

/// A whole CREATE MATERIALIZED VIEW.
#[allow(dead_code, reason = "held by the tests of the round trip; downs restore these from their own text")]
pub(crate) fn create_materialized_view(of: &CreateMaterializedView) -> String {
    let mut out = "CREATE MATERIALIZED VIEW ".to_owned();
    if of.if_not_exists {
        out.push_str("IF NOT EXISTS ");
    }
    out.push_str(&of.name.to_string());
    if !of.columns.is_empty() {
        out.push_str(&format!(" ({})", list(&of.columns)));
    }
    if let Some(method) = &of.using {
        out.push_str(&format!(" USING {}", quoted(method)));
    }
    if let Some(with) = &of.with {
        out.push_str(&format!(" {}", with_clause(with)));
    }
    if let Some(tablespace) = &of.tablespace {
        out.push_str(&format!(" TABLESPACE {}", quoted(tablespace)));
    }
    out.push_str(&format!(" AS {}", of.definition));
    if !of.with_data {
        out.push_str(" WITH NO DATA");
    }
    out
}

/// A whole CREATE SEQUENCE.
pub(crate) fn create_sequence(of: &CreateSequence) -> String {
    let mut out = "CREATE ".to_owned();
    if of.temporary {
        out.push_str("TEMPORARY ");
    }
    if of.unlogged {
        out.push_str("UNLOGGED ");
    }
    out.push_str("SEQUENCE ");
    if of.if_not_exists {
        out.push_str("IF NOT EXISTS ");
    }
    out.push_str(&of.name.to_string());
    let options = sequence_options(&of.options);
    if !options.is_empty() {
        out.push_str(&format!(" {options}"));
    }
    out
}

/// A whole CREATE TYPE; the texts of base and range types stand as they are.
pub(crate) fn create_type(name: &Name, definition: &TypeDefinition) -> String {
    let parenthesised = |text: &str| if text.starts_with('(') { text.to_owned() } else { format!("({text})") };
    match definition {
        TypeDefinition::Shell => format!("CREATE TYPE {name}"),
        TypeDefinition::Base { text } => format!("CREATE TYPE {name} {}", parenthesised(text)),
        TypeDefinition::Range { text, .. } => match text.get(..9) {
            Some(start) if start.eq_ignore_ascii_case("as range ") => format!("CREATE TYPE {name} {text}"),
            _ => format!("CREATE TYPE {name} AS RANGE {}", parenthesised(text)),
        },
        TypeDefinition::Enum { values } => {
            let values: Vec<_> = values.iter().map(|value| literal(value)).collect();
            format!("CREATE TYPE {name} AS ENUM ({})", values.join(", "))
        }
        TypeDefinition::Composite { attributes } => {
            let attributes: Vec<_> = attributes
                .iter()
                .map(|(name, data_type, collation)| attribute(name, data_type, collation.as_ref()))
                .collect();
            format!("CREATE TYPE {name} AS ({})", attributes.join(", "))
        }
    }
}

/// An attribute of a composite type.
pub(crate) fn attribute(name: &str, data_type: &crate::sql::ast::TypeName, collation: Option<&Name>) -> String {
    let collation = collation.map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
    format!("{} {}{collation}", quoted(name), type_name(data_type))
}

/// A whole CREATE DOMAIN.
pub(crate) fn create_domain(of: &CreateDomain) -> String {
    let mut out = format!("CREATE DOMAIN {} AS {}", of.name, type_name(&of.data_type));
    if let Some(collation) = &of.collation {
        out.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(default) = &of.default {
        out.push_str(&format!(" DEFAULT {}", default.text));
    }
    if of.not_null {
        out.push_str(" NOT NULL");
    }
    for (name, expression) in &of.checks {
        if let Some(name) = name {
            out.push_str(&format!(" CONSTRAINT {}", quoted(name)));
        }
        out.push_str(&format!(" CHECK {}", parenthesised(expression)));
    }
    out
}

/// A body between dollar quotes that it does not hold itself.
pub(crate) fn dollar_quoted(body: &str) -> String {
    // A tag that is longer than the body cannot stand in it.
    let tags = (0..=body.len()).map(|number| match number {
        0 => "$$".to_owned(),
        1 => "$body$".to_owned(),
        number => format!("$body{number}$"),
    });
    // A body that ends in `$` would run into the closing `$$`.
    let fits = |tag: &String| !body.contains(tag.as_str()) && (tag != "$$" || !body.ends_with('$'));
    let tag = tags.into_iter().find(fits).unwrap_or_else(|| "$body$".to_owned());
    format!("{tag}{body}{tag}")
}

/// A whole CREATE FUNCTION or CREATE PROCEDURE.
#[allow(dead_code, reason = "held by the tests of the round trip; downs restore these from their own text")]
pub(crate) fn create_function(of: &CreateFunction) -> String {
    let replace = if of.or_replace { "OR REPLACE " } else { "" };
    let parameters = of.parameters.trim();
    let parameters = if parameters.starts_with('(') { parameters.to_owned() } else { format!("({parameters})") };
    let mut out = format!("CREATE {replace}{} {}{parameters}", of.routine.kind.sql(), of.routine.name);
    if let Some(returns) = &of.returns {
        out.push_str(&format!(" RETURNS {returns}"));
    }
    out.push_str(&format!(" LANGUAGE {}", quoted(&of.language)));
    if of.routine.kind != ObjectKind::Procedure {
        out.push_str(match of.volatility {
            Volatility::Immutable => " IMMUTABLE",
            Volatility::Stable => " STABLE",
            Volatility::Volatile => "",
        });
    }
    for option in &of.options {
        out.push_str(&format!(" {option}"));
    }
    out.push(' ');
    if of.language == "c" && of.body_text.starts_with('\'') {
        // Two strings, file and symbol.
        out.push_str(&format!("AS {}", of.body_text));
    } else {
        out.push_str(&function_body(&of.body_text));
    }
    out
}

/// A body as it stands behind the options: a string, or SQL-standard.
pub(crate) fn function_body(body: &str) -> String {
    if is_standard_body(body) { body.to_owned() } else { format!("AS {}", dollar_quoted(body)) }
}

/// Whether the body is SQL-standard, `RETURN …` or `BEGIN ATOMIC … END`, and not the text of a string constant.
fn is_standard_body(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    match words.next() {
        Some(first) if first.eq_ignore_ascii_case("return") => true,
        Some(first) if first.eq_ignore_ascii_case("begin") => {
            words.next().is_some_and(|second| second.eq_ignore_ascii_case("atomic"))
        }
        _ => false,
    }
}

/// A whole CREATE POLICY.
#[allow(dead_code, reason = "held by the tests of the round trip; downs restore these from their own text")]
pub(crate) fn create_policy(of: &CreatePolicy) -> String {
    let mut out = format!("CREATE POLICY {} ON {}", quoted(&of.name), of.table);
    if !of.permissive {
        out.push_str(" AS RESTRICTIVE");
    }
    if !of.command.eq_ignore_ascii_case("all") && !of.command.is_empty() {
        out.push_str(&format!(" FOR {}", of.command.to_ascii_uppercase()));
    }
    if !of.roles.is_empty() {
        let roles: Vec<_> = of.roles.iter().map(|name| role(name)).collect();
        out.push_str(&format!(" TO {}", roles.join(", ")));
    }
    if let Some(using) = &of.using {
        out.push_str(&format!(" USING {}", parenthesised(using)));
    }
    if let Some(check) = &of.with_check {
        out.push_str(&format!(" WITH CHECK {}", parenthesised(check)));
    }
    out
}

/// A whole GRANT or REVOKE.
pub(crate) fn grant(of: &Grant) -> String {
    let mut out = if of.revoke { "REVOKE " } else { "GRANT " }.to_owned();
    if of.revoke && of.grant_option {
        out.push_str(if of.of_roles { "ADMIN OPTION FOR " } else { "GRANT OPTION FOR " });
    }
    let privileges: Vec<_> = of
        .privileges
        .iter()
        .map(|(privilege, columns)| {
            let privilege = if of.of_roles { role(privilege) } else { privilege.clone() };
            if columns.is_empty() { privilege } else { format!("{privilege} ({})", list(columns)) }
        })
        .collect();
    out.push_str(&privileges.join(", "));
    if !of.of_roles {
        out.push_str(" ON ");
        out.push_str(&granted_objects(of));
    }
    out.push_str(if of.revoke { " FROM " } else { " TO " });
    let grantees: Vec<_> = of.grantees.iter().map(|name| role(name)).collect();
    out.push_str(&grantees.join(", "));
    if !of.revoke && of.grant_option {
        out.push_str(if of.of_roles { " WITH ADMIN OPTION" } else { " WITH GRANT OPTION" });
    }
    if let Some(by) = &of.granted_by {
        out.push_str(&format!(" GRANTED BY {}", role(by)));
    }
    if of.cascade {
        out.push_str(" CASCADE");
    }
    out
}

fn granted_objects(of: &Grant) -> String {
    if let Some(kind) = of.all_kind {
        return format!("ALL {}S IN SCHEMA {}", kind.sql(), list(&of.all_in_schemas));
    }
    let kind = of.objects.first().map(|first: &Target| first.kind);
    let names: Vec<_> = of.objects.iter().map(target_name).collect();
    match kind {
        // TABLE is what GRANT understands where no kind stands.
        None | Some(ObjectKind::Table) => names.join(", "),
        Some(ObjectKind::Server) => format!("FOREIGN SERVER {}", names.join(", ")),
        Some(kind) => format!("{} {}", kind.sql(), names.join(", ")),
    }
}

/// A routine as ALTER and DROP name it, its kind first.
pub(crate) fn routine(of: &crate::sql::ast::Routine) -> String {
    format!("{} {}", of.kind.sql(), signature(&of.name, of.args.as_deref()))
}

/// A whole CREATE PUBLICATION.
pub(crate) fn create_publication(name: &str, scope: &PublicationScope) -> String {
    let mut out = format!("CREATE PUBLICATION {}", quoted(name));
    let what = publication_scope(scope);
    if !what.is_empty() {
        out.push_str(&format!(" FOR {what}"));
    }
    if let Some(with) = &scope.with {
        out.push_str(&format!(" {}", with_clause(with)));
    }
    out
}

/// What a publication publishes, as CREATE and ALTER PUBLICATION list it.
pub(crate) fn publication_scope(scope: &PublicationScope) -> String {
    if scope.all_tables {
        return "ALL TABLES".to_owned();
    }
    let mut parts = Vec::new();
    if !scope.tables.is_empty() {
        let tables: Vec<_> = scope
            .tables
            .iter()
            .map(|(table, only, columns, filter)| {
                let only = if *only { "ONLY " } else { "" };
                let columns = if columns.is_empty() { String::new() } else { format!(" ({})", list(columns)) };
                let filter = filter.as_ref().map(|filter| format!(" WHERE {}", wrapped(filter))).unwrap_or_default();
                format!("{only}{table}{columns}{filter}")
            })
            .collect();
        parts.push(format!("TABLE {}", tables.join(", ")));
    }
    if !scope.schemas.is_empty() {
        let schemas: Vec<_> = scope
            .schemas
            .iter()
            .map(|schema| schema.as_deref().map_or_else(|| "CURRENT_SCHEMA".to_owned(), quoted))
            .collect();
        parts.push(format!("TABLES IN SCHEMA {}", schemas.join(", ")));
    }
    parts.join(", ")
}
