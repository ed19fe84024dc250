//! CREATE TABLE, CREATE FOREIGN TABLE, CREATE TABLE AS; columns and partition bounds.

use super::super::ast::{
    ColumnDef, CreateTable, CreateTableAs, LikeClause, PartitionBound, PartitionBy, Persistence, Stmt, TypeName,
};
use super::canonical;
use super::constraint;
use super::expr;
use super::names;
use super::options;
use super::query;
use super::tree::{K, Node, Result, Tree};
use super::types;

pub(super) fn create(node: &Node) -> Result<Stmt> {
    let mut columns = Vec::new();
    let mut constraints = Vec::new();
    let mut likes = Vec::new();
    for argument in node.child(K::TABLE_ARG_LIST).iter().flat_map(Node::children) {
        match argument.kind() {
            K::COLUMN => columns.push(column(&argument)?),
            K::LIKE_CLAUSE => likes.push(like(&argument)?),
            _ => constraints.push(constraint::constraint(&argument, None)?),
        }
    }
    let partition_of = match node.child(K::PARTITION_OF) {
        Some(clause) => Some((names::name_in(&clause, K::TABLE_NAME_REF)?, bound_in(node)?)),
        None => None,
    };
    let foreign = node.kind() == K::CREATE_FOREIGN_TABLE;
    Ok(Stmt::CreateTable(CreateTable {
        name: names::name_in(node, K::TABLE_NAME)?,
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        persistence: persistence(node),
        foreign_server: node
            .child(K::SERVER_CLAUSE)
            .map(|clause| names::ident_in(&clause, K::SERVER_REF))
            .transpose()?,
        columns,
        constraints,
        likes,
        inherits: node
            .child(K::INHERITS)
            .iter()
            .flat_map(|clause| clause.all(K::TABLE_NAME_REF).collect::<Vec<_>>())
            .map(|parent| names::name(&parent))
            .collect(),
        of_type: node.child(K::OF_TYPE).map(|clause| Ok(types::type_name(&clause.need_ty()?)?.name)).transpose()?,
        partition_of,
        partition_by: node.child(K::PARTITION_BY).map(|clause| partition_by(&clause)).transpose()?,
        using: node.child(K::USING_METHOD).map(|clause| names::ident_in(&clause, K::ACCESS_METHOD_REF)).transpose()?,
        with: if foreign { options::foreign(node) } else { options::attributes_in(node, K::WITH_PARAMS) },
        on_commit: node
            .child(K::ON_COMMIT)
            .and_then(|clause| clause.children().next())
            .map(|action| canonical::text(&action).to_ascii_uppercase()),
        tablespace: tablespace(node)?,
    }))
}

pub(super) fn create_as(node: &Node) -> Result<Stmt> {
    let query = canonical::query_in(node)
        .or_else(|| node.child(K::EXECUTE))
        .ok_or_else(|| node.fail("expected a query here"))?;
    let columns = node
        .child(K::TABLE_ARG_LIST)
        .map(|list| list.all(K::COLUMN).map(|column| names::ident_in(&column, K::COLUMN_NAME)).collect());
    Ok(Stmt::CreateTableAs(CreateTableAs {
        name: names::name_in(node, K::TABLE_NAME)?,
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        persistence: persistence(node),
        columns: columns.transpose()?.unwrap_or_default(),
        definition: canonical::text(&query),
        query: query::query(&query)?,
        with_data: !node.has(K::WITH_NO_DATA),
    }))
}

pub(super) fn persistence(node: &Node) -> Persistence {
    if node.has(K::TEMP) {
        Persistence::Temporary
    } else if node.has(K::UNLOGGED) {
        Persistence::Unlogged
    } else {
        Persistence::Permanent
    }
}

pub(super) fn tablespace(node: &Node) -> Result<Option<String>> {
    node.child(K::TABLESPACE_CLAUSE).map(|clause| names::ident_in(&clause, K::TABLESPACE_REF)).transpose()
}

fn like(node: &Node) -> Result<LikeClause> {
    let properties = |kind: K| {
        node.all(kind)
            .filter_map(|option| option.children().next())
            .map(|property| canonical::text(&property).to_ascii_uppercase())
            .collect()
    };
    Ok(LikeClause {
        source: names::name_in(node, K::RELATION_NAME_REF)?,
        including: properties(K::INCLUDING_PROPERTY),
        excluding: properties(K::EXCLUDING_PROPERTY),
    })
}

/// A column of CREATE TABLE, or of ADD COLUMN.
pub(super) fn column(node: &Node) -> Result<ColumnDef> {
    let name = names::ident_in(node, K::COLUMN_NAME)?;
    let mut column = ColumnDef {
        name: name.clone(),
        data_type: node.ty().map(|ty| types::type_name(&ty)).transpose()?,
        collation: None,
        storage: None,
        compression: None,
        options: options::foreign(node),
        constraints: Vec::new(),
        default: None,
        generated: None,
        identity: None,
        not_null: false,
        null: false,
    };
    for clause in node.children() {
        match clause.kind() {
            K::COLLATE => column.collation = Some(names::name_in(&clause, K::COLLATION_REF)?),
            K::STORAGE => column.storage = clause.child(K::STORAGE_MODE).map(|mode| canonical::text(&mode)),
            K::COMPRESSION_METHOD => {
                column.compression = clause.child(K::COMPRESSION_METHOD_NAME).map(|method| canonical::text(&method));
            }
            K::DEFAULT_CONSTRAINT => column.default = Some(expr::expr_in(&clause)?),
            K::GENERATED_CONSTRAINT => match clause.child(K::GENERATED_IDENTITY) {
                Some(identity) => column.identity = Some(constraint::identity(&identity)?),
                None => column.generated = constraint::generated(&clause)?,
            },
            K::NULL_CONSTRAINT => column.null = true,
            K::NOT_NULL_CONSTRAINT => {
                column.not_null = true;
                let marked = clause.children().any(|child| child.kind() != K::CONSTRAINT_NAME_CLAUSE);
                if marked || constraint::constraint_name(&clause).is_some() {
                    column.constraints.push(constraint::constraint(&clause, Some(&name))?);
                }
            }
            K::CHECK_CONSTRAINT
            | K::UNIQUE_CONSTRAINT
            | K::PRIMARY_KEY_CONSTRAINT
            | K::EXCLUDE_CONSTRAINT
            | K::FOREIGN_KEY_CONSTRAINT
            | K::REFERENCES_CONSTRAINT => column.constraints.push(constraint::constraint(&clause, Some(&name))?),
            K::COLUMN_NAME | K::IF_NOT_EXISTS | K::WITH_OPTIONS | K::ALTER_OPTION_LIST => {}
            kind if super::tree::is_type(kind) => {}
            kind => return Err(clause.fail(format!("not known as part of a column: {}", super::tree::spoken(kind)))),
        }
    }
    Ok(column)
}

fn partition_by(node: &Node) -> Result<PartitionBy> {
    let strategy = node.need(K::PARTITION_STRATEGY)?;
    let list = node.need(K::PARTITION_ITEM_LIST)?;
    let columns =
        list.all(K::PARTITION_ITEM).filter_map(|item| expr::column(&without_collation(&item.expr()?)?)).collect();
    let strategy = canonical::text(&strategy).to_ascii_uppercase();
    Ok(PartitionBy { columns, text: format!("{strategy} {}", canonical::text(&list)), strategy })
}

/// The expression that a COLLATE is for; the expression itself if it is no COLLATE.
pub(super) fn without_collation(node: &Node) -> Option<Node> {
    if node.kind() == K::COLLATE { node.expr() } else { Some(node.clone()) }
}

/// The partition bound in the node.
pub(super) fn bound_in(node: &Node) -> Result<PartitionBound> {
    let bound = node
        .any(&[
            K::PARTITION_DEFAULT,
            K::PARTITION_FOR_VALUES_WITH,
            K::PARTITION_FOR_VALUES_IN,
            K::PARTITION_FOR_VALUES_FROM,
        ])
        .ok_or_else(|| node.fail("expected FOR VALUES or DEFAULT here"))?;
    let list = |kind: K| bound.child(kind).map(|values| canonical::text(&values)).unwrap_or_default();
    Ok(match bound.kind() {
        K::PARTITION_DEFAULT => PartitionBound::Default,
        K::PARTITION_FOR_VALUES_FROM => {
            let (from, to) = (list(K::PARTITION_FROM_VALUES), list(K::PARTITION_TO_VALUES));
            PartitionBound::Values(format!("FOR VALUES FROM {from} TO {to}"))
        }
        kind => {
            let text = canonical::text(&bound);
            let values = text.find('(').map_or("", |at| &text[at..]);
            let word = if kind == K::PARTITION_FOR_VALUES_IN { "IN" } else { "WITH" };
            PartitionBound::Values(format!("FOR VALUES {word} {values}"))
        }
    })
}

/// The type and its collation in the node.
pub(super) fn typed(node: &Node) -> Result<(TypeName, Option<super::super::name::Name>)> {
    let collation = node.child(K::COLLATE).map(|clause| names::name_in(&clause, K::COLLATION_REF)).transpose()?;
    Ok((types::type_name(&node.need_ty()?)?, collation))
}
