-- What people write about orders.
CREATE TABLE notes (
    id bigint PRIMARY KEY,
    "Größe" text
);
