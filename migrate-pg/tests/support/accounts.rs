//! A column that comes and a column that goes, while a service reads and writes the table.

use super::{Builder, migration};
use migrate_pg::model::{LockClass, Phase, Work};

/// Expand, backfill, index, validate, contract.
///
/// The table has an `id`, a `balance`, and a column `old` that nobody uses any more.
pub fn plan(batch: u32) -> [Builder; 6] {
    let alter = |step: &mut migrate_pg::__private::v1::Step| {
        step.locks = &[("public.accounts", LockClass::AccessExclusive)];
    };
    [
        migration(1, "Expand")
            .step("ALTER TABLE accounts ADD COLUMN status text", "ALTER TABLE accounts DROP COLUMN status")
            .with(alter)
            .step(
                "ALTER TABLE accounts ALTER COLUMN status SET DEFAULT 'open'",
                "ALTER TABLE accounts ALTER COLUMN status DROP DEFAULT",
            )
            .with(alter),
        migration(2, "Fill").backfill("accounts", "status = $1", "status IS NULL", batch, "open"),
        migration(3, "Index").step(
            "CREATE INDEX CONCURRENTLY accounts_status ON accounts (status)",
            "DROP INDEX CONCURRENTLY accounts_status",
        ),
        migration(4, "Check")
            .step(
                "ALTER TABLE accounts ADD CONSTRAINT status_there CHECK (status IS NOT NULL) NOT VALID",
                "ALTER TABLE accounts DROP CONSTRAINT status_there",
            )
            .with(alter),
        migration(5, "Validate")
            .step("ALTER TABLE accounts VALIDATE CONSTRAINT status_there", "")
            .with(|step| step.work = Work::Scan),
        migration(6, "Contract")
            .step("ALTER TABLE accounts DROP COLUMN old", "ALTER TABLE accounts ADD COLUMN old text")
            .with(alter)
            .phase(Phase::Contract),
    ]
}
