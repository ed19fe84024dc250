//! `CREATE INDEX CONCURRENTLY IF NOT EXISTS`.

use super::case::Case;
use super::index_not_concurrent::concurrently;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::Stmt;

pub(super) static HAZARD: Hazard = Hazard {
    name: "index-if-not-exists-concurrently",
    title: "CREATE INDEX CONCURRENTLY IF NOT EXISTS",
    severity: Severity::Blocking,
    why: "A build that failed leaves an INVALID index of that name, which every write still maintains and no query uses. IF NOT EXISTS \
          takes it for the index that is wanted and succeeds without building anything.",
    lock: "None: an index that is never used",
    safe: "CREATE INDEX CONCURRENTLY without IF NOT EXISTS: the runner drops what is left of its own failed build, and builds again.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::CreateIndex(index) = case.stmt else { return Vec::new() };
    if !(index.concurrently && index.if_not_exists) {
        return Vec::new();
    }
    let message =
        "IF NOT EXISTS keeps an INVALID index that an earlier, failed build left behind, and says that all is well";
    let table = case.before.resolve(&index.table);
    vec![Finding::new(&HAZARD, message).about(&table).at(case.text, "if not exists").safe(concurrently(index))]
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn keeps_what_is_broken() {
        let sql = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (note)";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["index-if-not-exists-concurrently"]);
            safe(&before, sql, "index-if-not-exists-concurrently");
        }
    }
}
