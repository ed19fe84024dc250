//! What the proof needs, said in another form.

mod unknown_setting {
    migrate_pg::migrations! { role = ["app"]; pub fn history() = [] }
}
mod no_list {
    migrate_pg::migrations! { roles = "app"; pub fn history() = [] }
}
mod no_version {
    migrate_pg::migrations! { seed = "seed.sql"; pub fn history() = [] }
}
mod no_file {
    migrate_pg::migrations! { seed(1) = "seeds/missing.sql"; pub fn history() = [] }
}
mod not_a_function {
    migrate_pg::migrations! { seed(1) = 7; pub fn history() = [] }
}
mod twice {
    migrate_pg::migrations! {
        seed(2026_03_01_0900) = "ui/files/create_notes.sql";
        seed(202603010900) = "ui/files/create_notes.sql";
        pub fn history() = []
    }
}
mod without_reason {
    migrate_pg::migrations! { proof = never; pub fn history() = [] }
}

fn main() {}
