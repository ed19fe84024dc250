//! `REINDEX` without CONCURRENTLY.

use super::case::{Case, held};
use super::safe_form::{SafeForm, declared, step_for_good, struct_name};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase};
use crate::sql::ast::{ReindexScope, Stmt};
use crate::sql::name::{Name, quoted};

pub(super) static HAZARD: Hazard = Hazard {
    name: "reindex-not-concurrent",
    title: "REINDEX without CONCURRENTLY",
    severity: Severity::Blocking,
    why: "Writes to the table wait for as long as the index is rebuilt, and so do queries that are planned meanwhile, since \
          planning opens every index of the table.",
    lock: "SHARE on the table, ACCESS EXCLUSIVE on each index",
    safe: "REINDEX … CONCURRENTLY outside of a transaction. Indexes of exclusion constraints and of system catalogs have no \
           such form.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::Reindex(reindex) = case.stmt else { return Vec::new() };
    if reindex.concurrently {
        return Vec::new();
    }
    let (what, relation) = match &reindex.scope {
        ReindexScope::Index(name) => match case.old(name) {
            Some(name) => (format!("INDEX {name}"), Some(name)),
            None => return Vec::new(),
        },
        ReindexScope::Table(name) => match case.old(name) {
            Some(name) => (format!("TABLE {name}"), Some(name)),
            None => return Vec::new(),
        },
        ReindexScope::Schema(name) => (format!("SCHEMA {}", quoted(name)), None),
        ReindexScope::Database => ("DATABASE".to_owned(), None),
        // Clients write to no catalog, and the server has no other form.
        ReindexScope::System => return Vec::new(),
    };
    let everything = Name::bare("every table in it");
    let of = relation.as_ref().map_or(&everything, |relation| table_of(case, relation));
    let message = match &relation {
        Some(_) => {
            held("REINDEX", LockClass::Share, of, "the index is rebuilt", &[])
                + "; queries planned meanwhile wait for the index, which is locked ACCESS EXCLUSIVE"
        }
        None => format!(
            "REINDEX {what} rebuilds every index in it; each table is locked SHARE and each index ACCESS EXCLUSIVE \
             meanwhile, so that writes wait, and queries planned meanwhile do too"
        ),
    };
    let up = format!("REINDEX {} CONCURRENTLY {}", what.split(' ').next().unwrap_or_default(), written(&reindex.scope));
    let form = SafeForm::new().migration(
        &struct_name("Reindex", &[&what]),
        declared(Phase::Expand, LockClass::ShareUpdateExclusive).alone(),
        &[step_for_good(up.trim_end(), "an index that was rebuilt holds the same rows")],
    );
    let finding = Finding::new(&HAZARD, message).at(case.text, "reindex").safe(form);
    vec![Finding { relation: relation.map(|relation| table_of(case, &relation).clone()), ..finding }]
}

fn written(scope: &ReindexScope) -> String {
    match scope {
        ReindexScope::Index(name) | ReindexScope::Table(name) => name.to_string(),
        ReindexScope::Schema(name) => quoted(name),
        ReindexScope::Database | ReindexScope::System => String::new(),
    }
}

fn table_of<'b>(case: &'b Case<'_>, relation: &'b Name) -> &'b Name {
    case.before.index(relation).and_then(|index| index.table.known()).unwrap_or(relation)
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn without_concurrently() {
        for before in [shop(), unknown()] {
            for sql in ["REINDEX TABLE orders", "REINDEX INDEX orders_code_idx", "REINDEX SCHEMA public"] {
                assert_eq!(refused(&before, sql), ["reindex-not-concurrent"], "{sql}");
                safe(&before, sql, "reindex-not-concurrent");
            }
            assert!(refused(&before, "REINDEX TABLE CONCURRENTLY orders").is_empty());
        }
    }
}
