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
GROUP BY e.event) counted
ORDER BY 1, 2
-- $1 = Number(3600)
-- $2 = Time(None)
-- $3 = Time(None)
-- $4 = Number(7)
-- $5 = Number(90)
-- planned each time

-- SQLite
SELECT unixepoch(e.occurred_at) / $1 AS bucket, e.event, count(*) AS events
FROM audit_events e
WHERE true
GROUP BY 1, 2
ORDER BY 1, 2
-- $1 = Number(3600)
-- planned each time
