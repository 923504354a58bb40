-- Every filter of the lists has an index, and so has every pair that a planner can't find quickly otherwise; see
-- docs/decisions/008-lists-stay-fast.md.

-- Ids are time-ordered, so created_after and created_before are ranges of the primary key.
DROP INDEX operations_by_created_at;
-- What else is filtered by is in the index: a tunnel with very many operations is looked through without its rows.
DROP INDEX operations_by_tunnel;
CREATE INDEX operations_by_tunnel ON operations (tunnel_id, id DESC, vpc_id, status, requested_by);
CREATE INDEX operations_by_vpc_and_status ON operations (vpc_id, status, id DESC);
CREATE INDEX operations_by_requester_and_vpc ON operations (requested_by, vpc_id, id DESC);

CREATE INDEX audit_events_by_actor_and_vpc ON audit_events (actor, vpc_id, seq);
DROP INDEX audit_events_by_event;
CREATE INDEX audit_events_by_event ON audit_events (event, seq, vpc_id, actor);
DROP INDEX audit_events_by_tunnel;
CREATE INDEX audit_events_by_tunnel ON audit_events (tunnel_id, seq, vpc_id, event);
DROP INDEX audit_events_by_occurred_at;

-- Where in the log each hour's events stand (the first 13 characters of their times). Events are committed nearly, but
-- not exactly, in the order of their times; this tells how far a list by time has to look, whatever the clock did.
CREATE TABLE audit_hours (
    hour      TEXT PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO audit_hours (hour, first_seq, last_seq)
SELECT substr(occurred_at, 1, 13), min(seq), max(seq) FROM audit_events GROUP BY 1;
CREATE TRIGGER audit_events_hours AFTER INSERT ON audit_events
BEGIN
    INSERT INTO audit_hours (hour, first_seq, last_seq) VALUES (substr(NEW.occurred_at, 1, 13), NEW.seq, NEW.seq)
    ON CONFLICT (hour) DO UPDATE SET first_seq = min(first_seq, excluded.first_seq),
                                     last_seq = max(last_seq, excluded.last_seq);
END;
