-- Operations: one row for each accepted patch. Only steps change it.
CREATE TABLE operations (
    id                 uuid PRIMARY KEY,
    status             text NOT NULL,
    -- What a change locks until it is final: the ids of the VPC and the tunnel in the form that the cloud prefers.
    lock_id            text NOT NULL,
    vpc_id             text NOT NULL,
    gateway_id         text NOT NULL,
    tunnel_id          text NOT NULL,
    account            text NOT NULL,
    region             text NOT NULL,
    api                text NOT NULL,
    task_id            text,
    changes            jsonb NOT NULL,
    before             jsonb,
    reason             text,
    -- The operation that this one rolls back.
    rollback_of        uuid,
    -- The key that the fingerprints in changes and before were made with.
    fingerprint_key_id text,
    requested_by       text NOT NULL,
    actor_id           text,
    actor_kind         text NOT NULL,
    request_id         text,
    trace_id           text,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    error              jsonb,
    verification       jsonb,
    -- The event of its last step.
    last_seq           bigint NOT NULL,
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
            ELSE false
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
CREATE INDEX operations_by_requester ON operations (requested_by, id DESC);
CREATE INDEX operations_by_account ON operations (account, id DESC);
-- The other filters are in the index: a tunnel with very many operations is searched without its rows.
CREATE INDEX operations_by_tunnel ON operations (tunnel_id, id DESC) INCLUDE (vpc_id, status, requested_by);
CREATE INDEX operations_by_vpc_and_status ON operations (vpc_id, status, id DESC);
CREATE INDEX operations_by_requester_and_vpc ON operations (requested_by, vpc_id, id DESC);

-- The audit log: one row for each step. Rows never change; docs/audit-format.md describes the hash.
CREATE TABLE audit_events (
    seq          bigint PRIMARY KEY,
    format       integer NOT NULL,
    id           uuid NOT NULL,
    occurred_at  timestamptz NOT NULL,
    event        text NOT NULL,
    operation_id uuid,
    actor        text NOT NULL,
    actor_id     text,
    actor_kind   text NOT NULL,
    source_ip    inet,
    user_agent   text,
    request_id   text,
    trace_id     text,
    -- NULL in events that are about no tunnel.
    vpc_id       text,
    gateway_id   text,
    tunnel_id    text,
    account      text,
    region       text,
    api          text,
    changes      jsonb,
    before       jsonb,
    sent         jsonb,
    outcome      jsonb,
    reason       text,
    rollback_of  uuid,
    upstream     jsonb,
    prev_hash    bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32)
) PARTITION BY RANGE (seq);
CREATE INDEX audit_events_by_operation ON audit_events (operation_id, seq);
CREATE INDEX audit_events_by_event ON audit_events (event, seq) INCLUDE (vpc_id, actor);
CREATE INDEX audit_events_by_vpc ON audit_events (vpc_id, seq);
CREATE INDEX audit_events_by_tunnel ON audit_events (tunnel_id, seq) INCLUDE (vpc_id, event);
-- With the kind: without it the planner walks all events of that kind where an actor's are far back.
CREATE INDEX audit_events_by_actor ON audit_events (actor, seq) INCLUDE (event);
CREATE INDEX audit_events_by_actor_and_vpc ON audit_events (actor, vpc_id, seq);
CREATE INDEX audit_events_by_account ON audit_events (account, seq);
-- Counting by time reads this index alone, not the rows.
CREATE INDEX audit_events_by_time ON audit_events (occurred_at, event, vpc_id) INCLUDE (seq);

CREATE FUNCTION audit_events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only: % is refused', TG_OP;
END
$$;
CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_are_append_only();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_append_only();

-- Events of one partition: small enough to archive and drop within minutes, large enough that 100 million events are
-- 20 partitions.
CREATE FUNCTION audit_partition_size() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT bigint ''5000000''';

-- The partitions of audit_events, oldest first.
CREATE FUNCTION audit_partitions() RETURNS TABLE (name text, first_seq bigint, last_seq bigint) LANGUAGE sql STABLE AS $$
    SELECT relname::text, bounds[1]::bigint, bounds[2]::bigint - 1
    FROM (SELECT c.relname, regexp_match(pg_get_expr(c.relpartbound, c.oid), '([0-9]+)[^0-9]+([0-9]+)') AS bounds
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = 'audit_events'::regclass) p
    ORDER BY 2
$$;

-- Creates partitions until three are empty ahead of the newest event; returns the last seq that has a partition. The
-- service's role may call it without the right to create tables. ATTACH waits for no reader and no writer.
CREATE FUNCTION audit_events_extend() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    newest bigint := (SELECT seq FROM chain_head);
    size   bigint := audit_partition_size();
    last   bigint := (SELECT max(last_seq) FROM audit_partitions());
    name   text;
BEGIN
    IF last >= newest + 3 * size THEN
        RETURN last;
    END IF;
    -- One session at a time. Only the parent: the partitions' locks would wait for every VACUUM.
    LOCK TABLE ONLY audit_events IN SHARE UPDATE EXCLUSIVE MODE;
    LOOP
        last := (SELECT coalesce(max(last_seq), 0) FROM audit_partitions());
        EXIT WHEN last >= newest + 3 * size;
        -- With the schema's name: a function of another role must not run with the owner's rights.
        name := pg_catalog.format('audit_events_%s', last + 1);
        LOOP
            BEGIN
                EXECUTE pg_catalog.format('CREATE TABLE %I (LIKE audit_events INCLUDING CONSTRAINTS)', name);
                EXIT;
            EXCEPTION WHEN duplicate_table OR duplicate_object THEN
                -- A role with CREATE on the schema took the name. It can't take all names.
                name := pg_catalog.format('audit_events_%s_%s', last + 1, pg_catalog.md5(pg_catalog.random()::text));
            END;
        END LOOP;
        EXECUTE pg_catalog.format('CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_append_only()', name);
        EXECUTE pg_catalog.format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                       name, last + 1, last + 1 + size);
    END LOOP;
    RETURN last;
END
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_partitions() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION audit_events_extend() SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE EXECUTE ON FUNCTION audit_events_extend() FROM PUBLIC;

-- Where in the log each hour's events are (UTC). Events are committed nearly, but not exactly, in the order of their
-- times; this says how far a list by time has to search, whatever the clocks did.
CREATE TABLE audit_hours (
    hour      timestamptz PRIMARY KEY,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL
);
-- The VPCs of the log. Finding them in audit_events would search each partition for each VPC.
CREATE TABLE audit_vpcs (
    vpc_id text PRIMARY KEY
);
CREATE FUNCTION audit_events_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_vpcs (vpc_id) SELECT DISTINCT vpc_id FROM written WHERE vpc_id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO audit_hours AS h (hour, first_seq, last_seq)
    SELECT date_trunc('hour', occurred_at, 'UTC'), min(seq), max(seq) FROM written GROUP BY 1
    ON CONFLICT (hour) DO UPDATE SET first_seq = least(h.first_seq, excluded.first_seq),
                                     last_seq = greatest(h.last_seq, excluded.last_seq);
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_events_follow AFTER INSERT ON audit_events REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_follow();

-- The segments of the log that are in files and no longer here. An event log_archived says the same of each.
CREATE TABLE archived_segments (
    first_seq         bigint PRIMARY KEY,
    last_seq          bigint NOT NULL UNIQUE,
    last_hash         bytea NOT NULL CHECK (octet_length(last_hash) = 32),
    last_at           timestamptz NOT NULL,
    events_sha256     bytea NOT NULL CHECK (octet_length(events_sha256) = 32),
    -- Operations that ended in the segment.
    operations        bigint NOT NULL,
    operations_sha256 bytea NOT NULL CHECK (octet_length(operations_sha256) = 32)
);

-- The newest event's place in the chain. A process that writes steps holds this row.
CREATE TABLE chain_head (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq  bigint NOT NULL,
    hash bytea NOT NULL,
    -- A row of lost_heads has no acceptance. A batch that waited for this row sees its newest version, but an older state of
    -- lost_heads.
    rewound boolean NOT NULL DEFAULT false
);
INSERT INTO chain_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
SELECT audit_events_extend();

-- The newest events that were lost when the log went back to an older state. Writing stops while a row has no acceptance.
CREATE TABLE lost_heads (
    seq         bigint NOT NULL,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    noted_at    timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    -- 1 for the first acceptance, and so on.
    acceptance  bigint,
    accepted_at timestamptz,
    PRIMARY KEY (seq, hash)
);

-- The unfinished operations: when each is due, and which process holds it. Leases are here, so that only steps write
-- operations.
CREATE TABLE tracking (
    operation_id uuid PRIMARY KEY REFERENCES operations (id),
    -- Those of the operation: one read of a gateway shows many of its tunnels.
    vpc_id       text NOT NULL,
    gateway_id   text NOT NULL,
    due_at       timestamptz NOT NULL,
    lease_holder text,
    lease_until  timestamptz,
    fence        bigint NOT NULL DEFAULT 0,
    polls        integer NOT NULL DEFAULT 0,
    -- Reads of the tunnel that did not end the operation, by what they showed.
    reads_different integer NOT NULL DEFAULT 0,
    reads_open      integer NOT NULL DEFAULT 0,
    reads_failed    integer NOT NULL DEFAULT 0
);
-- By the time from which an operation can be claimed: when it is due and no lease holds it.
CREATE INDEX tracking_by_due ON tracking (greatest(due_at, lease_until));
CREATE INDEX tracking_by_gateway ON tracking (vpc_id, gateway_id, greatest(due_at, lease_until));

-- When the next call of each account may start. The replicas reserve calls here, so that together they keep to the account's
-- calls a second.
CREATE TABLE call_budgets (
    account   text PRIMARY KEY,
    next_at   timestamptz NOT NULL,
    -- The last time that the cloud limited the rate, and the calls a second from then on.
    slowed_at timestamptz,
    slowed_to bigint
) WITH (fillfactor = 50);

CREATE TABLE idempotency_keys (
    principal_id       text NOT NULL,
    key                text NOT NULL,
    -- Of the request without its secret, so that it outlives the key of the fingerprints.
    request_sha256     bytea NOT NULL,
    -- Of the secret in the request; keyed, so that this table is of no use for guessing.
    secret_fingerprint text,
    fingerprint_key_id text,
    operation_id       uuid NOT NULL REFERENCES operations (id),
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (principal_id, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
-- For the foreign key, when archived operations are deleted.
CREATE INDEX idempotency_keys_by_operation ON idempotency_keys (operation_id);

CREATE TABLE api_keys (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    grants     jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;

-- A rotation adds a token to its key. The older tokens end with the overlap.
CREATE TABLE api_key_tokens (
    -- Only the hash of a token is ever stored.
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    key_id       uuid NOT NULL REFERENCES api_keys (id),
    created_at   timestamptz NOT NULL,
    valid_until  timestamptz,
    last_used_on date
);
CREATE UNIQUE INDEX api_key_tokens_newest ON api_key_tokens (key_id) WHERE valid_until IS NULL;
CREATE INDEX api_key_tokens_by_key ON api_key_tokens (key_id);
