-- PostgreSQL
WITH RECURSIVE known (vpc_id) AS ( SELECT min(vpc_id)
FROM operations
UNION ALL SELECT (SELECT min(t.vpc_id)
FROM operations t
WHERE t.vpc_id > known.vpc_id)
FROM known
WHERE known.vpc_id IS NOT NULL ),
vpcs AS MATERIALIZED (SELECT known.vpc_id
FROM known
WHERE true
AND known.vpc_id LIKE ANY ($1)),
page AS MATERIALIZED (SELECT found.*
FROM vpcs v
CROSS JOIN LATERAL (SELECT o.id
FROM operations o
WHERE true
AND o.vpc_id = v.vpc_id
AND o.status = $2
AND o.requested_by = $3
ORDER BY o.id DESC LIMIT $4) found
ORDER BY found.id DESC LIMIT $5)
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM page JOIN operations o ON o.id = page.id
ORDER BY o.id DESC
-- $1 = Texts(["vpc-prod-%", "vpc\\_1"])
-- $2 = Text("failed")
-- $3 = Text("alice")
-- $4 = Number(50)
-- $5 = Number(50)
-- planned each time

-- SQLite
WITH RECURSIVE known (vpc_id) AS ( SELECT min(vpc_id)
FROM operations
UNION ALL SELECT (SELECT min(t.vpc_id)
FROM operations t
WHERE t.vpc_id > known.vpc_id)
FROM known
WHERE known.vpc_id IS NOT NULL ),
vpcs AS MATERIALIZED (SELECT known.vpc_id
FROM known
WHERE true
AND (false OR known.vpc_id GLOB $1 OR known.vpc_id GLOB $2)),
page AS MATERIALIZED (SELECT found.value AS id
FROM vpcs v, json_each((SELECT json_group_array(id)
FROM (SELECT o.id
FROM operations o
WHERE true
AND o.vpc_id = v.vpc_id
AND o.status = $3
AND o.requested_by = $4
ORDER BY o.id DESC LIMIT $5))) found
ORDER BY found.value DESC LIMIT $6)
SELECT o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification
FROM page JOIN operations o ON o.id = page.id
ORDER BY o.id DESC
-- $1 = Text("vpc-prod-*")
-- $2 = Text("vpc_1")
-- $3 = Text("failed")
-- $4 = Text("alice")
-- $5 = Number(50)
-- $6 = Number(50)
-- planned each time
