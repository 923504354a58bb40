-- PostgreSQL
SELECT id
FROM operations
WHERE status = $1
-- $1 = Text("running")

-- SQLite
SELECT id
FROM operations
WHERE status = $1
-- $1 = Text("running")
