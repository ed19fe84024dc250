//! VACUUM, ANALYZE, CLUSTER, TRUNCATE, LOCK, COPY, EXPLAIN and the like.

use super::super::ast::Stmt;
use super::super::name::Name;
use super::names;
use super::options;
use super::query;
use super::statement;
use super::tree::{K, Node, Result, Tree};
use crate::model::LockClass;

/// The statement; `None` if it is not one of these.
pub(super) fn statement(node: &Node) -> Result<Option<Stmt>> {
    Ok(Some(match node.kind() {
        K::VACUUM => Stmt::Vacuum {
            tables: tables_and_columns(node)?,
            full: node.has(K::FULL_KW) || vacuum_option(node, "full"),
            analyze: node.has(K::ANALYZE_KW) || node.has(K::ANALYSE_KW) || vacuum_option(node, "analyze"),
        },
        K::ANALYZE => Stmt::Analyze { tables: tables_and_columns(node)? },
        K::CLUSTER => {
            let legacy = node.child(K::CLUSTER_LEGACY);
            let table = match &legacy {
                Some(legacy) => Some(names::name_in(&legacy.need(K::ON_PATH)?, K::TABLE_NAME_REF)?),
                None => node.child(K::TABLE_NAME_REF).map(|name| names::name(&name)),
            };
            let using =
                legacy.or_else(|| node.child(K::CLUSTER_USING_INDEX)).and_then(|clause| clause.child(K::INDEX_REF));
            Stmt::Cluster { table, index: using.map(|index| names::name(&index).name) }
        }
        K::CHECKPOINT => Stmt::Checkpoint,
        K::LOAD => Stmt::Load { library: options::string_in(node).unwrap_or_default() },
        K::TRUNCATE => Stmt::Truncate {
            tables: relations(&node.need(K::TABLE_LIST)?),
            restart_identity: node.has(K::RESTART_IDENTITY),
            cascade: options::cascade(node),
        },
        K::LOCK => Stmt::LockTable {
            tables: relations(&node.need(K::RELATION_LIST)?),
            mode: lock_mode(node)?,
            nowait: node.has(K::NOWAIT) || node.has(K::NOWAIT_KW),
        },
        K::COPY => copy(node)?,
        K::EXPLAIN => explain(node)?,
        _ => return Ok(None),
    }))
}

fn relations(list: &Node) -> Vec<(Name, bool)> {
    list.children().map(|relation| (names::name(&relation), relation.has(K::ONLY_KW))).collect()
}

fn tables_and_columns(node: &Node) -> Result<Vec<(Name, bool)>> {
    let Some(list) = node.child(K::TABLE_AND_COLUMNS_LIST) else { return Ok(Vec::new()) };
    list.all(K::TABLE_AND_COLUMNS)
        .map(|item| {
            let relation = item.need(K::TABLE_RELATION_NAME)?;
            Ok((names::name(&relation), relation.has(K::ONLY_KW)))
        })
        .collect()
}

fn vacuum_option(node: &Node, wanted: &str) -> bool {
    let Some(list) = node.child(K::VACUUM_OPTION_LIST) else { return false };
    let named = |option: &Node| {
        option.child(K::VACUUM_OPTION_NAME).is_some_and(|name| {
            let name = names::ident(&name);
            name == wanted || (wanted == "analyze" && name == "analyse")
        })
    };
    list.all(K::VACUUM_OPTION).filter(named).last().is_some_and(|option| options::switched_on(&option))
}

fn lock_mode(node: &Node) -> Result<LockClass> {
    let Some(clause) = node.child(K::LOCK_MODE_CLAUSE) else { return Ok(LockClass::AccessExclusive) };
    let mode = clause.children().next().ok_or_else(|| clause.fail("expected a lock mode here"))?;
    Ok(match mode.kind() {
        K::ACCESS_SHARE => LockClass::AccessShare,
        K::ROW_SHARE => LockClass::RowShare,
        K::ROW_EXCLUSIVE => LockClass::RowExclusive,
        K::SHARE_UPDATE_EXCLUSIVE => LockClass::ShareUpdateExclusive,
        K::SHARE => LockClass::Share,
        K::SHARE_ROW_EXCLUSIVE => LockClass::ShareRowExclusive,
        K::EXCLUSIVE => LockClass::Exclusive,
        K::ACCESS_EXCLUSIVE => LockClass::AccessExclusive,
        _ => return Err(mode.fail("expected a lock mode here")),
    })
}

fn copy(node: &Node) -> Result<Stmt> {
    let table = node.child(K::COPY_TABLE);
    let inner = node.child(K::COPY_QUERY).and_then(|clause| clause.children().next());
    let direction = node.any(&[K::COPY_FROM, K::COPY_TO]);
    Ok(Stmt::Copy {
        table: table.as_ref().map(|table| names::name_in(table, K::TABLE_NAME_REF)).transpose()?,
        query: inner.map(|inner| query::query(&inner)).transpose()?,
        from: node.has(K::COPY_FROM),
        columns: table.map(|table| names::columns_in(&table, K::COLUMN_REF_LIST)).unwrap_or_default(),
        program_or_file: direction.is_some_and(|direction| direction.has(K::COPY_PROGRAM)),
    })
}

fn explain(node: &Node) -> Result<Stmt> {
    let inner = node.children().last().ok_or_else(|| node.fail("expected a statement here"))?;
    let listed = node.child(K::EXPLAIN_OPTION_LIST).is_some_and(|list| {
        let analyze = |option: &Node| {
            option
                .child(K::EXPLAIN_OPTION_NAME)
                .is_some_and(|name| matches!(names::ident(&name).as_str(), "analyze" | "analyse"))
        };
        list.all(K::EXPLAIN_OPTION).filter(analyze).last().is_some_and(|option| options::switched_on(&option))
    });
    Ok(Stmt::Explain { analyze: listed || node.has(K::EXPLAIN_ANALYZE), statement: Box::new(statement::stmt(&inner)?) })
}
