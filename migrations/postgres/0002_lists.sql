-- Every filter of the lists has an index, and so has every pair that a planner can't find quickly otherwise; see
-- docs/decisions/008-lists-stay-fast.md.

-- Ids are time-ordered, so created_after and created_before are ranges of the primary key.
DROP INDEX operations_by_created_at;
-- What else is filtered by is in the index: a tunnel with very many operations is looked through without its rows.
DROP INDEX operations_by_tunnel;
CREATE INDEX operations_by_tunnel ON operations (tunnel_id, id DESC) INCLUDE (vpc_id, status, requested_by);
CREATE INDEX operations_by_vpc_and_status ON operations (vpc_id, status, id DESC);
CREATE INDEX operations_by_requester_and_vpc ON operations (requested_by, vpc_id, id DESC);

CREATE INDEX audit_events_by_actor_and_vpc ON audit_events (actor, vpc_id, seq);
DROP INDEX audit_events_by_event;
CREATE INDEX audit_events_by_event ON audit_events (event, seq) INCLUDE (vpc_id, actor);
DROP INDEX audit_events_by_tunnel;
CREATE INDEX audit_events_by_tunnel ON audit_events (tunnel_id, seq) INCLUDE (vpc_id, event);
-- For people who query by time. The lists go by audit_hours.
DROP INDEX audit_events_by_occurred_at;
CREATE INDEX audit_events_by_occurred_at ON audit_events USING brin (occurred_at) WITH (autosummarize = on);

-- Where in the log each hour's events stand (UTC). Events are committed nearly, but not exactly, in the order of their
-- times; this tells how far a list by time has to look, whatever the clocks did.
CREATE TABLE audit_hours (
    hour      timestamptz PRIMARY KEY,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL
);
CREATE FUNCTION audit_hours_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_hours AS h (hour, first_seq, last_seq)
    SELECT date_trunc('hour', occurred_at, 'UTC'), min(seq), max(seq) FROM written GROUP BY 1
    ON CONFLICT (hour) DO UPDATE SET first_seq = least(h.first_seq, excluded.first_seq),
                                     last_seq = greatest(h.last_seq, excluded.last_seq);
    RETURN NULL;
END
$$;
-- In the way of writers until the hours of what was written before are there.
LOCK TABLE audit_events IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO audit_hours (hour, first_seq, last_seq)
SELECT date_trunc('hour', occurred_at, 'UTC'), min(seq), max(seq) FROM audit_events GROUP BY 1;
CREATE TRIGGER audit_events_hours AFTER INSERT ON audit_events REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION audit_hours_follow();
