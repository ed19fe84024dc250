//! Triggers, event triggers, rules, policies: what hangs on a table and runs or filters.

use super::super::ast::{CreatePolicy, CreateTrigger, ObjectKind, Stmt, Target};
use super::canonical;
use super::expr;
use super::names;
use super::object;
use super::tree::{K, Node, Result, Tree};

pub(super) fn create(node: &Node) -> Result<Stmt> {
    let on = node.need(K::ON_RELATION)?;
    let list = node.need(K::TRIGGER_EVENT_LIST)?;
    let call = node.need(K::CALL_EXPR)?;
    let callee = call.children().next().ok_or_else(|| call.fail("expected a function here"))?;
    let function = names::dotted(&callee).ok_or_else(|| callee.fail("expected a function's name here"))?;
    let timing = node
        .any(&[K::TIMING_AFTER, K::TIMING_BEFORE, K::TIMING_INSTEAD_OF])
        .ok_or_else(|| node.fail("expected BEFORE, AFTER or INSTEAD OF here"))?;
    let mut rest = canonical::after(node, &on);
    // What is deferred from the start can be, and what is not said is not.
    if rest.contains("initially deferred") && !rest.contains("deferrable") {
        rest = rest.replacen("initially deferred", "deferrable initially deferred", 1);
    }
    rest = rest.replacen("not deferrable ", "", 1).replacen("initially immediate ", "", 1);
    Ok(Stmt::CreateTrigger(CreateTrigger {
        name: names::ident_in(node, K::TRIGGER)?,
        table: names::name(&on),
        or_replace: node.has(K::OR_REPLACE),
        constraint: node.has(K::CONSTRAINT_KW),
        from: node.child(K::FROM_TABLE).map(|clause| names::name_in(&clause, K::TABLE_NAME_REF)).transpose()?,
        instead_of: timing.kind() == K::TIMING_INSTEAD_OF,
        for_each_row: node.has(K::FOR_EACH_ROW),
        events: list.children().map(|child| event(&child)).collect(),
        function: names::from_parts(function),
        // EXECUTE PROCEDURE is the old spelling of EXECUTE FUNCTION.
        definition: format!(
            "{} {} {}",
            canonical::text(&timing),
            events_text(&list),
            with_arguments(
                &old_table_first(&rest)
                    .replacen("execute procedure ", "execute function ", 1)
                    .replacen("for row ", "for each row ", 1)
                    .replacen("for each statement ", "", 1)
                    .replacen("for statement ", "", 1)
                    .replace(" table as ", " table "),
                &call,
            )
        ),
    }))
}

/// The transition tables in the order in which PostgreSQL writes them, whichever was written first.
fn old_table_first(rest: &str) -> String {
    let swapped = || {
        let (head, list) = rest.split_once("referencing new table ")?;
        let (new, after) = list.split_once(" old table ")?;
        let (as_word, after) = after.strip_prefix("as ").map_or(("", after), |after| ("as ", after));
        let (old, after) = after.split_once(' ')?;
        Some(format!("{head}referencing old table {as_word}{old} new table {new} {after}"))
    };
    swapped().unwrap_or_else(|| rest.to_owned())
}

/// The events in the order in which PostgreSQL writes them.
fn events_text(list: &Node) -> String {
    let mut events: Vec<String> = list.children().map(|child| canonical::text(&child)).collect();
    let rank = |event: &String| ["insert", "delete", "update", "truncate"].iter().position(|it| event.starts_with(it));
    events.sort_by_key(rank);
    events.join(" or ")
}

/// The text with the arguments as the strings that they all are (`TriggerFuncArg` in `gram.y`).
fn with_arguments(text: &str, call: &Node) -> String {
    let Some(list) = call.child(K::ARG_LIST) else { return text.to_owned() };
    let arguments: Vec<String> = list
        .children()
        .map(|argument| {
            let text = canonical::text(&argument);
            if text.starts_with('\'') { text } else { canonical::string(&text) }
        })
        .collect();
    match text.strip_suffix(canonical::text(&list).as_str()) {
        Some(head) => format!("{head}({})", arguments.join(", ")),
        None => text.to_owned(),
    }
}

/// The event in upper case, with the columns of `UPDATE OF` as they are.
fn event(node: &Node) -> String {
    let text = canonical::text(node);
    match text.split_once(" of ") {
        Some((event, columns)) => format!("{} OF {columns}", event.to_ascii_uppercase()),
        None => text.to_ascii_uppercase(),
    }
}

pub(super) fn create_event_trigger(node: &Node) -> Result<Stmt> {
    // EXECUTE PROCEDURE is the old spelling here too.
    let text = canonical::text(node).replacen(" execute procedure ", " execute function ", 1);
    Ok(Stmt::CreateEventTrigger { name: names::ident_in(node, K::EVENT_TRIGGER)?, text })
}

pub(super) fn alter_event_trigger(node: &Node) -> Result<Stmt> {
    let reference = node.need(K::EVENT_TRIGGER_REF)?;
    if let Some(action) = node.children().find(|child| object::is_common(child.kind())) {
        return object::common_action(&action, object::named(ObjectKind::EventTrigger, names::name(&reference)), false);
    }
    Ok(Stmt::AlterEventTrigger { name: names::ident(&reference), text: canonical::text(node) })
}

pub(super) fn create_rule(node: &Node) -> Result<Stmt> {
    Ok(Stmt::CreateRule {
        name: names::ident_in(node, K::RULE)?,
        table: names::name_in(&node.need(K::RULE_ON)?, K::RELATION_NAME_REF)?,
        or_replace: node.has(K::OR_REPLACE),
        text: canonical::text(node),
    })
}

/// ALTER TRIGGER, RULE or POLICY: of an object that hangs on a table.
pub(super) fn alter(node: &Node, kind: ObjectKind) -> Result<Stmt> {
    let subject =
        node.any(&[K::TRIGGER_REF, K::RULE_REF, K::POLICY_REF]).ok_or_else(|| node.fail("expected a name here"))?;
    let on = node.any(&[K::ON_RELATION, K::ON_TABLE]).ok_or_else(|| node.fail("expected ON and a table here"))?;
    let table = names::name(&on);
    if let Some(action) = node.children().find(|child| object::is_common(child.kind())) {
        let target = Target { kind, name: names::name(&subject), on: Some(table), args: None };
        return object::common_action(&action, target, false);
    }
    Ok(Stmt::AlterPolicy { name: names::ident(&subject), table, text: canonical::after(node, &on) })
}

pub(super) fn create_policy(node: &Node) -> Result<Stmt> {
    let permissive = node.child(K::AS_POLICY_TYPE).is_none_or(|clause| canonical::text(&clause) != "as restrictive");
    let command = node
        .child(K::POLICY_COMMAND)
        .map(|clause| canonical::text(&clause).trim_start_matches("for ").to_ascii_uppercase());
    let roles = node.child(K::POLICY_ROLES).and_then(|clause| clause.child(K::ROLE_REF_LIST));
    Ok(Stmt::CreatePolicy(CreatePolicy {
        name: names::ident_in(node, K::POLICY)?,
        table: names::name(&node.need(K::ON_TABLE)?),
        permissive,
        command: command.unwrap_or_else(|| "ALL".to_owned()),
        roles: roles.map(|list| names::idents(&list, K::ROLE_REF)).unwrap_or_default(),
        using: expr::optional(node, K::USING_EXPR_CLAUSE)?,
        with_check: expr::optional(node, K::WITH_CHECK_EXPR_CLAUSE)?,
    }))
}
