-- PostgreSQL
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM operations o
WHERE o.id = $1
AND o.vpc_id LIKE ANY ($2)
-- $1 = Id(00000000-1234-0000-0000-000000000001)
-- $2 = Texts(["vpc-prod-%", "vpc\\_1"])

-- SQLite
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM operations o
WHERE o.id = $1
AND (false OR o.vpc_id GLOB $2 OR o.vpc_id GLOB $3)
-- $1 = Id(00000000-1234-0000-0000-000000000001)
-- $2 = Text("vpc-prod-*")
-- $3 = Text("vpc_1")
