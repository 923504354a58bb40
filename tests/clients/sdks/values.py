"""Two sets of values, each as every client writes and reads it."""

import json
from typing import Any

VPC, GATEWAY, TUNNEL = "vpc-03vihbk9", "vpngw-kfldykuz", "vpnx-branch01"


class Values:
    """The values of a tunnel's fields that both versions of the API have."""

    def __init__(self, patch: dict[str, Any], v2: dict[str, Any], v3: dict[str, Any]) -> None:
        self.patch = patch
        self.v2 = v2
        self.v3 = v3

    @property
    def policies(self) -> list[dict[str, Any]]:
        return self.patch["security_policies"]

    def ranges(self) -> tuple[set[str], set[str]]:
        """The ranges of the cloud's side, and those of the peer's."""
        peers = {peer for policy in self.policies for peer in policy["peer_cidrs"]}
        return {policy["local_cidr"] for policy in self.policies}, peers

    def call_v2(self) -> dict[str, Any]:
        """The parameters of `ModifyVpnConnEx`."""
        acl = {policy["local_cidr"]: policy["peer_cidrs"] for policy in self.policies}
        ids = {"vpcId": VPC, "vpnGwId": GATEWAY, "vpnConnId": TUNNEL}
        sets = {"IKESet": [self.v2["ike"]], "IPsecSet": [self.v2["ipsec"]]}
        head = {"vpnConnName": self.patch["name"], "preSharedKey": self.patch["pre_shared_key"]}
        return ids | head | sets | {"spdAcl": json.dumps(acl), "encryptAlgorithm": self.v2["encryptAlgorithm"]}

    def call_v3(self) -> dict[str, Any]:
        """The parameters of `ModifyVpnConnectionAttribute`."""
        head = {
            "VpnConnectionId": TUNNEL,
            "VpnConnectionName": self.patch["name"],
            "PreShareKey": self.patch["pre_shared_key"],
        }
        return head | {"SecurityPolicyDatabases": self.rules_v3()} | self.v3

    def rules_v3(self) -> list[dict[str, Any]]:
        return [
            {"LocalCidrBlock": policy["local_cidr"], "RemoteCidrBlock": policy["peer_cidrs"]}
            for policy in self.policies
        ]


FIRST = Values(
    {
        "name": "größe",
        "pre_shared_key": "first!@#key",
        "security_policies": [
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16", "172.18.0.0/16"]},
            {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]},
        ],
        "ike": {
            "encryption_algorithm": "aes-cbc-192",
            "authentication_algorithm": "md5",
            "exchange_mode": "aggressive",
            "local_identity": {"type": "fqdn", "fqdn": "hq.example.com"},
            "remote_identity": {"type": "address", "address": "203.0.113.77"},
            "dh_group": "group5",
            "sa_lifetime_seconds": 604800,
        },
        "ipsec": {
            "encryption_algorithm": "none",
            "integrity_algorithm": "sha",
            "sa_lifetime_seconds": 180,
            "sa_lifetime_kilobytes": 2560,
            "pfs_dh_group": "none",
        },
    },
    {
        "ike": {
            "propoEncryAlgorithm": "aes-cbc-192",
            "propoAuthenAlgorithm": "md5",
            "exchangeMode": "aggressive",
            "localIdentity": "fqdn",
            "localFqdnName": "hq.example.com",
            "remoteIdentity": "address",
            "remoteAddress": "203.0.113.77",
            "dhGroupName": "group5",
            "ikeSaLifetimeSeconds": 604800,
        },
        "ipsec": {
            "integrityAlgorith": "sha",
            "ipsecSaLifetimeSeconds": 180,
            "ipsecSaLifetimeTraffic": 2560,
            "pfsDhGroup": "null",
        },
        "encryptAlgorithm": "null",
    },
    {
        "IKEOptionsSpecification": {
            "PropoEncryAlgorithm": "AES-CBC-192",
            "PropoAuthenAlgorithm": "MD5",
            "ExchangeMode": "AGGRESSIVE",
            "LocalIdentity": "FQDN",
            "LocalFqdnName": "hq.example.com",
            "RemoteIdentity": "ADDRESS",
            "RemoteAddress": "203.0.113.77",
            "DhGroupName": "GROUP5",
            "IKESaLifetimeSeconds": 604800,
        },
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "NULL",
            "IntegrityAlgorith": "SHA1",
            "IPSECSaLifetimeSeconds": 180,
            "IPSECSaLifetimeTraffic": 2560,
            "PfsDhGroup": "NULL",
        },
    },
)

SECOND = Values(
    {
        "name": "second tunnel",
        "pre_shared_key": "@second \"key\"",
        "security_policies": [{"local_cidr": "10.0.0.0/16", "peer_cidrs": ["192.168.0.0/24"]}],
        "ike": {
            "encryption_algorithm": "aes-cbc-256",
            "authentication_algorithm": "sha",
            "exchange_mode": "main",
            "local_identity": {"type": "address", "address": "203.0.113.10"},
            "remote_identity": {"type": "fqdn", "fqdn": "branch.example.com"},
            "dh_group": "group14",
            "sa_lifetime_seconds": 60,
        },
        "ipsec": {
            "encryption_algorithm": "aes-cbc-128",
            "integrity_algorithm": "md5",
            "sa_lifetime_seconds": 604800,
            "sa_lifetime_kilobytes": 604800,
            "pfs_dh_group": "dh-group24",
        },
    },
    {
        "ike": {
            "propoEncryAlgorithm": "aes-cbc-256",
            "propoAuthenAlgorithm": "sha",
            "exchangeMode": "main",
            "localIdentity": "address",
            "localAddress": "203.0.113.10",
            "remoteIdentity": "fqdn",
            "remoteFqdnName": "branch.example.com",
            "dhGroupName": "group14",
            "ikeSaLifetimeSeconds": 60,
        },
        "ipsec": {
            "integrityAlgorith": "md5",
            "ipsecSaLifetimeSeconds": 604800,
            "ipsecSaLifetimeTraffic": 604800,
            "pfsDhGroup": "dh-group24",
        },
        "encryptAlgorithm": "aes-cbc-128",
    },
    {
        "IKEOptionsSpecification": {
            "PropoEncryAlgorithm": "AES-CBC-256",
            "PropoAuthenAlgorithm": "SHA",
            "ExchangeMode": "MAIN",
            "LocalIdentity": "ADDRESS",
            "LocalAddress": "203.0.113.10",
            "RemoteIdentity": "FQDN",
            "RemoteFqdnName": "branch.example.com",
            "DhGroupName": "GROUP14",
            "IKESaLifetimeSeconds": 60,
        },
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "AES-CBC-128",
            "IntegrityAlgorith": "MD5",
            "IPSECSaLifetimeSeconds": 604800,
            "IPSECSaLifetimeTraffic": 604800,
            "PfsDhGroup": "DH-GROUP24",
        },
    },
)
