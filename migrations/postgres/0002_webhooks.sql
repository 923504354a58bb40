-- The place of each webhook entry in the audit log. A place outlives its entry in the configuration file.
CREATE TABLE webhooks (
    name         text PRIMARY KEY,
    -- Every event up to this one was delivered, filtered out or skipped.
    seq          bigint NOT NULL,
    -- The process that delivers. Leases are here, not in tracking: each entry has its own.
    lease_holder text,
    lease_until  timestamptz,
    fence        bigint NOT NULL DEFAULT 0,
    -- Failed attempts to deliver the next event, why the last one failed, and when the next one is due.
    failures     bigint NOT NULL DEFAULT 0,
    problem      text,
    retry_at     timestamptz,
    -- A replay with new ids: events up to this one get ids that are derived with the salt.
    new_ids_to   bigint,
    new_ids_salt uuid
);
