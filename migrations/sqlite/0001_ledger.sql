-- Times are RFC 3339 in UTC with six decimals; ids and JSON are text.

-- Operations: one row for each accepted patch. Only steps change it.
CREATE TABLE operations (
    id                 TEXT PRIMARY KEY,
    status             TEXT NOT NULL,
    -- What a change locks until it is final: the ids of the VPC and the tunnel in the form that the cloud prefers.
    lock_id            TEXT NOT NULL,
    vpc_id             TEXT NOT NULL,
    gateway_id         TEXT NOT NULL,
    tunnel_id          TEXT NOT NULL,
    account            TEXT NOT NULL,
    region             TEXT NOT NULL,
    api                TEXT NOT NULL,
    task_id            TEXT,
    changes            TEXT NOT NULL,
    before             TEXT,
    reason             TEXT,
    -- The operation that this one rolls back.
    rollback_of        TEXT,
    -- The key that the fingerprints in changes and before were made with.
    fingerprint_key_id TEXT,
    requested_by       TEXT NOT NULL,
    actor_id           TEXT,
    actor_kind         TEXT NOT NULL,
    request_id         TEXT,
    trace_id           TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL,
    finished_at        TEXT,
    error              TEXT,
    verification       TEXT,
    -- The event of its last step.
    last_seq           INTEGER NOT NULL,
    CONSTRAINT operations_status CHECK (
        CASE status
            WHEN 'pending' THEN task_id IS NULL AND error IS NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'running' THEN task_id IS NOT NULL AND error IS NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'unknown' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NULL
            WHEN 'succeeded' THEN error IS NULL AND verification IS NOT NULL AND finished_at IS NOT NULL
            WHEN 'diverged' THEN error IS NULL AND verification IS NOT NULL AND finished_at IS NOT NULL
            WHEN 'failed' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            WHEN 'timed_out' THEN error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            WHEN 'rejected' THEN task_id IS NULL AND error IS NOT NULL AND verification IS NULL AND finished_at IS NOT NULL
            ELSE 0
        END
    )
);
-- One change at a time on one tunnel, across all replicas.
CREATE UNIQUE INDEX operations_one_at_a_time ON operations (lock_id)
    WHERE status IN ('pending', 'running', 'unknown');
-- Whether a change of the tunnel ended after a read.
CREATE INDEX operations_by_lock ON operations (lock_id, last_seq);
-- Every filter of the lists has an index, and so has every pair that a planner does not find quickly otherwise; see
-- docs/decisions/008. Ids are ordered by time, so created_after and created_before are ranges of the primary key.
CREATE INDEX operations_by_vpc ON operations (vpc_id, id DESC);
CREATE INDEX operations_by_status ON operations (status, id DESC);
CREATE INDEX operations_by_requester ON operations (requested_by, id DESC, status);
CREATE INDEX operations_by_account ON operations (account, id DESC);
-- The other filters are in the index: a tunnel with very many operations is searched without its rows.
CREATE INDEX operations_by_tunnel ON operations (tunnel_id, id DESC, vpc_id, status, requested_by);
CREATE INDEX operations_by_vpc_and_status ON operations (vpc_id, status, id DESC);
CREATE INDEX operations_by_requester_and_vpc ON operations (requested_by, vpc_id, id DESC);

-- The audit log: one row for each step. Rows never change; docs/audit-format.md describes the hash.
CREATE TABLE audit_events (
    seq          INTEGER PRIMARY KEY,
    format       INTEGER NOT NULL,
    id           TEXT NOT NULL UNIQUE,
    occurred_at  TEXT NOT NULL,
    event        TEXT NOT NULL,
    operation_id TEXT,
    actor        TEXT NOT NULL,
    actor_id     TEXT,
    actor_kind   TEXT NOT NULL,
    source_ip    TEXT,
    user_agent   TEXT,
    request_id   TEXT,
    trace_id     TEXT,
    -- NULL in events that are about no tunnel.
    vpc_id       TEXT,
    gateway_id   TEXT,
    tunnel_id    TEXT,
    account      TEXT,
    region       TEXT,
    api          TEXT,
    changes      TEXT,
    before       TEXT,
    sent         TEXT,
    outcome      TEXT,
    reason       TEXT,
    rollback_of  TEXT,
    upstream     TEXT,
    prev_hash    BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash         BLOB NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_events_by_operation ON audit_events (operation_id, seq);
CREATE INDEX audit_events_by_event ON audit_events (event, seq, vpc_id, actor);
CREATE INDEX audit_events_by_vpc ON audit_events (vpc_id, seq);
CREATE INDEX audit_events_by_tunnel ON audit_events (tunnel_id, seq, vpc_id, event);
-- With the kind: without it the planner walks all events of that kind where an actor's are far back.
CREATE INDEX audit_events_by_actor ON audit_events (actor, seq, event);
CREATE INDEX audit_events_by_actor_and_vpc ON audit_events (actor, vpc_id, seq);
CREATE INDEX audit_events_by_account ON audit_events (account, seq);
-- Counting by time reads this index alone, not the rows.
CREATE INDEX audit_events_by_time ON audit_events (occurred_at, event, vpc_id);

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: UPDATE is refused'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: DELETE is refused'); END;
-- INSERT OR REPLACE removes rows without firing the trigger above.
CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE seq = NEW.seq OR id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: REPLACE is refused'); END;

-- Where in the log each hour's events are (the first 13 characters of their times). Events are committed nearly, but
-- not exactly, in the order of their times; this says how far a list by time has to search, whatever the clock did.
CREATE TABLE audit_hours (
    hour      TEXT PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER audit_events_hours AFTER INSERT ON audit_events
BEGIN
    INSERT INTO audit_hours (hour, first_seq, last_seq) VALUES (substr(NEW.occurred_at, 1, 13), NEW.seq, NEW.seq)
    ON CONFLICT (hour) DO UPDATE SET first_seq = min(first_seq, excluded.first_seq),
                                     last_seq = max(last_seq, excluded.last_seq);
END;

-- Empty: only a ledger on PostgreSQL can move old events to files.
CREATE TABLE archived_segments (
    first_seq         INTEGER PRIMARY KEY,
    last_seq          INTEGER NOT NULL UNIQUE,
    last_hash         BLOB NOT NULL CHECK (length(last_hash) = 32),
    last_at           TEXT NOT NULL,
    events_sha256     BLOB NOT NULL CHECK (length(events_sha256) = 32),
    operations        INTEGER NOT NULL,
    operations_sha256 BLOB NOT NULL CHECK (length(operations_sha256) = 32)
);

-- The newest event's place in the chain. A process that writes steps holds this row.
CREATE TABLE chain_head (
    one  INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO chain_head (seq, hash) VALUES (0, zeroblob(32));

-- The newest events that were lost when the log went back to an older state. Writing stops while a row has no acceptance.
CREATE TABLE lost_heads (
    seq         INTEGER NOT NULL,
    hash        BLOB NOT NULL CHECK (length(hash) = 32),
    noted_at    TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    -- 1 for the first acceptance, and so on.
    acceptance  INTEGER,
    accepted_at TEXT,
    PRIMARY KEY (seq, hash)
);

-- The unfinished operations: when each is due, and which process holds it. Leases are here, so that only steps write
-- operations.
CREATE TABLE tracking (
    operation_id TEXT PRIMARY KEY REFERENCES operations (id),
    -- Those of the operation: one read of a gateway shows many of its tunnels.
    vpc_id       TEXT NOT NULL,
    gateway_id   TEXT NOT NULL,
    due_at       TEXT NOT NULL,
    lease_holder TEXT,
    lease_until  TEXT,
    fence        INTEGER NOT NULL DEFAULT 0,
    polls        INTEGER NOT NULL DEFAULT 0,
    -- Reads of the tunnel that did not end the operation, by what they showed.
    reads_different INTEGER NOT NULL DEFAULT 0,
    reads_open      INTEGER NOT NULL DEFAULT 0,
    reads_failed    INTEGER NOT NULL DEFAULT 0
);
-- By the time from which an operation can be claimed: when it is due and no lease holds it.
CREATE INDEX tracking_by_due ON tracking (max(due_at, coalesce(lease_until, due_at)));
CREATE INDEX tracking_by_gateway ON tracking (vpc_id, gateway_id, max(due_at, coalesce(lease_until, due_at)));

-- When the next call of each account may start, in microseconds since 1970. The replicas reserve calls here, so that together
-- they keep to the account's calls a second.
CREATE TABLE call_budgets (
    account   TEXT PRIMARY KEY,
    next_at   INTEGER NOT NULL,
    -- The last time that the cloud limited the rate, and the calls a second from then on.
    slowed_at INTEGER,
    slowed_to INTEGER
);

CREATE TABLE idempotency_keys (
    principal_id       TEXT NOT NULL,
    key                TEXT NOT NULL,
    -- Of the request without its secret, so that it outlives the key of the fingerprints.
    request_sha256     BLOB NOT NULL,
    -- Of the secret in the request; keyed, so that this table is of no use for guessing.
    secret_fingerprint TEXT,
    fingerprint_key_id TEXT,
    operation_id       TEXT NOT NULL REFERENCES operations (id),
    created_at         TEXT NOT NULL,
    PRIMARY KEY (principal_id, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    grants     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;

-- A rotation adds a token to its key. The older tokens end with the overlap.
CREATE TABLE api_key_tokens (
    -- Only the hash of a token is ever stored.
    token_sha256 BLOB PRIMARY KEY CHECK (length(token_sha256) = 32),
    key_id       TEXT NOT NULL REFERENCES api_keys (id),
    created_at   TEXT NOT NULL,
    valid_until  TEXT,
    last_used_on TEXT
);
CREATE UNIQUE INDEX api_key_tokens_newest ON api_key_tokens (key_id) WHERE valid_until IS NULL;
CREATE INDEX api_key_tokens_by_key ON api_key_tokens (key_id);
