//! Statements about the session and its transactions: BEGIN … ROLLBACK, SET, LISTEN, PREPARE, cursors.

use super::super::ast::{Stmt, TransactionControl};
use super::canonical;
use super::names;
use super::options;
use super::query;
use super::statement;
use super::tree::{K, Node, Result, Tree, spoken};

/// The statement; `None` if it is not one of these.
pub(super) fn statement(node: &Node) -> Result<Option<Stmt>> {
    let transaction = |what| Stmt::Transaction { what };
    let named = |kind, rule| Stmt::SessionStatement { kind, name: node.child(rule).map(|name| names::ident(&name)) };
    Ok(Some(match node.kind() {
        K::BEGIN => transaction(TransactionControl::Begin),
        K::COMMIT_TRANSACTION => transaction(TransactionControl::Commit),
        K::COMMIT_PREPARED => transaction(TransactionControl::CommitPrepared),
        K::ROLLBACK_TRANSACTION => transaction(TransactionControl::Rollback),
        K::ROLLBACK_TO_SAVEPOINT => transaction(TransactionControl::RollbackTo),
        K::ROLLBACK_PREPARED => transaction(TransactionControl::RollbackPrepared),
        K::SAVEPOINT_CREATE => transaction(TransactionControl::Savepoint),
        K::RELEASE_SAVEPOINT => transaction(TransactionControl::Release),
        K::PREPARE_TRANSACTION => transaction(TransactionControl::PrepareTransaction),
        K::SET_TRANSACTION if node.has(K::SESSION_CHARACTERISTICS) => {
            setting(node, "SET", "session characteristics".to_owned(), Some(canonical::text(node)))
        }
        K::SET_TRANSACTION => transaction(TransactionControl::SetTransaction),
        K::SET => set(node)?,
        K::SET_CONSTRAINTS => setting(node, "SET CONSTRAINTS", "constraints".to_owned(), Some(canonical::text(node))),
        K::SET_ROLE => setting(
            node,
            "SET ROLE",
            "role".to_owned(),
            options::text_of(node, K::ROLE_REF).or_else(|| last_word(node)),
        ),
        K::RESET_ROLE => setting(node, "RESET ROLE", "role".to_owned(), None),
        K::SET_SESSION_AUTH => {
            setting(node, "SET SESSION AUTHORIZATION", "session_authorization".to_owned(), last_word(node))
        }
        K::RESET_SESSION_AUTH => setting(node, "RESET SESSION AUTHORIZATION", "session_authorization".to_owned(), None),
        K::RESET | K::SHOW => {
            let kind = if node.kind() == K::RESET { "RESET" } else { "SHOW" };
            let target = node.children().next();
            let name = target.map_or_else(String::new, |target| match target.kind() {
                K::CONFIG_PARAMETER_REF => names::parts(&target).join("."),
                K::RESET_TIME_ZONE | K::TIME_ZONE => "timezone".to_owned(),
                K::SESSION_AUTHORIZATION => "session_authorization".to_owned(),
                K::RESET_TRANSACTION_ISOLATION | K::TRANSACTION_ISOLATION_LEVEL => "transaction_isolation".to_owned(),
                _ => canonical::text(&target),
            });
            setting(node, kind, name, None)
        }
        K::DISCARD => Stmt::Discard { all: node.has(K::DISCARD_ALL) },
        K::LISTEN => Stmt::Listen { kind: "LISTEN", channel: names::ident_in(node, K::CHANNEL)? },
        K::NOTIFY => Stmt::Listen { kind: "NOTIFY", channel: names::ident_in(node, K::CHANNEL_REF)? },
        K::UNLISTEN => {
            let channel = node.child(K::CHANNEL_REF).map_or_else(|| "*".to_owned(), |channel| names::ident(&channel));
            Stmt::Listen { kind: "UNLISTEN", channel }
        }
        K::PREPARE => {
            let name = node.need(K::PREPARED_STATEMENT)?;
            let inner = node.children().last().ok_or_else(|| node.fail("expected a statement here"))?;
            Stmt::Prepare { name: names::ident(&name), statement: Box::new(statement::stmt(&inner)?) }
        }
        K::EXECUTE => named("EXECUTE", K::PREPARED_STATEMENT_REF),
        K::DEALLOCATE => named("DEALLOCATE", K::PREPARED_STATEMENT_REF),
        K::FETCH => named("FETCH", K::CURSOR_REF),
        K::MOVE => named("MOVE", K::CURSOR_REF),
        K::CLOSE => named("CLOSE CURSOR", K::CURSOR_REF),
        K::DECLARE => {
            let inner = canonical::query_in(node).ok_or_else(|| node.fail("expected a query here"))?;
            Stmt::DeclareCursor { query: query::query(&inner)?, hold: node.has(K::WITH_HOLD) }
        }
        _ => return Ok(None),
    }))
}

fn setting(node: &Node, kind: &'static str, name: String, value: Option<String>) -> Stmt {
    Stmt::Setting { kind, local: node.has(K::LOCAL_SCOPE), name, value }
}

fn last_word(node: &Node) -> Option<String> {
    node.children()
        .filter(|child| !matches!(child.kind(), K::LOCAL_SCOPE | K::SESSION_SCOPE))
        .last()
        .map(|target| canonical::text(&target))
}

fn set(node: &Node) -> Result<Stmt> {
    let target = node
        .any(&[K::SET_CONFIG, K::SET_CATALOG, K::SET_SCHEMA_VALUE, K::SET_TIME_ZONE, K::SET_XML_OPTION])
        .ok_or_else(|| node.fail("expected a setting here"))?;
    let values = || target.children().map(|value| canonical::text(&value)).collect::<Vec<_>>().join(", ");
    let (name, value) = match target.kind() {
        K::SET_CONFIG => {
            let reference = target.need(K::CONFIG_PARAMETER_REF)?;
            let assignment = target.children().find(|child| *child != reference);
            (names::parts(&reference).join("."), assignment.map(|assignment| assigned(&assignment)))
        }
        K::SET_SCHEMA_VALUE => ("search_path".to_owned(), Some(values())),
        K::SET_TIME_ZONE => {
            let value = values();
            ("timezone".to_owned(), Some(if value.is_empty() { "default".to_owned() } else { value }))
        }
        K::SET_XML_OPTION => ("xmloption".to_owned(), Some(values())),
        kind => return Err(target.fail(format!("not supported by PostgreSQL: {}", spoken(kind)))),
    };
    Ok(setting(node, "SET", name, value))
}

/// The values after `=` or TO, without it.
fn assigned(assignment: &Node) -> String {
    let text = canonical::text(assignment);
    let text = text.strip_prefix("to ").or_else(|| text.strip_prefix("= ")).unwrap_or(&text);
    text.to_owned()
}
