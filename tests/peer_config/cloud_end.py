"""Writes the cloud's end of a tunnel as swanctl.conf: from what `GET` of the tunnel shows, read on standard input, and its key.

It shares nothing with the gateway's own configurations: an error in their words or sides would fit itself.
"""

import base64
import json
import sys

IKE_CIPHERS = {"aes-cbc-256": "aes256", "aes-cbc-128": "aes128", "aes-gcm-256": "aes256gcm16"}
ESP_CIPHERS = IKE_CIPHERS
HASHES = {"md5": "md5", "sha": "sha1", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
GROUPS = {"group14": "modp2048", "group19": "ecp256", "group20": "ecp384"}
PFS = {"dh-group14": "modp2048", "dh-group19": "ecp256", "dh-group20": "ecp384"}


def identity(shown):
    return shown["address"] if shown["type"] == "address" else "@" + shown["fqdn"]


def proposals(tunnel):
    ike, ipsec = tunnel["ike"], tunnel["ipsec"]
    cipher, digest = IKE_CIPHERS[ike["encryption_algorithm"]], HASHES[ike["authentication_algorithm"]]
    digest = "prf" + digest if "gcm" in cipher else digest
    phase_1 = "-".join([cipher, digest, GROUPS[ike["dh_group"]]])
    parts = [ESP_CIPHERS[ipsec["encryption_algorithm"]]]
    if "gcm" not in parts[0]:
        parts.append(HASHES[ipsec["integrity_algorithm"]])
    if ipsec["pfs_dh_group"] != "none":
        parts.append(PFS[ipsec["pfs_dh_group"]])
    return phase_1, "-".join(parts)


def children(tunnel):
    """The ranges of each child: the cloud's and the peer's."""
    policies = tunnel["security_policies"]
    if policies is None:
        policies = [{"local_cidr": own, "peer_cidrs": tunnel["peer_cidrs"]} for own in tunnel["local_cidrs"]]
    if tunnel["ike"]["version"] == "ikev2":
        return [(policy["local_cidr"], ", ".join(policy["peer_cidrs"])) for policy in policies]
    return [(policy["local_cidr"], peer) for policy in policies for peer in policy["peer_cidrs"]]


def main():
    tunnel, (gateway, peer, key) = json.load(sys.stdin), sys.argv[1:]
    ike, ipsec, dpd = tunnel["ike"], tunnel["ipsec"], tunnel["dpd"] or {}
    phase_1, phase_2 = proposals(tunnel)
    own, other = identity(ike["local_identity"]), identity(ike["remote_identity"])
    version = {"ikev1": 1, "ikev2": 2, None: 1}[ike["version"]]
    print("connections {\n  cloud {")
    print(f"    version = {version}\n    local_addrs = {gateway}\n    remote_addrs = {peer}\n    proposals = {phase_1}")
    print(f"    rekey_time = {ike['sa_lifetime_seconds']}s")
    # ESP in user space is always inside UDP.
    print("    encap = yes")
    if ike["exchange_mode"] == "aggressive" and version == 1:
        print("    aggressive = yes")
    if dpd.get("enabled"):
        print(f"    dpd_delay = {dpd['timeout_seconds']}s")
    print(f"    local {{\n      auth = psk\n      id = {own}\n    }}")
    print(f"    remote {{\n      auth = psk\n      id = {other}\n    }}\n    children {{")
    for number, (local, remote) in enumerate(children(tunnel)):
        print(f"      c{number} {{\n        local_ts = {local}\n        remote_ts = {remote}")
        print(f"        esp_proposals = {phase_2}\n        life_time = {ipsec['sa_lifetime_seconds']}s\n      }}")
    print("    }\n  }\n}")
    secret = base64.b64encode(key.encode()).decode()
    print(f"secrets {{\n  ike-cloud {{\n    id-1 = {own}\n    id-2 = {other}\n    secret = 0s{secret}\n  }}\n}}")


main()
