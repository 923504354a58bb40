-- PostgreSQL
WITH page AS MATERIALIZED (SELECT o.id
FROM operations o
WHERE true
AND o.created_at < $1
AND o.id >= $2
AND o.id < $3
ORDER BY o.id DESC LIMIT $4)
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM page JOIN operations o ON o.id = page.id
ORDER BY o.id DESC
-- $1 = Time(Some(Timestamp(1700000000000500)))
-- $2 = Id(018bcfe5-6800-0000-0000-000000000000)
-- $3 = Id(018bcfe5-6801-0000-0000-000000000000)
-- $4 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT o.id
FROM operations o
WHERE true
AND o.created_at < $1
AND o.id >= $2
AND o.id < $3
ORDER BY o.id DESC LIMIT $4)
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM page JOIN operations o ON o.id = page.id
ORDER BY o.id DESC
-- $1 = Time(Some(Timestamp(1700000000000500)))
-- $2 = Id(018bcfe5-6800-0000-0000-000000000000)
-- $3 = Id(018bcfe5-6801-0000-0000-000000000000)
-- $4 = Number(50)
-- planned each time
