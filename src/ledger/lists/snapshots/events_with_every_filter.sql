-- PostgreSQL
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.vpc_id = $1
AND e.operation_id = $2
AND e.tunnel_id = $3
AND e.actor = $4
AND e.event = $5
AND e.occurred_at >= $6
AND e.occurred_at < $7
AND e.seq BETWEEN $8
AND $9
ORDER BY e.seq DESC LIMIT $10)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Text("vpc-1")
-- $2 = Id(00000000-1234-0000-0000-000000000001)
-- $3 = Text("vpnx-1")
-- $4 = Text("alice")
-- $5 = Text("requested")
-- $6 = Time(Some(Timestamp(1700000000000000)))
-- $7 = Time(Some(Timestamp(1700000000000500)))
-- $8 = Number(3)
-- $9 = Number(9)
-- $10 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT e.seq
FROM audit_events e
WHERE true
AND e.vpc_id = $1
AND e.operation_id = $2
AND e.tunnel_id = $3
AND e.actor = $4
AND e.event = $5
AND e.occurred_at >= $6
AND e.occurred_at < $7
AND e.seq BETWEEN $8
AND $9
ORDER BY e.seq DESC LIMIT $10)
SELECT page.seq, true AS fits
FROM page
ORDER BY page.seq DESC
-- $1 = Text("vpc-1")
-- $2 = Id(00000000-1234-0000-0000-000000000001)
-- $3 = Text("vpnx-1")
-- $4 = Text("alice")
-- $5 = Text("requested")
-- $6 = Time(Some(Timestamp(1700000000000000)))
-- $7 = Time(Some(Timestamp(1700000000000500)))
-- $8 = Number(3)
-- $9 = Number(9)
-- $10 = Number(50)
-- planned each time
