-- Notes that users leave on orders.
CREATE TABLE notes (
    id bigint PRIMARY KEY,
    body text NOT NULL
);
