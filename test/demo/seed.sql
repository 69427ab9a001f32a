-- The demo's shop: customers with personal data, their orders and payments.
CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text NOT NULL, card_number text NOT NULL);
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, item text NOT NULL, qty int NOT NULL DEFAULT 1);
CREATE TABLE payments (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id int NOT NULL REFERENCES orders, amount numeric(12,2) NOT NULL, status text NOT NULL DEFAULT 'new');
INSERT INTO customers (name, email, card_number) VALUES
  ('Alice Doe', 'alice@corp.example', '4111111111111111'), ('Bob Roe', 'bob@corp.example', '5500005555555559'), ('Carol Poe', 'carol@corp.example', '340000000000009');
INSERT INTO orders (customer_id, item, qty) VALUES (1, 'book', 2), (2, 'pen', 5), (3, 'lamp', 1), (1, 'desk', 1);
INSERT INTO payments (order_id, amount, status) VALUES (1, 21.00, 'settled'), (2, 12.50, 'new'), (3, 99.99, 'settled'), (4, 310.00, 'new');
CREATE ROLE interlock_rw LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO interlock_rw;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO interlock_rw;
