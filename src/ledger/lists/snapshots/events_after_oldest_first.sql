-- PostgreSQL
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.seq > $1
ORDER BY e.seq ASC LIMIT $2)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq ASC
-- $1 = Number(9)
-- $2 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.seq > $1
ORDER BY e.seq ASC LIMIT $2)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq ASC
-- $1 = Number(9)
-- $2 = Number(50)
-- planned each time
