-- What one PATCH writes, one request at a time: two transactions, the chain's head included.
\set n random(1, 9000000000000000)
BEGIN;
SELECT seq FROM chain_head FOR UPDATE \gset
INSERT INTO operations (id, status, lock_id, vpc_id, gateway_id, tunnel_id, changes, fingerprint_key_id, requested_by,
                        actor_kind, request_id, created_at, updated_at)
VALUES (gen_random_uuid(), 'pending', 'vpc-bench/vpnx-' || :n, 'vpc-bench', 'vpngw-bench', 'vpnx-' || :n, '{"peer_cidrs": ["10.100.2.0/24"],
        "pre_shared_key": {"hmac_sha256": "10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e"}}',
        '5f1d7a84c5ae4b1c', 'bench', 'api_key', '01a21282-8665-746f-952c-1b2913735d9a', now(), now()) RETURNING id \gset
INSERT INTO tracking (operation_id, due_at) VALUES (:id::uuid, now() + interval '1 hour');
INSERT INTO audit_events (seq, id, occurred_at, event, operation_id, actor, actor_kind, source_ip, request_id, vpc_id,
                          gateway_id, tunnel_id, changes, prev_hash, hash)
VALUES (:seq::bigint + 1, gen_random_uuid(), now(), 'requested', :id::uuid, 'bench', 'api_key', '127.0.0.1',
        '01a21282-8665-746f-952c-1b2913735d9a', 'vpc-bench', 'vpngw-bench', 'vpnx-' || :n, '{"peer_cidrs":
        ["10.100.2.0/24"], "pre_shared_key": {"hmac_sha256":
        "10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e"}}',
        '\x10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e',
        '\x10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e');
UPDATE chain_head SET seq = :seq::bigint + 1,
       hash = '\x10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e';
COMMIT;
BEGIN;
SELECT seq FROM chain_head FOR UPDATE \gset
UPDATE operations SET status = 'running', task_id = '12614', updated_at = now()
WHERE id = :id::uuid AND status = 'pending';
UPDATE tracking SET due_at = now() + interval '1 hour' WHERE operation_id = :id::uuid AND fence = 0;
INSERT INTO audit_events (seq, id, occurred_at, event, operation_id, actor, actor_kind, source_ip, request_id, vpc_id,
                          gateway_id, tunnel_id, upstream, prev_hash, hash)
VALUES (:seq::bigint + 1, gen_random_uuid(), now(), 'submitted', :id::uuid, 'bench', 'api_key', '127.0.0.1',
        '01a21282-8665-746f-952c-1b2913735d9a', 'vpc-bench', 'vpngw-bench', 'vpnx-' || :n, '{"action":
        "ModifyVpnConnEx", "code": "0", "task_id": "12614", "attempts": 1, "latency_ms": 1, "message": null,
        "code_desc": null}', '\x10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e',
        '\x10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e');
UPDATE chain_head SET seq = :seq::bigint + 1,
       hash = '\x10ade1a4aa9b33fa0333c1c6fb5ff86da936d1a3f8f350bcbd856a82cedace6e';
COMMIT;
