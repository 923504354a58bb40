-- PostgreSQL
SELECT (SELECT min(first_seq)
FROM audit_hours
WHERE $1 IS NULL OR hour > $1 - interval '1 hour') AS first, (SELECT max(last_seq)
FROM audit_hours
WHERE $2 IS NULL OR hour < $2) AS last
-- $1 = Time(Some(Timestamp(1700000000000000)))
-- $2 = Time(None)
-- planned each time

-- SQLite
SELECT (SELECT min(first_seq)
FROM audit_hours
WHERE $1 IS NULL OR hour >= substr($1, 1, 13)) AS first, (SELECT max(last_seq)
FROM audit_hours
WHERE $2 IS NULL OR hour < $2) AS last
-- $1 = Time(Some(Timestamp(1700000000000000)))
-- $2 = Time(None)
-- planned each time
