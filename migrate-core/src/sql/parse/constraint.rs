//! Column and table constraints.

use super::super::ast::{ConstraintDef, ConstraintKind, ForeignKey, Generated, Identity};
use super::canonical;
use super::expr;
use super::names;
use super::options;
use super::sequence;
use super::tree::{K, Node, Result, Tree};

/// The constraint. `column` is the column it stands at, for a column constraint.
pub(super) fn constraint(node: &Node, column: Option<&str>) -> Result<ConstraintDef> {
    let own = || column.map(str::to_owned).into_iter().collect::<Vec<_>>();
    let kind = match node.kind() {
        K::CHECK_CONSTRAINT => ConstraintKind::Check(expr::expr_in(node)?),
        K::NOT_NULL_CONSTRAINT => {
            let named = node.child(K::COLUMN_NAME_REF).map(|name| names::ident(&name));
            ConstraintKind::NotNull { column: named.or_else(|| column.map(str::to_owned)).unwrap_or_default() }
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT => unique(node, own())?,
        K::EXCLUDE_CONSTRAINT => exclude(node)?,
        K::FOREIGN_KEY_CONSTRAINT | K::REFERENCES_CONSTRAINT => ConstraintKind::ForeignKey(foreign_key(node, own())?),
        kind => return Err(node.fail(format!("not a constraint: {}", super::tree::spoken(kind)))),
    };
    let deferred = node.has(K::INITIALLY_DEFERRED_CONSTRAINT_OPTION);
    Ok(ConstraintDef {
        name: constraint_name(node),
        kind,
        not_valid: node.has(K::NOT_VALID),
        // INITIALLY DEFERRED implies DEFERRABLE (`processCASbits` in gram.y).
        deferrable: node.has(K::DEFERRABLE_CONSTRAINT_OPTION) || deferred,
        initially_deferred: deferred,
        no_inherit: node.has(K::NO_INHERIT),
        not_enforced: node.has(K::NOT_ENFORCED),
    })
}

pub(super) fn constraint_name(node: &Node) -> Option<String> {
    node.child(K::CONSTRAINT_NAME_CLAUSE)?.child(K::CONSTRAINT_NAME).map(|name| names::ident(&name))
}

fn unique(node: &Node, own: Vec<String>) -> Result<ConstraintKind> {
    let primary = node.kind() == K::PRIMARY_KEY_CONSTRAINT;
    if let Some(using) = node.any(&[K::USING_INDEX_NAME, K::USING_INDEX]) {
        let index = names::name_in(&using, K::INDEX_REF)?.name;
        return Ok(if primary {
            ConstraintKind::PrimaryKeyUsingIndex { index }
        } else {
            ConstraintKind::UniqueUsingIndex { index }
        });
    }
    let parameters = node.need(K::INDEX_PARAMETERS)?;
    let list = parameters.child(K::CONSTRAINT_COLUMN_REF_LIST);
    let columns = list.as_ref().map_or(own, names::columns);
    let without_overlaps = list.is_some_and(|list| list.has(K::WITHOUT_OVERLAPS));
    let include =
        parameters.child(K::CONSTRAINT_INCLUDE_CLAUSE).map(|clause| names::columns_in(&clause, K::COLUMN_REF_LIST));
    let include = include.unwrap_or_default();
    let with = options::text_of(&parameters, K::WITH_PARAMS);
    let tablespace = tablespace(&parameters)?;
    Ok(if primary {
        ConstraintKind::PrimaryKey { columns, include, with, tablespace, without_overlaps }
    } else {
        let nulls_not_distinct = parameters.has(K::NULLS_NOT_DISTINCT);
        ConstraintKind::Unique { columns, include, nulls_not_distinct, with, tablespace, without_overlaps }
    })
}

fn tablespace(node: &Node) -> Result<Option<String>> {
    node.child(K::CONSTRAINT_INDEX_TABLESPACE).map(|clause| names::ident_in(&clause, K::TABLESPACE_REF)).transpose()
}

fn exclude(node: &Node) -> Result<ConstraintKind> {
    let method = node.child(K::CONSTRAINT_INDEX_METHOD).map(|clause| names::ident_in(&clause, K::ACCESS_METHOD_REF));
    let list = node.need(K::CONSTRAINT_EXCLUSION_LIST)?;
    let columns = list.all(K::CONSTRAINT_EXCLUSION).filter_map(|element| expr::column(&element.expr()?)).collect();
    let parts: Vec<_> =
        [K::CONSTRAINT_EXCLUSION_LIST, K::CONSTRAINT_INCLUDE_CLAUSE, K::WITH_PARAMS, K::CONSTRAINT_INDEX_TABLESPACE]
            .into_iter()
            .filter_map(|kind| node.child(kind))
            .collect();
    Ok(ConstraintKind::Exclude {
        method: method.transpose()?.unwrap_or_else(|| "btree".to_owned()),
        elements: canonical::texts(&parts),
        columns,
        predicate: expr::optional(node, K::WHERE_CONDITION_CLAUSE)?,
    })
}

fn foreign_key(node: &Node, own: Vec<String>) -> Result<ForeignKey> {
    let references = names::name_in(node, K::TABLE_NAME_REF)?;
    let mut lists = node.all(K::FOREIGN_KEY_COLUMN_LIST);
    let (columns, referenced_columns, period) = if node.kind() == K::REFERENCES_CONSTRAINT {
        (own, names::idents(node, K::COLUMN_NAME_REF), false)
    } else {
        let from = lists.next().ok_or_else(|| node.fail("expected the referencing columns here"))?;
        let to = lists.next();
        (names::columns(&from), to.as_ref().map(names::columns).unwrap_or_default(), from.has(K::PERIOD_COLUMN))
    };
    let action = |kind: K| {
        let action = node.child(kind)?.children().next()?;
        let verb = match action.kind() {
            K::NO_ACTION => "NO ACTION",
            K::RESTRICT => "RESTRICT",
            K::CASCADE => "CASCADE",
            K::SET_NULL_COLUMNS => "SET NULL",
            _ => "SET DEFAULT",
        };
        let columns = options::text_of(&action, K::COLUMN_REF_LIST);
        Some(columns.map_or_else(|| verb.to_owned(), |columns| format!("{verb} {columns}")))
    };
    let match_type = node.any(&[K::MATCH_FULL, K::MATCH_PARTIAL, K::MATCH_SIMPLE]).map(|clause| match clause.kind() {
        K::MATCH_FULL => "FULL",
        K::MATCH_PARTIAL => "PARTIAL",
        _ => "SIMPLE",
    });
    Ok(ForeignKey {
        columns,
        references,
        referenced_columns,
        match_type: match_type.map(str::to_owned),
        on_delete: action(K::ON_DELETE_ACTION),
        on_update: action(K::ON_UPDATE_ACTION),
        period,
    })
}

/// GENERATED … AS (expression) of a column.
pub(super) fn generated(node: &Node) -> Result<Option<Generated>> {
    node.child(K::GENERATED_STORED)
        .map(|clause| Ok(Generated { expression: expr::expr_in(&clause)?, stored: clause.has(K::STORED) }))
        .transpose()
}

/// GENERATED … AS IDENTITY of a column, in the clause or directly in an action.
pub(super) fn identity(node: &Node) -> Result<Identity> {
    Ok(Identity { always: node.has(K::GENERATED_ALWAYS), options: sequence::options_in(node)? })
}
