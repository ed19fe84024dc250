//! Views and materialized views.

use super::super::ast::{CreateMaterializedView, CreateView, Stmt};
use super::canonical;
use super::names;
use super::options;
use super::query;
use super::table;
use super::tree::{K, Node, Result, Tree};

pub(super) fn create(node: &Node) -> Result<Stmt> {
    let query = canonical::query_in(node).ok_or_else(|| node.fail("expected a query here"))?;
    let options: Vec<_> =
        [K::WITH_PARAMS, K::WITH_CHECK_OPTION].into_iter().filter_map(|kind| node.child(kind)).collect();
    Ok(Stmt::CreateView(CreateView {
        name: names::name_in(node, K::VIEW)?,
        or_replace: node.has(K::OR_REPLACE),
        temporary: node.has(K::TEMP),
        recursive: node.has(K::RECURSIVE_KW),
        columns: names::columns_in(node, K::COLUMN_LIST),
        options: canonical::texts(&options),
        definition: canonical::text(&query),
        query: query::query(&query)?,
    }))
}

pub(super) fn create_materialized(node: &Node) -> Result<Stmt> {
    let query = canonical::query_in(node).ok_or_else(|| node.fail("expected a query here"))?;
    Ok(Stmt::CreateMaterializedView(CreateMaterializedView {
        name: names::name_in(node, K::VIEW)?,
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        columns: names::columns_in(node, K::COLUMN_LIST),
        with: options::text_of(node, K::WITH_PARAMS),
        using: node.child(K::USING_METHOD).map(|clause| names::ident_in(&clause, K::ACCESS_METHOD_REF)).transpose()?,
        tablespace: table::tablespace(node)?,
        definition: canonical::text(&query),
        query: query::query(&query)?,
        with_data: !node.has(K::WITH_NO_DATA),
    }))
}

pub(super) fn refresh(node: &Node) -> Result<Stmt> {
    Ok(Stmt::RefreshMaterializedView {
        name: names::name_in(node, K::VIEW_REF)?,
        concurrently: node.has(K::CONCURRENTLY_KW),
        with_data: !node.has(K::WITH_NO_DATA),
    })
}
