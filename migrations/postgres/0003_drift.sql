-- The tunnels that a succeeded change has set, with the fields that are compared with the tunnel.
CREATE TABLE drift_watched (
    -- The lock of the tunnel's operations.
    lock_id    text PRIMARY KEY,
    -- The path of the last change.
    vpc_id     text NOT NULL,
    gateway_id text NOT NULL,
    tunnel_id  text NOT NULL,
    -- By JSON pointer: the value, the operation that set it, and the key of its fingerprint.
    fields     jsonb NOT NULL
);
CREATE INDEX drift_watched_by_gateway ON drift_watched (vpc_id, gateway_id);

-- The open differences: what events drift_detected told, and no drift_resolved has ended.
CREATE TABLE drift (
    lock_id      text NOT NULL,
    pointer      text NOT NULL,
    vpc_id       text NOT NULL,
    gateway_id   text NOT NULL,
    tunnel_id    text NOT NULL,
    account      text NOT NULL,
    region       text NOT NULL,
    api          text NOT NULL,
    operation_id uuid NOT NULL,
    was_set      jsonb NOT NULL,
    observed     jsonb NOT NULL,
    since        timestamptz NOT NULL,
    -- The event that told it.
    seq          bigint NOT NULL,
    PRIMARY KEY (lock_id, pointer)
);
CREATE INDEX drift_by_seq ON drift (seq, pointer);
CREATE INDEX drift_by_vpc ON drift (vpc_id, seq, pointer);

-- The sweep that compares: which process holds it, and how far it is. Its row is made by the first process that sweeps.
CREATE TABLE drift_sweep (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    lease_holder text,
    lease_until  timestamptz,
    fence        bigint NOT NULL DEFAULT 0,
    -- drift_watched contains the changes that ended up to this event.
    followed_seq bigint NOT NULL,
    began_at     timestamptz,
    place        text,
    swept_at     timestamptz
);
