//! A name that is taken, by the baseline and by an earlier migration.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE orders (id bigint PRIMARY KEY)", down = "DROP TABLE orders")]
struct CreateOrders;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE users ADD COLUMN nickname text", down = "ALTER TABLE users DROP COLUMN nickname")]
struct AddNickname;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE users ADD COLUMN nickname text", down = "ALTER TABLE users DROP COLUMN nickname")]
struct AddNicknameAgain;

migrations! { baseline = "ui/files/schema.sql"; pub fn history() = [CreateOrders, AddNickname, AddNicknameAgain] }

fn main() {}
