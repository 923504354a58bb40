-- PostgreSQL
SELECT seq, hash, occurred_at
FROM audit_events
ORDER BY seq DESC LIMIT 1

-- SQLite
SELECT seq, hash, occurred_at
FROM audit_events
ORDER BY seq DESC LIMIT 1
