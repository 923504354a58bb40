-- PostgreSQL
WITH page AS MATERIALIZED (SELECT o.id
FROM operations o
WHERE true
AND o.vpc_id = $1
AND o.account = $2
ORDER BY o.id DESC LIMIT $3)
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM page JOIN operations o ON o.id = page.id
ORDER BY o.id DESC
-- $1 = Text("vpc-1")
-- $2 = Text("prod-gz")
-- $3 = Number(50)
-- planned each time

-- SQLite
WITH page AS MATERIALIZED (SELECT o.id
FROM operations o
WHERE true
AND o.vpc_id = $1
AND +o.account = $2
ORDER BY o.id DESC LIMIT $3)
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM page JOIN operations o ON o.id = page.id
ORDER BY o.id DESC
-- $1 = Text("vpc-1")
-- $2 = Text("prod-gz")
-- $3 = Number(50)
-- planned each time
