//! Two pictures held against each other: what failed, and what is only to be known.

use super::exempt::Exempt;
use super::volatile;
use crate::catalog::data::{DataDifference, DataDifferenceKind, DataDigest};
use crate::catalog::{Difference, DifferenceKind, Fingerprint};
use tokio_postgres::Client;

/// What a database is at one time.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) schema: Fingerprint,
    pub(super) data: DataDigest,
    /// The same rows without the columns that are exempt, where there are any.
    pub(super) narrow: Option<DataDigest>,
}

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) failures: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Findings {
    pub(super) fn fail(&mut self, text: impl Into<String>) {
        add(&mut self.failures, text.into());
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        add(&mut self.notes, text.into());
    }
}

fn add(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}

/// Who judges: what the migration declares, and where to look what fills a column.
pub(super) struct Judge<'a> {
    pub(super) client: &'a Client,
    pub(super) exempt: &'a Exempt,
    /// What it runs, up and down.
    pub(super) sql: &'a str,
    /// Whether it writes rows.
    pub(super) writes: bool,
}

impl Judge<'_> {
    /// Up and down: it is to be as it was.
    pub(super) async fn back(&self, was: &Picture, is: &Picture, findings: &mut Findings) -> Result<(), String> {
        for difference in was.schema.differences(&is.schema) {
            if difference.kind() == DifferenceKind::ColumnOrder {
                findings.note(made_again(&difference));
            } else if let Some(note) = self.exempt.schema(&difference) {
                findings.note(note);
            } else {
                findings.fail(format!("after up and down, {difference}"));
            }
        }
        let found = was.data.differences(&is.data);
        for difference in &found {
            if let Some(note) = self.excused(difference, true).await? {
                findings.note(note);
            } else {
                findings.fail(format!("after up and down, {difference}"));
            }
        }
        if let (Some(was), Some(is)) = (&was.narrow, &is.narrow) {
            // Values that changed rows among columns that both have.
            for difference in was.differences(is) {
                if self.excused(&difference, true).await?.is_none() && !found.contains(&difference) {
                    findings.fail(format!("after up and down, {difference}"));
                }
            }
        }
        Ok(())
    }

    /// Up again: it is to be as after the first time.
    pub(super) async fn again(&self, was: &Picture, is: &Picture, findings: &mut Findings) -> Result<(), String> {
        for difference in was.schema.differences(&is.schema) {
            if difference.kind() == DifferenceKind::ColumnOrder {
                findings.note(made_again(&difference));
            } else {
                findings.fail(format!("up again does not lead where up did: {difference}"));
            }
        }
        for difference in was.data.differences(&is.data) {
            if let Some(note) = self.excused(&difference, false).await? {
                findings.note(note);
            } else {
                findings.fail(format!("up again does not lead where up did: {difference}"));
            }
        }
        Ok(())
    }

    /// Why a difference of rows is none of the down's, in a line that says so.
    async fn excused(&self, difference: &DataDifference, back: bool) -> Result<Option<String>, String> {
        let (relation, kind) = (difference.relation(), difference.kind());
        if self.exempt.lost_rows.contains(relation) {
            return Ok(Some(format!("the rows of {relation} are not compared: the up destroys them, behind its gate")));
        }
        if self.exempt.refreshed.contains(relation) {
            return Ok(Some(format!("the rows of {relation} are not compared: it was refreshed")));
        }
        if self.exempt.on_trust {
            return Ok(Some(format!("{difference}; not counted, since what a statement destroys was taken on trust")));
        }
        if let Some(column) = difference.column() {
            let named = (relation.to_owned(), column.to_owned());
            if self.exempt.lost.contains(&named) {
                return Ok(Some(format!(
                    "column {relation}.{column} is not compared: the up destroys its values, behind its gate"
                )));
            }
            if let Some(why) = self.exempt.kept.get(&named).filter(|_| back) {
                return Ok(Some(format!(
                    "column {relation}.{column} keeps what the backfill wrote, by declaration: {why}"
                )));
            }
        }
        match kind {
            DataDifferenceKind::Position if self.writes => {
                Ok(Some(format!("{difference}: a sequence that rows were numbered by does not go back")))
            }
            DataDifferenceKind::Values if !back || self.writes => {
                let Some(column) = difference.column() else { return Ok(None) };
                let reason = volatile::reason(self.client, relation, column, self.sql).await?;
                Ok(reason.map(|reason| format!("column {relation}.{column} is not compared: it {reason}")))
            }
            _ => Ok(None),
        }
    }
}

/// PostgreSQL has no other place for a column that is made again.
pub(super) fn made_again(difference: &Difference) -> String {
    format!("{difference}; a column that is made again comes last, and the order of columns is no part of the proof")
}
