-- PostgreSQL
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.operation_id = ANY ($1)
ORDER BY e.seq DESC LIMIT $2)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Ids([00000000-1234-0000-0000-000000000001, 00000000-1234-0000-0000-000000000002])
-- $2 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.operation_id IN (SELECT value
FROM json_each($1))
ORDER BY e.seq DESC LIMIT $2)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Ids([00000000-1234-0000-0000-000000000001, 00000000-1234-0000-0000-000000000002])
-- $2 = Number(50)
-- planned each time
