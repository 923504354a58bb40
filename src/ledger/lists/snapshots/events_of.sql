-- PostgreSQL
SELECT e.seq, e.format, e.id, e.occurred_at, e.event, e.operation_id, e.actor, e.actor_id, e.actor_kind, e.source_ip, e.user_agent, e.request_id, e.trace_id, e.vpc_id, e.gateway_id, e.tunnel_id, e.account, e.region, e.api, e.changes, e.before, e.sent, e.outcome, e.reason, e.rollback_of, e.upstream, e.prev_hash, e.hash
FROM audit_events e
WHERE e.operation_id = ANY ($1)
ORDER BY e.seq
-- $1 = Ids([00000000-1234-0000-0000-000000000001, 00000000-1234-0000-0000-000000000002])

-- SQLite
SELECT e.seq, e.format, e.id, e.occurred_at, e.event, e.operation_id, e.actor, e.actor_id, e.actor_kind, e.source_ip, e.user_agent, e.request_id, e.trace_id, e.vpc_id, e.gateway_id, e.tunnel_id, e.account, e.region, e.api, e.changes, e.before, e.sent, e.outcome, e.reason, e.rollback_of, e.upstream, e.prev_hash, e.hash
FROM audit_events e
WHERE e.operation_id IN (SELECT value
FROM json_each($1))
ORDER BY e.seq
-- $1 = Ids([00000000-1234-0000-0000-000000000001, 00000000-1234-0000-0000-000000000002])
