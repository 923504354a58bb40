-- Operations: one row for each accepted patch. Only steps change it.
CREATE TABLE operations (
    id           uuid PRIMARY KEY,
    status       text NOT NULL,
    vpc_id       text NOT NULL,
    gateway_id   text NOT NULL,
    tunnel_id    text NOT NULL,
    task_id      text,
    changes      jsonb NOT NULL,
    requested_by text NOT NULL,
    actor_kind   text NOT NULL,
    request_id   text,
    trace_id     text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    error        jsonb,
    verification jsonb,
    CONSTRAINT operations_status CHECK (
        CASE status
            WHEN 'pending' THEN task_id IS NULL AND error IS NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'running' THEN task_id IS NOT NULL AND error IS NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'unknown' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'succeeded' THEN error IS NULL AND verification IS NOT NULL AND finished_at IS NOT NULL
            WHEN 'failed' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            WHEN 'timed_out' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            WHEN 'rejected' THEN task_id IS NULL AND error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            ELSE false
        END
    )
);
-- One change at a time on one tunnel, across all replicas.
CREATE UNIQUE INDEX operations_one_at_a_time ON operations (tunnel_id)
    WHERE status IN ('pending', 'running', 'unknown');
CREATE INDEX operations_by_vpc ON operations (vpc_id, id DESC);
CREATE INDEX operations_by_tunnel ON operations (tunnel_id, id DESC);
CREATE INDEX operations_by_status ON operations (status, id DESC);
CREATE INDEX operations_by_requester ON operations (requested_by, id DESC);
CREATE INDEX operations_by_created_at ON operations (created_at);

-- The audit log: one row for each step. Never changed; see docs/audit-format.md for the hash.
CREATE TABLE audit_events (
    seq          bigint PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    occurred_at  timestamptz NOT NULL,
    event        text NOT NULL,
    operation_id uuid,
    actor        text NOT NULL,
    actor_kind   text NOT NULL,
    source_ip    inet,
    user_agent   text,
    request_id   text,
    trace_id     text,
    vpc_id       text NOT NULL,
    gateway_id   text NOT NULL,
    tunnel_id    text NOT NULL,
    changes      jsonb,
    upstream     jsonb,
    prev_hash    bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX audit_events_by_operation ON audit_events (operation_id, seq);
CREATE INDEX audit_events_by_event ON audit_events (event, seq);
CREATE INDEX audit_events_by_vpc ON audit_events (vpc_id, seq);
CREATE INDEX audit_events_by_tunnel ON audit_events (tunnel_id, seq);
CREATE INDEX audit_events_by_actor ON audit_events (actor, seq);
CREATE INDEX audit_events_by_occurred_at ON audit_events (occurred_at);

CREATE FUNCTION audit_events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only: % is refused', TG_OP;
END
$$;
CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_are_append_only();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_append_only();

-- The newest event's place in the chain. Whoever writes steps holds this row.
CREATE TABLE chain_head (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq  bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO chain_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- The unfinished operations: when to look at each, and who does. Leases live here, so that only steps write operations.
CREATE TABLE tracking (
    operation_id uuid PRIMARY KEY REFERENCES operations (id),
    due_at       timestamptz NOT NULL,
    lease_holder text,
    lease_until  timestamptz,
    fence        bigint NOT NULL DEFAULT 0,
    polls        integer NOT NULL DEFAULT 0,
    read_backs   integer NOT NULL DEFAULT 0
);
CREATE INDEX tracking_by_due ON tracking (due_at);

CREATE TABLE idempotency_keys (
    principal_id text NOT NULL,
    key          text NOT NULL,
    -- Keyed: nobody who reads this can guess a secret with it.
    fingerprint  bytea NOT NULL,
    operation_id uuid NOT NULL REFERENCES operations (id),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (principal_id, key)
);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    -- Only the hash of a token is ever stored.
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    grants       jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;
