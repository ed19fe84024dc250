//! A down brings back what the earlier migrations, or the baseline, made: not less, and not something else.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE invoices (id bigint PRIMARY KEY, total numeric(14, 4) NOT NULL, label varchar(40) NOT NULL DEFAULT 'none')",
       down = "DROP TABLE invoices")]
#[step(up = "CREATE INDEX invoices_label ON invoices (label) WHERE label <> 'none'", down = "DROP INDEX invoices_label")]
#[step(up = "COMMENT ON COLUMN invoices.label IS 'as printed'", down = derived)]
pub struct CreateInvoices;

#[derive(Migration)]
#[migration(version = 2026_03_02_0900, phase = Contract, lock = AccessExclusive)]
#[step(up = "ALTER TABLE invoices DROP COLUMN label", down = "ALTER TABLE invoices ADD COLUMN label varchar(40)")]
#[destructive(backup = Dump, approved = "Ada Lovelace @ 6d497d13fccff320")]
pub struct DropLabel;

#[derive(Migration)]
#[migration(version = 2026_03_03_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE invoices ALTER COLUMN total TYPE numeric(16, 4)",
       down = "ALTER TABLE invoices ALTER COLUMN total TYPE numeric(12, 4)")]
pub struct WidenTotal;

#[derive(Migration)]
#[migration(version = 2026_03_04_0900, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE IF NOT EXISTS invoices (id bigint PRIMARY KEY)", down = "DROP TABLE IF EXISTS invoices")]
pub struct PerhapsCreateInvoices;

migrations! { pub fn history() = [CreateInvoices, DropLabel, WidenTotal, PerhapsCreateInvoices] }

fn main() {}
