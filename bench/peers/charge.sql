-- A charge in PostgreSQL, as smsd does it: one transaction that takes the idempotency key, changes the
-- account if there is enough, and writes the entry. The entries' only index is also what history is paged by.
CREATE TABLE accounts (
    id text PRIMARY KEY,
    balance bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 90); -- room on the page for updates that need not touch the index

CREATE TABLE entries (
    account text NOT NULL,
    number bigint NOT NULL,
    amount bigint NOT NULL,
    balance bigint NOT NULL,
    reference text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account, number)
);

CREATE TABLE idempotency (
    key text PRIMARY KEY,
    entry bigint NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE SEQUENCE entry_numbers CACHE 100;

CREATE FUNCTION charge(of_account text, of_amount bigint, of_reference text, by_key text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    this bigint := nextval('entry_numbers');
    left_over bigint;
BEGIN
    INSERT INTO idempotency VALUES (by_key, this, now()) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN (SELECT e.number || ' ' || e.balance FROM idempotency i
                JOIN entries e ON e.account = of_account AND e.number = i.entry WHERE i.key = by_key);
    END IF;
    UPDATE accounts SET balance = balance - of_amount, updated_at = now()
        WHERE id = of_account AND balance >= of_amount RETURNING balance INTO left_over;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'insufficient_funds';
    END IF;
    INSERT INTO entries VALUES (of_account, this, -of_amount, left_over, of_reference, now());
    RETURN this || ' ' || left_over;
END
$$;
