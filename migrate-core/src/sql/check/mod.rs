//! Holds a declaration against its SQL: the whole of what the derive refuses is decided here, and the derive only turns
//! the sites of problems into spans.

mod checked;
mod declaration;

pub use checked::{Checked, CheckedBaseline, CheckedDown, CheckedDownStatement, CheckedIndex, CheckedStep};
pub use declaration::{
    AllowDeclaration, Assume, Declaration, DestructiveDeclaration, DownDeclaration, Problem, Site, SqlText,
    StepDeclaration,
};

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
    Ok(Checked { digest: "v1:0000000000000000".to_owned(), steps: steps.collect() })
}

/// Temporary. To be dropped when the check is merged.
pub fn baseline(_: &str) -> Result<CheckedBaseline, Problem> {
    Ok(CheckedBaseline { digest: "v1:0000000000000000".to_owned(), effects: Vec::new() })
}

/// Temporary. To be dropped when the check is merged.
pub struct EffectKeys {
    #[allow(missing_docs)]
    pub owner: u64,
    #[allow(missing_docs)]
    pub key: u64,
    #[allow(missing_docs)]
    pub to: u64,
    #[allow(missing_docs)]
    pub definition_hash: u64,
}

/// Temporary. To be dropped when the check is merged.
pub fn effect_keys(_: &crate::sql::Change) -> EffectKeys {
    EffectKeys { owner: 0, key: 0, to: 0, definition_hash: 0 }
}
