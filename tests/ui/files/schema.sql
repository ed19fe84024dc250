CREATE TABLE users (id bigint PRIMARY KEY, full_name text NOT NULL);
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id)
);
