//! One walk over an expression or query that gathers everything it names: relations (with the scopes of CTEs),
//! functions (also those behind special syntax), columns, casts, operators, sequences, row locks, writes.

use super::super::ast::{Dml, TypeName};
use super::super::name::Name;
use super::canonical;
use super::dml;
use super::names;
use super::tree::{K, Node, Result, Tree, is_dml, is_select, is_type};
use super::types;

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) reads: Vec<(Name, bool)>,
    pub(super) row_locks: Vec<Name>,
    pub(super) writes: Vec<Dml>,
    pub(super) functions: Vec<Name>,
    pub(super) columns: Vec<String>,
    pub(super) casts: Vec<TypeName>,
    pub(super) operators: Vec<Name>,
    pub(super) sequences: Vec<Name>,
    pub(super) into: Option<(Name, bool)>,
    pub(super) scans: bool,
}

#[derive(Default)]
pub(super) struct Walk {
    pub(super) found: Found,
    /// CTE names in scope, innermost last.
    pub(super) scopes: Vec<Vec<String>>,
    /// How many queries enclose this place; WITH of the outermost counts as outermost.
    level: usize,
    /// WITH clauses that were walked for a whole compound select, before its first operand that holds them.
    hoisted: Vec<Node>,
    /// FROM items by alias, with what they read, of the query at hand.
    aliases: Vec<(String, std::ops::Range<usize>)>,
}

/// Names of the CTEs in scope around a place, innermost last.
pub(super) type Scopes = [Vec<String>];

/// Walks the nodes, in the scopes around them.
pub(super) fn walk<'n>(nodes: impl IntoIterator<Item = &'n Node>, scopes: &Scopes) -> Result<Found> {
    let mut walk = Walk { scopes: scopes.to_vec(), ..Walk::default() };
    for node in nodes {
        walk.node(node)?;
    }
    Ok(walk.found)
}

fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

impl Walk {
    fn children(&mut self, node: &Node) -> Result<()> {
        node.children().try_for_each(|child| self.node(&child))
    }

    pub(super) fn node(&mut self, node: &Node) -> Result<()> {
        match node.kind() {
            kind if is_select(kind) || is_dml(kind) => self.query(node),
            K::WITH_CLAUSE if self.hoisted.contains(node) => Ok(()),
            K::WITH_CLAUSE => self.with(node),
            K::CALL_EXPR => self.call(node),
            K::NAME_REF => {
                self.name(node);
                Ok(())
            }
            K::FIELD_EXPR => self.field(node),
            K::COLUMN_NAME_REF => {
                push(&mut self.found.columns, names::ident(node));
                Ok(())
            }
            K::CAST_EXPR => {
                if let Some(ty) = node.ty() {
                    push(&mut self.found.casts, types::type_name(&ty)?);
                }
                self.children(node)
            }
            kind if is_type(kind) => Ok(()),
            K::BIN_EXPR | K::PREFIX_EXPR | K::POSTFIX_EXPR | K::BETWEEN_EXPR => {
                self.operator(node);
                self.children(node)
            }
            K::FROM_CLAUSE | K::USING_CLAUSE | K::USING_ON_CLAUSE => self.children(node),
            K::RELATION_FROM_ITEM
            | K::PAREN_FROM_ITEM
            | K::FUNCTION_FROM_ITEM
            | K::EXPR_FROM_ITEM
            | K::ROWS_FROM_ITEM
            | K::JSON_TABLE_FROM_ITEM
            | K::XML_TABLE_FROM_ITEM
            | K::GRAPH_TABLE_FROM_ITEM => self.item_of_from(node),
            K::LOCKING_CLAUSE | K::FROM_ALIAS => Ok(()),
            K::INTO_CLAUSE => {
                self.found.into = Some((names::name_in(node, K::TABLE_NAME)?, node.has(K::TEMP)));
                Ok(())
            }
            _ => self.children(node),
        }
    }

    fn query(&mut self, node: &Node) -> Result<()> {
        if is_dml(node.kind()) && self.level > 0 {
            return Err(node.fail("WITH clause containing a data-modifying statement must be at the top level"));
        }
        let scopes = self.scopes.len();
        let aliases = std::mem::take(&mut self.aliases);
        let first = self.found.reads.len();
        if let Some(with) = with_of(node)
            && !self.hoisted.contains(&with)
        {
            self.with(&with)?;
            self.hoisted.push(with);
        }
        self.level += 1;
        if is_dml(node.kind()) {
            dml::record(self, node)?;
        } else if node.kind() == K::TABLE
            && let Some(relation) = node.child(K::RELATION_NAME)
        {
            self.relation(names::name(&relation), relation.has(K::ONLY_KW));
        }
        self.children(node)?;
        for locking in node.all(K::LOCKING_CLAUSE) {
            self.lock(&locking, first);
        }
        self.level -= 1;
        self.scopes.truncate(scopes);
        self.aliases = aliases;
        Ok(())
    }

    fn with(&mut self, node: &Node) -> Result<()> {
        let recursive = node.has(K::RECURSIVE_KW);
        let tables: Vec<_> = node.all(K::WITH_TABLE).collect();
        self.scopes.push(Vec::new());
        for table in &tables {
            if recursive {
                self.define(names::ident_in(table, K::CTE_NAME)?);
            }
        }
        for table in &tables {
            let query = table.children().find(|child| is_select(child.kind()) || is_dml(child.kind()));
            if let Some(query) = query {
                self.query(&query)?;
            }
            if !recursive {
                self.define(names::ident_in(table, K::CTE_NAME)?);
            }
        }
        Ok(())
    }

    fn define(&mut self, name: String) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name);
        }
    }

    fn relation(&mut self, name: Name, only: bool) {
        let cte = name.schema.is_none() && self.scopes.iter().flatten().any(|cte| *cte == name.name);
        if !cte {
            push(&mut self.found.reads, (name, only));
            self.found.scans = true;
        }
    }

    fn item_of_from(&mut self, node: &Node) -> Result<()> {
        let first = self.found.reads.len();
        let mut alias =
            node.child(K::FROM_ALIAS).and_then(|alias| alias.child(K::TABLE_ALIAS)).map(|alias| names::ident(&alias));
        if let Some(reference) = node.child(K::RELATION_NAME_REF) {
            let name = names::name(&reference);
            alias = alias.or_else(|| Some(name.name.clone()));
            let known = self.found.reads.iter().position(|(read, _)| *read == name);
            self.relation(name, node.has(K::ONLY_KW));
            if let (Some(alias), Some(at)) = (&alias, known) {
                self.aliases.push((alias.clone(), at..at + 1));
            }
        } else if node.kind() != K::PAREN_FROM_ITEM {
            self.found.scans = true;
        }
        let inner = std::mem::take(&mut self.aliases);
        self.children(node)?;
        let nested = std::mem::replace(&mut self.aliases, inner);
        match alias {
            Some(alias) => self.aliases.push((alias, first..self.found.reads.len())),
            // Parentheses around a join do not hide the aliases inside.
            None => self.aliases.extend(nested),
        }
        Ok(())
    }

    fn lock(&mut self, node: &Node, first: usize) {
        let all: Vec<Name> = self.found.reads[first..].iter().map(|(name, _)| name.clone()).collect();
        let Some(of) = node.child(K::LOCKING_OF) else {
            all.into_iter().for_each(|name| push(&mut self.found.row_locks, name));
            return;
        };
        for target in of.exprs() {
            let Some(wanted) = names::dotted(&target).and_then(|mut parts| parts.pop()) else { continue };
            let ranges: Vec<_> =
                self.aliases.iter().filter(|(alias, _)| *alias == wanted).map(|(_, range)| range.clone()).collect();
            for range in ranges {
                let locked: Vec<Name> = self.found.reads[range].iter().map(|(name, _)| name.clone()).collect();
                locked.into_iter().for_each(|name| push(&mut self.found.row_locks, name));
            }
        }
    }

    fn call(&mut self, node: &Node) -> Result<()> {
        let mut children = node.children();
        let Some(callee) = children.next() else { return Ok(()) };
        if let Some(parts) = names::dotted(&callee) {
            let special = callee.kind() == K::NAME_REF
                && callee.tokens().next().is_some_and(|token| not_in_catalog(token.kind()));
            if !special {
                let name = match callee.tokens().next().and_then(|token| value_function(token.kind())) {
                    Some(known) if callee.kind() == K::NAME_REF => Name::bare(known),
                    _ => names::from_parts(parts),
                };
                self.sequence(&name, node);
                push(&mut self.found.functions, name);
            }
        } else {
            if let Some(name) = special_function(&callee) {
                push(&mut self.found.functions, Name::bare(name));
            }
            if callee.kind() == K::COLLATION_FOR_FN || callee.kind() != K::NAME_REF {
                self.node(&callee)?;
            }
        }
        children.try_for_each(|child| self.node(&child))
    }

    fn sequence(&mut self, function: &Name, call: &Node) {
        let known = function.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        if !known || !matches!(function.name.as_str(), "nextval" | "currval" | "setval" | "lastval") {
            return;
        }
        let argument = call.child(K::ARG_LIST).and_then(|list| list.child(K::ARG)).and_then(|arg| arg.expr());
        let literal = argument.map(|argument| uncast(&argument));
        if let Some(name) =
            literal.and_then(|literal| canonical::string_value(&literal)).and_then(|text| names::from_text(&text))
        {
            push(&mut self.found.sequences, name);
        }
    }

    fn name(&mut self, node: &Node) {
        match node.tokens().next().and_then(|token| value_function(token.kind())) {
            Some(function) => push(&mut self.found.functions, Name::bare(function)),
            None => push(&mut self.found.columns, names::ident(node)),
        }
    }

    fn field(&mut self, node: &Node) -> Result<()> {
        let mut children = node.children();
        let Some(base) = children.next() else { return Ok(()) };
        if names::dotted(&base).is_some() {
            if let Some(field) = children.find(|child| child.kind() == K::NAME_REF) {
                push(&mut self.found.columns, names::ident(&field));
            }
            return Ok(());
        }
        self.node(&base)
    }

    fn operator(&mut self, node: &Node) {
        for element in node.children_with_tokens() {
            let kind = element.kind();
            if let Some(call) = element.as_node().filter(|child| child.kind() == K::OPERATOR_CALL) {
                if let Some(operator) = call.child(K::OP) {
                    let symbol: String = operator
                        .descendants_with_tokens()
                        .filter_map(rowan::NodeOrToken::into_token)
                        .filter(|token| {
                            !token.kind().is_trivia()
                                && token
                                    .parent()
                                    .is_none_or(|parent| !matches!(parent.kind(), K::PATH_REF | K::PATH_SEGMENT_REF))
                        })
                        .map(|token| token.text().to_owned())
                        .collect();
                    let schema =
                        operator.child(K::PATH_REF).map(|path| names::parts(&path)).and_then(|mut parts| parts.pop());
                    push(&mut self.found.operators, Name { schema, name: symbol });
                }
            } else if let Some(function) = operator_function(kind) {
                push(&mut self.found.functions, Name::bare(function));
            } else if kind == K::CUSTOM_OP {
                let symbol: String =
                    element.as_node().into_iter().flat_map(Tree::tokens).map(|token| token.text().to_owned()).collect();
                push(&mut self.found.operators, Name::bare(if symbol == "!=" { "<>".to_owned() } else { symbol }));
            } else if let Some(symbols) = operator_symbols(kind, node) {
                for symbol in symbols {
                    push(&mut self.found.operators, Name::bare(*symbol));
                }
            }
        }
    }
}

/// The WITH clause of a query; that of a compound select stands in its first operand.
pub(super) fn with_of(node: &Node) -> Option<Node> {
    if node.kind() == K::COMPOUND_SELECT {
        return with_of(&node.children().find(|child| is_select(child.kind()))?).filter(|_| {
            node.children()
                .next()
                .is_some_and(|first| first.kind() != K::PAREN_SELECT || first.child(K::WITH_CLAUSE).is_some())
        });
    }
    node.child(K::WITH_CLAUSE)
}

/// The expression below casts, parentheses.
pub(super) fn uncast(node: &Node) -> Node {
    let mut node = canonical::unwrapped(node);
    while node.kind() == K::CAST_EXPR
        && let Some(inner) = node.expr()
    {
        node = canonical::unwrapped(&inner);
    }
    node
}

/// The expression without parentheses and casts to text; `None` where it is cast to another type.
pub(super) fn uncast_to_text(node: &Node) -> Option<Node> {
    let mut node = canonical::unwrapped(node);
    while node.kind() == K::CAST_EXPR {
        let to = node.ty()?.text().to_string();
        if !matches!(to.trim().to_ascii_lowercase().as_str(), "text" | "varchar") {
            return None;
        }
        node = canonical::unwrapped(&node.expr()?);
    }
    Some(node)
}

/// Keywords that look like functions but are expressions of their own, found in no catalog.
fn not_in_catalog(kind: K) -> bool {
    matches!(kind, K::COALESCE_KW | K::GREATEST_KW | K::LEAST_KW | K::NULLIF_KW | K::GROUPING_KW | K::ROW_KW)
}

/// Whether the keyword calls a function without parentheses.
pub(super) fn is_value_function(kind: K) -> bool {
    value_function(kind).is_some()
}

/// Functions that are called by a keyword without parentheses.
fn value_function(kind: K) -> Option<&'static str> {
    Some(match kind {
        K::CURRENT_TIMESTAMP_KW => "now",
        K::CURRENT_DATE_KW => "current_date",
        K::CURRENT_TIME_KW => "current_time",
        K::LOCALTIME_KW => "localtime",
        K::LOCALTIMESTAMP_KW => "localtimestamp",
        K::CURRENT_USER_KW | K::CURRENT_ROLE_KW | K::USER_KW => "current_user",
        K::SESSION_USER_KW => "session_user",
        K::SYSTEM_USER_KW => "system_user",
        K::CURRENT_CATALOG_KW => "current_database",
        K::CURRENT_SCHEMA_KW => "current_schema",
        _ => return None,
    })
}

/// Functions with a syntax of their own.
fn special_function(node: &Node) -> Option<&'static str> {
    Some(match node.kind() {
        K::EXTRACT_FN => "extract",
        K::SUBSTRING_FN => "substring",
        K::POSITION_FN => "position",
        K::OVERLAY_FN => "overlay",
        K::TRIM_FN => match node.any(&[K::TRIM_LEADING, K::TRIM_TRAILING]).map(|side| side.kind()) {
            Some(K::TRIM_LEADING) => "ltrim",
            Some(_) => "rtrim",
            None => "btrim",
        },
        K::COLLATION_FOR_FN => "pg_collation_for",
        K::JSON_EXISTS_FN => "json_exists",
        K::JSON_ARRAY_FN => "json_array",
        K::JSON_OBJECT_FN => "json_object",
        K::JSON_OBJECT_AGG_FN => "json_objectagg",
        K::JSON_ARRAY_AGG_FN => "json_arrayagg",
        K::JSON_QUERY_FN => "json_query",
        K::JSON_SCALAR_FN => "json_scalar",
        K::JSON_SERIALIZE_FN => "json_serialize",
        K::JSON_VALUE_FN => "json_value",
        K::JSON_FN => "json",
        K::XML_ROOT_FN => "xmlroot",
        K::XML_SERIALIZE_FN => "xmlserialize",
        K::XML_ELEMENT_FN => "xmlelement",
        K::XML_FOREST_FN => "xmlforest",
        K::XML_EXISTS_FN => "xmlexists",
        K::XML_PARSE_FN => "xmlparse",
        K::XML_PI_FN => "xmlpi",
        _ => return None,
    })
}

/// Operators by keyword that PostgreSQL turns into a function (`gram.y`, `a_expr`).
fn operator_function(kind: K) -> Option<&'static str> {
    Some(match kind {
        K::AT_TIME_ZONE | K::AT_LOCAL => "timezone",
        K::OVERLAPS_KW => "overlaps",
        K::ESCAPE_KW => "like_escape",
        K::SIMILAR_TO | K::NOT_SIMILAR_TO => "similar_to_escape",
        K::IS_NORMALIZED | K::IS_NOT_NORMALIZED => "is_normalized",
        _ => return None,
    })
}

/// The operators that a token or keyword stands for (`gram.y`, `a_expr`).
fn operator_symbols(kind: K, node: &Node) -> Option<&'static [&'static str]> {
    Some(match kind {
        K::PLUS => &["+"],
        K::MINUS => &["-"],
        K::STAR => &["*"],
        K::SLASH => &["/"],
        K::PERCENT => &["%"],
        K::CARET => &["^"],
        K::L_ANGLE => &["<"],
        K::R_ANGLE => &[">"],
        K::EQ => &["="],
        K::LTEQ => &["<="],
        K::GTEQ => &[">="],
        K::NEQ | K::NEQB => &["<>"],
        K::LIKE_KW => &["~~"],
        K::NOT_LIKE => &["!~~"],
        K::ILIKE_KW => &["~~*"],
        K::NOT_ILIKE => &["!~~*"],
        K::IN_KW if node.kind() == K::BIN_EXPR => &["="],
        K::NOT_IN => &["<>"],
        K::IS_DISTINCT_FROM | K::IS_NOT_DISTINCT_FROM => &["="],
        K::BETWEEN_KW => &[">=", "<="],
        _ => return None,
    })
}
