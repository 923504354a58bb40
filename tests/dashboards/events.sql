-- Events that a gateway writes only after a while: refusals that one event counts, an archived segment.
INSERT INTO audit_events (seq, format, id, occurred_at, event, operation_id, actor, actor_kind, vpc_id, gateway_id, tunnel_id,
    account, region, api, changes, before, prev_hash, hash)
SELECT (SELECT seq FROM chain_head) + n, 1, gen_random_uuid(), CURRENT_TIMESTAMP, event, operation_id, actor, kind, vpc_id, gateway_id, tunnel_id,
    account, region, api, changes::jsonb, before::jsonb, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex')
FROM (VALUES
    (1, 'denied', 'limited', 'api_key', 'vpnx-ol6bcqp0', '{"refusals": 40}', NULL),
    (2, 'log_archived', 'command line', 'system', NULL, '{"archived": {"first_seq": 1, "last_seq": 5000000}}', NULL)
) AS written (n, event, actor, kind, tunnel_id, changes, before)
LEFT JOIN LATERAL (
    SELECT id AS operation_id, vpc_id, gateway_id, account, region, api FROM operations
    WHERE status = 'succeeded' AND tunnel_id IS NOT NULL ORDER BY id LIMIT 1
) AS operation ON written.tunnel_id IS NOT NULL;
