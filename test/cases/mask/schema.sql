-- What the mask cases assume; every value of a masked column holds `canary`, digits 9071 or another mark that can be looked for on the wire.
CREATE TABLE customers (
  id int PRIMARY KEY, name text NOT NULL, email text, ssn text, card_number text, notes text);
INSERT INTO customers VALUES
  (1, 'Alice', 'canary-alice@corp.example', 'canary-9071-11', 'canary-4111-9071', 'vip'),
  (2, 'Bob', 'canary-bob@corp.example', 'canary-9071-22', 'canary-5500-9071', 'late payer'),
  (3, 'Carol', NULL, NULL, 'canary-3400-9071', NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, item text, qty int DEFAULT 1, note text);
INSERT INTO orders VALUES (1, 1, 'book', 2, 'customers'), (2, 2, 'pen', 5, 'gift'), (3, 3, 'lamp', 1, NULL);
CREATE TABLE payments (id int PRIMARY KEY, customer_id int, amount numeric(12,2), status text DEFAULT 'new');
INSERT INTO payments VALUES (1, 1, 10.50, 'settled'), (2, 1, 20, 'new'), (3, 2, 99.99, 'settled');
CREATE TABLE customers_vip () INHERITS (customers);
INSERT INTO customers_vip VALUES (4, 'Dora', 'canary-dora@corp.example', 'canary-9071-44', 'canary-6011-9071', 'very');
CREATE TABLE archive (LIKE customers);
CREATE VIEW customer_contact AS SELECT id, name, ssn AS tax_ref FROM customers;
CREATE VIEW v_contact_again AS SELECT * FROM customer_contact;
CREATE VIEW v_orders AS SELECT id, item, qty FROM orders;
CREATE MATERIALIZED VIEW mv_customers AS SELECT * FROM customers;
CREATE TABLE nested (id int, c customers);
INSERT INTO nested SELECT c.id, c FROM ONLY customers c;
CREATE DOMAIN customer_list AS customers[];
CREATE TYPE wrapped AS (c customers);
CREATE TABLE nested_deeper (id int, l customer_list, w wrapped);
CREATE TABLE ruled (id int, v text);
CREATE RULE ruled_reads AS ON INSERT TO ruled DO ALSO INSERT INTO archive SELECT * FROM customers;
CREATE FUNCTION describe(customers) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1.name || ':' || $1.ssn $$;
CREATE FUNCTION secret_of(int) RETURNS text LANGUAGE sql STABLE AS $$ SELECT ssn FROM customers WHERE id = $1 $$;
CREATE VIEW v_code AS SELECT id, secret_of(id) AS s FROM orders;
CREATE TABLE people (id int, born date NOT NULL, secret text, region text NOT NULL) PARTITION BY LIST (region);
CREATE TABLE people_eu (region text NOT NULL, secret text, id int, born date NOT NULL);
ALTER TABLE people ATTACH PARTITION people_eu FOR VALUES IN ('eu');
CREATE TABLE people_us PARTITION OF people FOR VALUES IN ('us');
INSERT INTO people VALUES (1, '1990-01-01', 'canary-eu', 'eu'), (2, '1991-02-02', 'canary-us', 'us');
CREATE TABLE animals (id int, kind text);
CREATE TABLE pets (chip text) INHERITS (animals);
INSERT INTO pets VALUES (1, 'dog', 'canary-chip');
CREATE TABLE staff (id int, pay text, pay_shown text GENERATED ALWAYS AS (upper(pay)) STORED);
CREATE SCHEMA hr;
CREATE TABLE hr.orders (id int, item text, secret text);
INSERT INTO hr.orders VALUES (1, 'chair', 'canary-hr');
CREATE TABLE hr.salaries (id int, amount numeric(9,2));
CREATE TABLE "Odd ""Näme" (id int, "Ssn ß" text, "select" text);
INSERT INTO "Odd ""Näme" VALUES (1, 'canary-odd', 'plain');
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN short AS varchar(10) CHECK (VALUE NOT LIKE '*%') NOT NULL;
CREATE COLLATION other (provider = libc, locale = 'C');
CREATE TABLE wide (
  id int, c_text text, c_varchar varchar(40), c_char char(20), c_collated text COLLATE other, c_domain short, c_name name, c_int int, c_big bigint, c_num numeric(12,2),
  c_float float8, c_bool boolean, c_date date, c_ts timestamp(3), c_tstz timestamptz, c_time time, c_interval interval day to second(2), c_uuid uuid, c_json json, c_jsonb jsonb,
  c_bytea bytea, c_inet inet, c_mood mood, c_texts text[], c_nums numeric(5,1)[], c_range int4range, c_bits bit(8), c_xml xml, c_point point);
INSERT INTO wide VALUES (
  1, 'canary-text', 'canary-varchar', 'canary-char', 'canary-collated', 'canary-dom', 'canary-name', 90719071, 9071907190719071, 9071907.19,
  9071907.125, true, '1907-01-09', '1907-01-09 07:19:07', '1907-01-09 07:19:07+00', '19:07:19', '9 days 07:19:07', 'ca9071ca-9071-9071-9071-ca9071ca9071', '{"canary": 9071}', '{"canary": 9071}',
  'canary-bytea', '90.71.90.71', 'sad', '{canary-array}', '{9071.9}', '[9071,9072)', B'10110111', '<canary/>', '(9071,9071)');
CREATE FUNCTION peeks() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT ssn FROM customers LIMIT 1; END;
CREATE VIEW v_atomic AS SELECT peeks() AS s;
CREATE FUNCTION same_as(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT ssn FROM customers WHERE id = $1) IS NOT NULL; END $$;
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = same_as);
CREATE VIEW v_operator AS SELECT id ### id AS s FROM orders;
CREATE VIEW v_xml AS SELECT query_to_xml('select * from customers', true, false, '') AS x;
CREATE VIEW v_stats AS SELECT most_common_vals::text AS v FROM pg_stats;
CREATE VIEW v_pure AS SELECT lower(item) AS item, id + 1 AS next FROM orders;
ANALYZE;
