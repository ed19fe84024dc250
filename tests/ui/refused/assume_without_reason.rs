//! `assume` must say why.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "SECURITY LABEL FOR selinux ON TABLE orders IS 'system_u:object_r:sepgsql_table_t:s0'", down = nothing("a label"),
       assume(lock = None, phase = Expand, efects = "a label"))]
struct LabelOrders;

fn main() {}
