-- What a change holds while it is not final: the VPC's and the tunnel's id in the form that the cloud prefers, so that
-- neither the older form of an id nor a path that leads nowhere makes two locks of one, or takes a foreign one.
ALTER TABLE operations ADD COLUMN lock_id text;
UPDATE operations SET lock_id = vpc_id || '/' || tunnel_id WHERE status IN ('pending', 'running', 'unknown');
DROP INDEX operations_one_at_a_time;
CREATE UNIQUE INDEX operations_one_at_a_time ON operations (lock_id)
    WHERE status IN ('pending', 'running', 'unknown');

-- Which key the fingerprints in `changes` were made with: those of another one can't be compared.
ALTER TABLE operations ADD COLUMN fingerprint_key_id text;
