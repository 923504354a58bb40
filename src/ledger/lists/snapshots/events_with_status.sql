-- PostgreSQL
WITH page AS MATERIALIZED (SELECT e.seq, e.operation_id
FROM audit_events e
WHERE true
ORDER BY e.seq DESC LIMIT $1)
SELECT page.seq, coalesce(o.status = $2, false) AS fits
FROM page
LEFT JOIN operations o ON o.id = page.operation_id
ORDER BY page.seq DESC
-- $1 = Number(50)
-- $2 = Text("succeeded")
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
ORDER BY e.seq DESC LIMIT $1)
SELECT page.seq, EXISTS (SELECT 1
FROM audit_events a JOIN operations o ON o.id = a.operation_id
WHERE a.seq = page.seq
AND o.status = $2) AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Number(50)
-- $2 = Text("succeeded")
-- planned each time
