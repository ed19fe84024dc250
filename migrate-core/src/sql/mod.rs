//! Everything that reads SQL.
