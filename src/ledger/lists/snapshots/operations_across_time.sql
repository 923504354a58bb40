-- PostgreSQL
SELECT DISTINCT e.operation_id AS id
FROM audit_events e
WHERE e.event = $1
AND e.occurred_at >= $2
AND e.operation_id < $3
-- $1 = Text("failed")
-- $2 = Time(Some(Timestamp(1700000000000500)))
-- $3 = Id(018bcfe5-6801-0000-0000-000000000000)
-- planned each time

-- SQLite
SELECT DISTINCT e.operation_id AS id
FROM audit_events e
WHERE e.event = $1
AND e.occurred_at >= $2
AND e.operation_id < $3
-- $1 = Text("failed")
-- $2 = Time(Some(Timestamp(1700000000000500)))
-- $3 = Id(018bcfe5-6801-0000-0000-000000000000)
-- planned each time
