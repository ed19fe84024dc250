//! A statement that cannot run in a transaction, while it is under way: what the ledger holds of it from before it is sent
//! until its end is recorded, so that whoever finds it there can tell what it may have left.

use crate::ledger::normalised;
use migrate_core::model::{Concurrent, ConcurrentAction};
use serde_json::{Value, json};

/// What a statement does CONCURRENTLY, and to what: see [`Concurrent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) action: ConcurrentAction,
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    pub(crate) table: Option<String>,
}

impl From<&Concurrent> for Target {
    fn from(found: &Concurrent) -> Self {
        Self {
            action: found.action,
            schema: found.schema.map(str::to_owned),
            name: found.name.to_owned(),
            table: found.table.map(str::to_owned),
        }
    }
}

/// What the ledger holds of a statement that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnderWay {
    /// Normalised.
    pub(crate) sql: String,
    /// `None` where the statement is of no kind that recovery knows.
    pub(crate) target: Option<Target>,
    /// The index that it was to build was there before, and good: it is not this statement's.
    pub(crate) was_there: bool,
    /// The INVALID indexes, by OID, that were beside the index that it rebuilds before: they are not this statement's.
    pub(crate) beside: Vec<u32>,
}

/// The names in the ledger, which stay.
const ACTIONS: [(ConcurrentAction, &str); 5] = [
    (ConcurrentAction::Create, "create index"),
    (ConcurrentAction::Drop, "drop index"),
    (ConcurrentAction::Reindex, "reindex index"),
    (ConcurrentAction::ReindexTable, "reindex table"),
    (ConcurrentAction::Detach, "detach partition"),
];

pub(crate) fn action_name(action: ConcurrentAction) -> &'static str {
    ACTIONS.iter().find(|(known, _)| *known == action).map_or("another", |(_, name)| name)
}

impl UnderWay {
    pub(crate) fn new(sql: &str, concurrent: Option<&Concurrent>, was_there: bool) -> Self {
        Self { sql: normalised(sql), target: concurrent.map(Target::from), was_there, beside: Vec::new() }
    }

    pub(crate) fn json(&self) -> Value {
        let mut value = json!({ "sql": self.sql });
        if let Some(Target { action, schema, name, table }) = &self.target {
            value["target"] = json!({ "action": action_name(*action), "schema": schema, "name": name, "table": table });
            value["was_there"] = json!(self.was_there);
            if !self.beside.is_empty() {
                value["beside"] = json!(self.beside);
            }
        }
        value
    }

    /// `None` for what this release does not read.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let target = match value.get("target") {
            None => None,
            Some(target) => {
                let action = target.get("action")?.as_str()?;
                Some(Target {
                    action: ACTIONS.iter().find(|(_, name)| *name == action)?.0,
                    schema: target.get("schema").and_then(text),
                    name: target.get("name").and_then(text)?,
                    table: target.get("table").and_then(text),
                })
            }
        };
        let was_there = value.get("was_there").and_then(Value::as_bool).unwrap_or(false);
        let oids = |value: &Value| serde_json::from_value(value.clone()).ok();
        let beside = value.get("beside").map_or(Some(Vec::new()), oids)?;
        Some(Self { sql: value.get("sql").and_then(text)?, target, was_there, beside })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (action, _) in ACTIONS {
            for (schema, table) in [(None, Some("\"Big \"\"Table\"")), (Some("s ü"), None)] {
                let concurrent = Concurrent { action, schema, name: "i 'x'", table };
                let written = UnderWay::new("CREATE  INDEX …", Some(&concurrent), action == ConcurrentAction::Create);
                assert_eq!(UnderWay::from_json(&written.json()), Some(written));
            }
        }
        let rebuild = Concurrent { action: ConcurrentAction::Reindex, schema: None, name: "i", table: None };
        let rebuild = UnderWay { beside: vec![7, u32::MAX], ..UnderWay::new("REINDEX …", Some(&rebuild), false) };
        assert_eq!(UnderWay::from_json(&rebuild.json()), Some(rebuild));
        let other = UnderWay::new("VACUUM a", None, false);
        assert_eq!(UnderWay::from_json(&other.json()), Some(other));
        assert_eq!(UnderWay::from_json(&json!({"sql": "x", "target": {"action": "of tomorrow", "name": "i"}})), None);
    }
}
