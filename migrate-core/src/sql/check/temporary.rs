//! Temporary: stands in until the check is merged.

use super::*;

/// Temporary: every declaration is true. To be dropped when the check is merged.
pub fn check(declaration: &Declaration) -> Result<Checked, Vec<Problem>> {
    use crate::model::{LockClass, Phase, Work};
    let steps = declaration.steps.iter().map(|step| {
        let (up, down) = match step {
            StepDeclaration::Statement { up, down, .. } => (up.text.clone(), down.clone()),
            StepDeclaration::Backfill { table, set, down, .. } => (format!("UPDATE {table} SET {set}"), down.clone()),
        };
        let down = match down {
            Some(DownDeclaration::Sql(list)) => CheckedDown::Sql(
                list.into_iter()
                    .map(|sql| CheckedDownStatement {
                        sql: sql.text,
                        lock: LockClass::AccessExclusive,
                        work: Work::Metadata,
                        transactional: true,
                        destroys: Vec::new(),
                        index: None,
                        hazards: Vec::new(),
                        effects: Vec::new(),
                    })
                    .collect(),
            ),
            Some(DownDeclaration::Keep(why)) => CheckedDown::Keep(why),
            Some(DownDeclaration::Nothing(why)) => CheckedDown::Nothing(why),
            Some(DownDeclaration::Derived) | None => CheckedDown::Irreversible("temporary".to_owned()),
        };
        CheckedStep {
            up,
            down,
            phase: Phase::Expand,
            lock: LockClass::AccessExclusive,
            locks: Vec::new(),
            work: Work::Metadata,
            transactional: true,
            destructive: false,
            effects: Vec::new(),
            destroys: Vec::new(),
            index: None,
            notes: Vec::new(),
        }
    });
    Ok(Checked { digest: "v1:0000000000000000".to_owned(), steps: steps.collect(), new_since: Vec::new() })
}

/// Temporary. To be dropped when the check is merged.
pub fn baseline(_: &str) -> Result<CheckedBaseline, Problem> {
    Ok(CheckedBaseline { digest: "v1:0000000000000000".to_owned(), effects: Vec::new() })
}
