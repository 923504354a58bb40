-- Whose events they are and of which kind, and whose operations and in which status, from the index alone: else the
-- planner walks all of that kind, or reads every row of that caller.
DROP INDEX audit_events_by_actor;
CREATE INDEX audit_events_by_actor ON audit_events (actor, seq, event);
DROP INDEX operations_by_requester;
CREATE INDEX operations_by_requester ON operations (requested_by, id DESC, status);
