//! CREATE INDEX and REINDEX.

use super::super::ast::{CreateIndex, IndexElement, Reindex, ReindexScope, Stmt};
use super::canonical;
use super::expr;
use super::names;
use super::options;
use super::table;
use super::tree::{K, Node, Result, Tree};

pub(super) fn create(node: &Node) -> Result<Stmt> {
    let table = node.need(K::TABLE_RELATION_NAME)?;
    let method =
        node.child(K::USING_METHOD).map(|clause| names::ident_in(&clause, K::ACCESS_METHOD_REF)).transpose()?;
    let elements =
        node.need(K::PARTITION_ITEM_LIST)?.all(K::PARTITION_ITEM).map(|item| element(&item)).collect::<Result<_>>()?;
    let include = node.child(K::INDEX_INCLUDE_CLAUSE).and_then(|clause| clause.child(K::PARTITION_ITEM_LIST));
    let include = include
        .iter()
        .flat_map(|list| list.all(K::PARTITION_ITEM).collect::<Vec<_>>())
        .filter_map(|item| expr::column(&item.expr()?));
    Ok(Stmt::CreateIndex(CreateIndex {
        name: node.child(K::INDEX).map(|name| names::name(&name).name),
        table: names::name(&table),
        only: table.has(K::ONLY_KW),
        unique: node.has(K::UNIQUE_KW),
        concurrently: node.has(K::CONCURRENTLY_KW),
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        method: method.unwrap_or_else(|| "btree".to_owned()),
        elements,
        include: include.collect(),
        nulls_not_distinct: node.has(K::NULLS_NOT_DISTINCT),
        with: options::text_of(node, K::WITH_PARAMS),
        tablespace: table::tablespace(node)?,
        predicate: expr::optional(node, K::WHERE_CLAUSE)?,
    }))
}

fn element(item: &Node) -> Result<IndexElement> {
    let expression = item.need_expr()?;
    // COLLATE binds as an operator: the element is what stands before it.
    let collated = expression.kind() == K::COLLATE && expression.expr().is_some();
    let (inner, collation) = if collated {
        (expression.need_expr()?, Some(names::name_in(&expression, K::COLLATION_REF)?))
    } else {
        let clause = item.all(K::COLLATE).find(|clause| clause.expr().is_none());
        (expression.clone(), clause.map(|clause| names::name_in(&clause, K::COLLATION_REF)).transpose()?)
    };
    let column = expr::column(&inner);
    let opclass = item.child(K::OP_CLASS_REF).map(|class| match item.child(K::ATTRIBUTE_LIST) {
        Some(list) => canonical::texts(&[class, list]),
        None => canonical::text(&class),
    });
    Ok(IndexElement {
        expression: if column.is_none() { Some(expr::expr(&inner)?) } else { None },
        column,
        collation,
        opclass,
        descending: item.has(K::SORT_DESC),
        nulls_first: if item.has(K::NULLS_FIRST) { Some(true) } else { item.has(K::NULLS_LAST).then_some(false) },
    })
}

pub(super) fn reindex(node: &Node) -> Result<Stmt> {
    let kinds = [
        K::REINDEX_TARGET_DATABASE,
        K::REINDEX_TARGET_INDEX,
        K::REINDEX_TARGET_SCHEMA,
        K::REINDEX_TARGET_SYSTEM,
        K::REINDEX_TARGET_TABLE,
    ];
    let target = node.any(&kinds).ok_or_else(|| node.fail("expected what to reindex here"))?;
    let scope = match target.kind() {
        K::REINDEX_TARGET_INDEX => ReindexScope::Index(names::name_in(&target, K::INDEX_REF)?),
        K::REINDEX_TARGET_TABLE => ReindexScope::Table(names::name_in(&target, K::TABLE_NAME_REF)?),
        K::REINDEX_TARGET_SCHEMA => ReindexScope::Schema(names::ident_in(&target, K::SCHEMA_REF)?),
        K::REINDEX_TARGET_DATABASE => ReindexScope::Database,
        _ => ReindexScope::System,
    };
    let list = node.child(K::REINDEX_OPTION_LIST);
    let option = |kind: K| list.as_ref().and_then(|list| list.child(kind));
    let tablespace =
        option(K::REINDEX_OPTION_TABLESPACE).map(|option| names::ident_in(&option, K::TABLESPACE_REF)).transpose()?;
    let concurrently = target.has(K::CONCURRENTLY_KW)
        || option(K::REINDEX_OPTION_CONCURRENTLY).is_some_and(|option| options::switched_on(&option));
    Ok(Stmt::Reindex(Reindex { scope, concurrently, tablespace }))
}
