-- The tunnels that a succeeded change has set, with the fields that are compared with the tunnel.
CREATE TABLE drift_watched (
    -- The lock of the tunnel's operations.
    lock_id    TEXT PRIMARY KEY,
    -- The path of the last change.
    vpc_id     TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    tunnel_id  TEXT NOT NULL,
    -- By JSON pointer: the value, the operation that set it, and the key of its fingerprint.
    fields     TEXT NOT NULL
);
CREATE INDEX drift_watched_by_gateway ON drift_watched (vpc_id, gateway_id);

-- The open differences: what events drift_detected told, and no drift_resolved has ended.
CREATE TABLE drift (
    lock_id      TEXT NOT NULL,
    pointer      TEXT NOT NULL,
    vpc_id       TEXT NOT NULL,
    gateway_id   TEXT NOT NULL,
    tunnel_id    TEXT NOT NULL,
    account      TEXT NOT NULL,
    region       TEXT NOT NULL,
    api          TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    was_set      TEXT NOT NULL,
    observed     TEXT NOT NULL,
    since        TEXT NOT NULL,
    -- The event that told it.
    seq          INTEGER NOT NULL,
    PRIMARY KEY (lock_id, pointer)
);
CREATE INDEX drift_by_seq ON drift (seq, pointer);
CREATE INDEX drift_by_vpc ON drift (vpc_id, seq, pointer);

-- The sweep that compares: which process holds it, and how far it is. Its row is made by the first process that sweeps.
CREATE TABLE drift_sweep (
    one          INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    lease_holder TEXT,
    lease_until  TEXT,
    fence        INTEGER NOT NULL DEFAULT 0,
    -- drift_watched contains the changes that ended up to this event.
    followed_seq INTEGER NOT NULL,
    began_at     TEXT,
    place        TEXT,
    swept_at     TEXT
);
