-- Whose events they are and of which kind, from the index alone: else the planner walks all events of that kind where
-- an actor's lie far back.
DROP INDEX audit_events_by_actor;
CREATE INDEX audit_events_by_actor ON audit_events (actor, seq) INCLUDE (event);
