//! DO blocks: their statements are applied in order, but whether control reaches each is not known.

use super::Apply;
use crate::model::Verb;
use crate::sql::ast::Body;

impl Apply<'_> {
    /// Applies what the body can be seen to do. A statement that fails here may be one that control does not reach (`IF
    /// NOT EXISTS (…) THEN CREATE …`): it is left out, and every change that remains is one that perhaps happens.
    pub(super) fn run_body(&mut self, body: &Body) {
        for statement in &body.statements {
            let mut copy = self.schema.clone();
            let mut inner = Apply { schema: &mut copy, pg: self.pg, changes: Vec::new() };
            if inner.stmt(&statement.stmt).is_err() {
                continue;
            }
            let changes = inner.changes;
            *self.schema = copy;
            self.changes.extend(changes.into_iter().map(|mut change| {
                change.verb = match change.verb {
                    Verb::Make => Verb::Ensure,
                    Verb::Take => Verb::TakeIfThere,
                    other => other,
                };
                change
            }));
        }
    }
}
