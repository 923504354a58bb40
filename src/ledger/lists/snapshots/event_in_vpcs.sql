-- PostgreSQL
SELECT e.seq, e.format, e.id, e.occurred_at, e.event, e.operation_id, e.actor, e.actor_id, e.actor_kind, e.source_ip, e.user_agent, e.request_id, e.trace_id, e.vpc_id, e.gateway_id, e.tunnel_id, e.account, e.region, e.api, e.changes, e.before, e.sent, e.outcome, e.reason, e.rollback_of, e.upstream, e.prev_hash, e.hash
FROM audit_events e
WHERE e.seq = $1
AND e.vpc_id LIKE ANY ($2)
-- $1 = Number(7)
-- $2 = Texts(["vpc-prod-%", "vpc\\_1"])

-- SQLite
SELECT e.seq, e.format, e.id, e.occurred_at, e.event, e.operation_id, e.actor, e.actor_id, e.actor_kind, e.source_ip, e.user_agent, e.request_id, e.trace_id, e.vpc_id, e.gateway_id, e.tunnel_id, e.account, e.region, e.api, e.changes, e.before, e.sent, e.outcome, e.reason, e.rollback_of, e.upstream, e.prev_hash, e.hash
FROM audit_events e
WHERE e.seq = $1
AND (false OR e.vpc_id GLOB $2 OR e.vpc_id GLOB $3)
-- $1 = Number(7)
-- $2 = Text("vpc-prod-*")
-- $3 = Text("vpc_1")
