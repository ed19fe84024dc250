-- A table for the auditors.
CREATE TABLE audit (
    id bigint PRIMARY KEY,
    at timestamptz DEFAULT now(
);
