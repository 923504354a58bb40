-- PostgreSQL
WITH span AS (SELECT make_interval(secs => $1) AS length, coalesce($2, (SELECT min(occurred_at)
FROM audit_events)) AS first, coalesce($3, (SELECT max(occurred_at)
FROM audit_events)) AS last)
SELECT bucket, counted.event, counted.events
FROM span
CROSS JOIN generate_series('epoch'::timestamptz + length * floor(date_part('epoch', first) / date_part('epoch', length)), last, length) bucket
CROSS JOIN LATERAL (SELECT e.event, count(*) AS events
FROM audit_events e
WHERE e.occurred_at >= bucket
AND e.occurred_at < bucket + length
AND e.seq BETWEEN $4
AND $5
AND e.vpc_id LIKE ANY ($6)
AND e.operation_id = $7
AND e.event = $8
AND e.vpc_id = $9
AND e.tunnel_id = $10
AND e.actor = $11
AND e.account = $12
AND e.occurred_at >= $13
AND e.occurred_at < $14
AND EXISTS (SELECT 1
FROM operations o
WHERE o.id = e.operation_id
AND o.status = $15)
GROUP BY e.event) counted
ORDER BY 1, 2
-- $1 = Number(86400)
-- $2 = Time(Some(Timestamp(1700000000000000)))
-- $3 = Time(Some(Timestamp(1700000000000500)))
-- $4 = Number(7)
-- $5 = Number(90)
-- $6 = Texts(["vpc-prod-%", "vpc\\_1"])
-- $7 = Id(00000000-1234-0000-0000-000000000001)
-- $8 = Text("requested")
-- $9 = Text("vpc-1")
-- $10 = Text("vpnx-1")
-- $11 = Text("alice")
-- $12 = Text("prod-gz")
-- $13 = Time(Some(Timestamp(1700000000000000)))
-- $14 = Time(Some(Timestamp(1700000000000500)))
-- $15 = Text("running")
-- planned each time

-- SQLite
SELECT unixepoch(e.occurred_at) / $1 AS bucket, e.event, count(*) AS events
FROM audit_events e
WHERE true
AND (false OR e.vpc_id GLOB $2 OR e.vpc_id GLOB $3)
AND e.operation_id = $4
AND e.event = $5
AND e.vpc_id = $6
AND e.tunnel_id = $7
AND e.actor = $8
AND +e.account = $9
AND e.occurred_at >= $10
AND e.occurred_at < $11
AND EXISTS (SELECT 1
FROM operations o
WHERE o.id = e.operation_id
AND o.status = $12)
GROUP BY 1, 2
ORDER BY 1, 2
-- $1 = Number(86400)
-- $2 = Text("vpc-prod-*")
-- $3 = Text("vpc_1")
-- $4 = Id(00000000-1234-0000-0000-000000000001)
-- $5 = Text("requested")
-- $6 = Text("vpc-1")
-- $7 = Text("vpnx-1")
-- $8 = Text("alice")
-- $9 = Text("prod-gz")
-- $10 = Time(Some(Timestamp(1700000000000000)))
-- $11 = Time(Some(Timestamp(1700000000000500)))
-- $12 = Text("running")
-- planned each time
