-- The place of each webhook entry in the audit log. A place outlives its entry in the configuration file.
CREATE TABLE webhooks (
    name         TEXT PRIMARY KEY,
    -- Every event up to this one was delivered, filtered out or skipped.
    seq          INTEGER NOT NULL,
    -- The process that delivers. Leases are here, not in tracking: each entry has its own.
    lease_holder TEXT,
    lease_until  TEXT,
    fence        INTEGER NOT NULL DEFAULT 0,
    -- Failed attempts to deliver the next event, why the last one failed, and when the next one is due.
    failures     INTEGER NOT NULL DEFAULT 0,
    problem      TEXT,
    retry_at     TEXT,
    -- A replay with new ids: events up to this one get ids that are derived with the salt.
    new_ids_to   INTEGER,
    new_ids_salt TEXT
);
