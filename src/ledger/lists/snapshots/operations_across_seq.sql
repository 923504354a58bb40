-- PostgreSQL
SELECT DISTINCT e.operation_id AS id
FROM audit_events e
WHERE e.event = $1
AND e.seq >= $2
AND EXISTS (SELECT 1
FROM audit_events b
WHERE b.operation_id = e.operation_id
AND b.seq < $3)
-- $1 = Text("failed")
-- $2 = Number(7)
-- $3 = Number(7)
-- planned each time

-- SQLite
SELECT DISTINCT e.operation_id AS id
FROM audit_events e
WHERE e.event = $1
AND e.seq >= $2
AND EXISTS (SELECT 1
FROM audit_events b
WHERE b.operation_id = e.operation_id
AND b.seq < $3)
-- $1 = Text("failed")
-- $2 = Number(7)
-- $3 = Number(7)
-- planned each time
