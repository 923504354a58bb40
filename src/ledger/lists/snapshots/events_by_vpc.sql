-- PostgreSQL
WITH vpcs AS MATERIALIZED (SELECT known.vpc_id
FROM audit_vpcs known
WHERE true
AND known.vpc_id LIKE ANY ($1)),
page AS MATERIALIZED (SELECT found.*
FROM vpcs v
CROSS JOIN LATERAL (SELECT e.seq, e.operation_id
FROM audit_events e
WHERE true
AND e.vpc_id = v.vpc_id
ORDER BY e.seq DESC LIMIT $2) found
ORDER BY found.seq DESC LIMIT $3)
SELECT page.seq, coalesce(o.status = $4, false) AS fits
FROM page
LEFT JOIN operations o ON o.id = page.operation_id
ORDER BY page.seq DESC
-- $1 = Texts(["vpc-prod-%", "vpc\\_1"])
-- $2 = Number(50)
-- $3 = Number(50)
-- $4 = Text("failed")
-- planned each time

-- SQLite
WITH RECURSIVE known (vpc_id) AS ( SELECT min(vpc_id)
FROM audit_events
UNION ALL SELECT (SELECT min(t.vpc_id)
FROM audit_events t
WHERE t.vpc_id > known.vpc_id)
FROM known
WHERE known.vpc_id IS NOT NULL ),
vpcs AS MATERIALIZED (SELECT known.vpc_id
FROM known
WHERE true
AND (false OR known.vpc_id GLOB $1 OR known.vpc_id GLOB $2)),
page AS MATERIALIZED (SELECT found.value AS seq
FROM vpcs v, json_each((SELECT json_group_array(seq)
FROM (SELECT e.seq
FROM audit_events e
WHERE true
AND e.vpc_id = v.vpc_id
ORDER BY e.seq DESC LIMIT $3))) found
ORDER BY found.value DESC LIMIT $4)
SELECT page.seq, EXISTS (SELECT 1
FROM audit_events a JOIN operations o ON o.id = a.operation_id
WHERE a.seq = page.seq
AND o.status = $5) AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Text("vpc-prod-*")
-- $2 = Text("vpc_1")
-- $3 = Number(50)
-- $4 = Number(50)
-- $5 = Text("failed")
-- planned each time
