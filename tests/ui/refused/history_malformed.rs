//! `migrations!` in another form.

mod no_list {
    migrate_pg::migrations! { pub fn history() }
}
mod unknown_setting {
    migrate_pg::migrations! { base_line = "schema.sql"; pub fn history() = [] }
}
mod no_file {
    migrate_pg::migrations! { baseline = "migrations/schema.sql"; pub fn history() = [] }
}

fn main() {}
