//! What statements about any kind of object share: naming one, and ALTER … RENAME, SET SCHEMA, OWNER TO, DEPENDS ON.

use super::super::ast::{ObjectKind, OtherVerb, Routine, Stmt, Target, TypeName};
use super::super::name::Name;
use super::canonical;
use super::names;
use super::tree::{K, Node, Result, Tree, is_type, spoken};
use super::types;

/// An object by kind and name alone.
pub(super) fn named(kind: ObjectKind, name: Name) -> Target {
    Target { kind, name, on: None, args: None }
}

/// The action that every kind of object has, if it is one.
pub(super) fn common_action(action: &Node, target: Target, if_exists: bool) -> Result<Stmt> {
    Ok(match action.kind() {
        K::OWNER_TO => Stmt::SetOwner { target, to: names::ident_in(action, K::ROLE_REF)? },
        K::SET_SCHEMA => Stmt::SetSchema { target, if_exists, to: names::ident_in(action, K::SCHEMA_REF)? },
        K::DEPENDS_ON_EXTENSION | K::NO_DEPENDS_ON_EXTENSION => Stmt::DependsOnExtension {
            target,
            no: action.kind() == K::NO_DEPENDS_ON_EXTENSION,
            extension: names::ident_in(action, K::EXTENSION_REF)?,
        },
        kind if spoken(kind).ends_with(" rename to") => {
            let to = action.children().next().ok_or_else(|| action.fail("expected the new name here"))?;
            Stmt::Rename { target, if_exists, to: names::name(&to).name }
        }
        kind => {
            return Err(action.fail(format!(
                "not known as an action of ALTER {}: {}",
                target.kind.sql(),
                spoken(kind)
            )));
        }
    })
}

/// ALTER of an object: one of the actions that every kind has, else only its text.
pub(super) fn alter(node: &Node, kind: ObjectKind, subject: &Node) -> Result<Stmt> {
    let target = named(kind, names::name(subject));
    for action in node.children().filter(|child| child != subject) {
        if is_common(action.kind()) {
            return common_action(&action, target, node.has(K::IF_EXISTS));
        }
    }
    Ok(Stmt::Other { verb: OtherVerb::Alter, target, text: canonical::text(node) })
}

/// Whether the action is one that every kind of object has.
pub(super) fn is_common(kind: K) -> bool {
    matches!(kind, K::OWNER_TO | K::SET_SCHEMA | K::DEPENDS_ON_EXTENSION | K::NO_DEPENDS_ON_EXTENSION)
        || spoken(kind).ends_with(" rename to")
}

pub(super) fn other_alter(node: &Node, kind: ObjectKind, name: Name) -> Stmt {
    Stmt::Other { verb: OtherVerb::Alter, target: named(kind, name), text: canonical::text(node) }
}

pub(super) fn other_create(node: &Node, kind: ObjectKind, name: Name) -> Stmt {
    Stmt::Other { verb: OtherVerb::Create, target: named(kind, name), text: canonical::text(node) }
}

/// A routine by its signature: name and types of input arguments.
pub(super) fn routine(signature: &Node, kind: ObjectKind) -> Result<Routine> {
    let reference = signature.children().next().ok_or_else(|| signature.fail("expected a routine's name here"))?;
    let args = signature.child(K::PARAM_LIST).map(|list| input_types(&list)).transpose()?;
    Ok(Routine { kind, name: names::name(&reference), args })
}

/// A routine, aggregate, as the object of a statement.
pub(super) fn routine_target(signature: &Node, kind: ObjectKind) -> Result<Target> {
    let routine = routine(signature, kind)?;
    Ok(Target { kind, name: routine.name, on: None, args: routine.args })
}

/// Types of the parameters that a call passes: all but OUT and TABLE columns.
pub(super) fn input_types(list: &Node) -> Result<Vec<TypeName>> {
    let ordered = list.child(K::AGGREGATE_ORDER_BY);
    let all = list.all(K::PARAM).chain(ordered.iter().flat_map(|order| order.all(K::PARAM).collect::<Vec<_>>()));
    all.filter(|param| !param.has(K::PARAM_OUT)).map(|param| types::type_name(&param.need_ty()?)).collect()
}

/// An operator: its symbol, and the types of its operands (`NONE` is left out).
pub(super) fn operator(signature: &Node, kind: ObjectKind) -> Result<Target> {
    let args = signature
        .children()
        .filter(|child| is_type(child.kind()))
        .map(|ty| types::type_name(&ty))
        .collect::<Result<_>>()?;
    Ok(Target { kind, name: operator_name(&signature.need(K::OP)?), on: None, args: Some(args) })
}

/// The symbol of an operator with its schema.
pub(super) fn operator_name(operator: &Node) -> Name {
    let path = operator.child(K::PATH_REF);
    let symbol = operator.descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token).filter(|token| {
        let inside = token.parent().is_some_and(|parent| matches!(parent.kind(), K::PATH_REF | K::PATH_SEGMENT_REF));
        !inside && !token.kind().is_trivia()
    });
    Name {
        name: symbol.map(|token| token.text().to_owned()).collect(),
        schema: path.and_then(|path| names::parts(&path).pop()),
    }
}

/// A cast: named by its two types.
pub(super) fn cast(signature: &Node) -> Result<Target> {
    let args = types::all_types(signature)?;
    let name = args.iter().map(types::sql).collect::<Vec<_>>().join(" as ");
    Ok(Target { kind: ObjectKind::Cast, name: Name::bare(name), on: None, args: Some(args) })
}

/// A transform: named by its type and language.
pub(super) fn transform(node: &Node) -> Result<Target> {
    let ty = types::type_name(&node.need_ty()?)?;
    Ok(Target {
        kind: ObjectKind::Transform,
        name: Name::bare(names::ident_in(node, K::LANGUAGE_REF)?),
        on: None,
        args: Some(vec![ty]),
    })
}
