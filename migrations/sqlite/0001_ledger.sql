-- Times are RFC 3339 in UTC with six decimals, ids and JSON are text.

-- Operations: one row for each accepted patch. Only steps change it.
CREATE TABLE operations (
    id           TEXT PRIMARY KEY,
    status       TEXT NOT NULL,
    vpc_id       TEXT NOT NULL,
    gateway_id   TEXT NOT NULL,
    tunnel_id    TEXT NOT NULL,
    task_id      TEXT,
    changes      TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    actor_kind   TEXT NOT NULL,
    request_id   TEXT,
    trace_id     TEXT,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    finished_at  TEXT,
    error        TEXT,
    verification TEXT,
    CONSTRAINT operations_status CHECK (
        CASE status
            WHEN 'pending' THEN task_id IS NULL AND error IS NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'running' THEN task_id IS NOT NULL AND error IS NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'unknown' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'succeeded' THEN error IS NULL AND verification IS NOT NULL AND finished_at IS NOT NULL
            WHEN 'failed' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            WHEN 'timed_out' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            WHEN 'rejected' THEN task_id IS NULL AND error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            ELSE 0
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
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    occurred_at  TEXT NOT NULL,
    event        TEXT NOT NULL,
    operation_id TEXT,
    actor        TEXT NOT NULL,
    actor_kind   TEXT NOT NULL,
    source_ip    TEXT,
    user_agent   TEXT,
    request_id   TEXT,
    trace_id     TEXT,
    vpc_id       TEXT NOT NULL,
    gateway_id   TEXT NOT NULL,
    tunnel_id    TEXT NOT NULL,
    changes      TEXT,
    upstream     TEXT,
    prev_hash    BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash         BLOB NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_events_by_operation ON audit_events (operation_id, seq);
CREATE INDEX audit_events_by_event ON audit_events (event, seq);
CREATE INDEX audit_events_by_vpc ON audit_events (vpc_id, seq);
CREATE INDEX audit_events_by_tunnel ON audit_events (tunnel_id, seq);
CREATE INDEX audit_events_by_actor ON audit_events (actor, seq);
CREATE INDEX audit_events_by_occurred_at ON audit_events (occurred_at);

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: UPDATE is refused'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: DELETE is refused'); END;
-- INSERT OR REPLACE removes rows without asking the trigger above.
CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE seq = NEW.seq OR id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: REPLACE is refused'); END;

-- The newest event's place in the chain. Whoever writes steps holds this row.
CREATE TABLE chain_head (
    one  INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO chain_head (seq, hash) VALUES (0, zeroblob(32));

-- The unfinished operations: when to look at each, and who does. Leases live here, so that only steps write operations.
CREATE TABLE tracking (
    operation_id TEXT PRIMARY KEY REFERENCES operations (id),
    due_at       TEXT NOT NULL,
    lease_holder TEXT,
    lease_until  TEXT,
    fence        INTEGER NOT NULL DEFAULT 0,
    polls        INTEGER NOT NULL DEFAULT 0,
    read_backs   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tracking_by_due ON tracking (due_at);

CREATE TABLE idempotency_keys (
    principal_id TEXT NOT NULL,
    key          TEXT NOT NULL,
    -- Keyed: nobody who reads this can guess a secret with it.
    fingerprint  BLOB NOT NULL,
    operation_id TEXT NOT NULL REFERENCES operations (id),
    created_at   TEXT NOT NULL,
    PRIMARY KEY (principal_id, key)
);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    -- Only the hash of a token is ever stored.
    token_sha256 BLOB NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    grants       TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    revoked_at   TEXT
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;
