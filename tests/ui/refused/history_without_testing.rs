//! What the tests of a crate are told whose dependencies have not the feature `testing`.

migrate_pg::__no_pairs! { prove_history history |pairs| pairs }

fn main() {}
