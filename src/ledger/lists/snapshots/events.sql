-- PostgreSQL
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
ORDER BY e.seq DESC LIMIT $1)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
ORDER BY e.seq DESC LIMIT $1)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Number(50)
-- planned each time
