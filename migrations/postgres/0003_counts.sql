-- Counting by time reads this index alone, not the rows.
CREATE INDEX audit_events_by_time ON audit_events (occurred_at, event, vpc_id);
DROP INDEX IF EXISTS audit_events_by_occurred_at;
