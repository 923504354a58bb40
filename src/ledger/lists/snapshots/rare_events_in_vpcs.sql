-- PostgreSQL
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.vpc_id LIKE ANY ($1)
AND e.event = $2
ORDER BY e.seq DESC LIMIT $3)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Texts(["vpc-prod-%", "vpc\\_1"])
-- $2 = Text("denied")
-- $3 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND (false OR e.vpc_id GLOB $1 OR e.vpc_id GLOB $2)
AND e.event = $3
ORDER BY e.seq DESC LIMIT $4)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Text("vpc-prod-*")
-- $2 = Text("vpc_1")
-- $3 = Text("denied")
-- $4 = Number(50)
-- planned each time
