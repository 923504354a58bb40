"""Values that only API 3.0 has, as its clients and tunnelgate write and read them."""

from typing import Any

from values import TUNNEL


class Only3:
    def __init__(self, patch: dict[str, Any], v3: dict[str, Any]) -> None:
        self.patch = patch
        self.v3 = v3

    def call_v3(self) -> dict[str, Any]:
        """The parameters of `ModifyVpnConnectionAttribute`."""
        return {"VpnConnectionId": TUNNEL} | self.v3


FIRST_3 = Only3(
    {
        "ike": {
            "version": "ikev2",
            "encryption_algorithm": "sm4",
            "authentication_algorithm": "sha-512",
            "exchange_mode": "main",
            "local_identity": {"type": "address", "address": "203.0.113.10"},
            "remote_identity": {"type": "address", "address": "203.0.113.20"},
            "dh_group": "group19",
            "sa_lifetime_seconds": 86400,
        },
        "ipsec": {
            "encryption_algorithm": "aes-gcm-256",
            "integrity_algorithm": "sm3",
            "sa_lifetime_seconds": 3600,
            "sa_lifetime_kilobytes": 4294967295,
            "pfs_dh_group": "dh-group21",
        },
        "dpd": {"enabled": True, "timeout_seconds": 45, "action": "restart"},
        "negotiation_type": "flow-trigger",
        "health_check": {
            "enabled": True,
            "local_ip": "169.254.128.1",
            "remote_ip": "169.254.128.2",
            "interval_ms": 1000,
            "timeout_ms": 5000,
            "failure_threshold": 8,
        },
        "customer_gateway_id": "cgw-other",
        "bgp": {"tunnel_cidr": "169.254.64.0/30", "local_ip": "169.254.64.1", "remote_ip": "169.254.64.2"},
    },
    {
        "IKEOptionsSpecification": {
            "IKEVersion": "IKEV2",
            "PropoEncryAlgorithm": "SM4",
            "PropoAuthenAlgorithm": "SHA-512",
            "ExchangeMode": "MAIN",
            "LocalIdentity": "ADDRESS",
            "LocalAddress": "203.0.113.10",
            "RemoteIdentity": "ADDRESS",
            "RemoteAddress": "203.0.113.20",
            "DhGroupName": "GROUP19",
            "IKESaLifetimeSeconds": 86400,
        },
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "AES256GCM128",
            "IntegrityAlgorith": "SM3",
            "IPSECSaLifetimeSeconds": 3600,
            "IPSECSaLifetimeTraffic": 4294967295,
            "PfsDhGroup": "DH-GROUP21",
        },
        "DpdEnable": 1,
        "DpdTimeout": "45",
        "DpdAction": "restart",
        "NegotiationType": "flowTrigger",
        "EnableHealthCheck": True,
        "HealthCheckLocalIp": "169.254.128.1",
        "HealthCheckRemoteIp": "169.254.128.2",
        "HealthCheckConfig": {"ProbeInterval": 1000, "ProbeTimeout": 5000, "ProbeThreshold": 8},
        "CustomerGatewayId": "cgw-other",
        "BgpConfig": {
            "TunnelCidr": "169.254.64.0/30",
            "LocalBgpIp": "169.254.64.1",
            "RemoteBgpIp": "169.254.64.2",
        },
    },
)

SECOND_3 = Only3(
    {
        "ike": {
            "version": "ikev1",
            "encryption_algorithm": "aes-gcm-128",
            "authentication_algorithm": "sha-256",
            "exchange_mode": "main",
            "local_identity": {"type": "address", "address": "203.0.113.10"},
            "remote_identity": {"type": "address", "address": "203.0.113.20"},
            "dh_group": "group16",
            "sa_lifetime_seconds": 3600,
        },
        "ipsec": {
            "encryption_algorithm": "sm4",
            "integrity_algorithm": "sha-384",
            "sa_lifetime_seconds": 7200,
            "sa_lifetime_kilobytes": 604801,
            "pfs_dh_group": "dh-group15",
        },
        "dpd": {"enabled": False, "timeout_seconds": 60, "action": "clear"},
        "negotiation_type": "passive",
        "health_check": {
            "enabled": False,
            "local_ip": "169.254.128.5",
            "remote_ip": "169.254.128.6",
            "interval_ms": 5000,
            "timeout_ms": 10,
            "failure_threshold": 3,
        },
        "customer_gateway_id": "cgw-simulated",
        "bgp": {"tunnel_cidr": "169.254.65.0/30", "local_ip": "169.254.65.2", "remote_ip": "169.254.65.1"},
    },
    {
        "IKEOptionsSpecification": {
            "IKEVersion": "IKEV1",
            "PropoEncryAlgorithm": "AES128GCM128",
            "PropoAuthenAlgorithm": "SHA-256",
            "ExchangeMode": "MAIN",
            "LocalIdentity": "ADDRESS",
            "LocalAddress": "203.0.113.10",
            "RemoteIdentity": "ADDRESS",
            "RemoteAddress": "203.0.113.20",
            "DhGroupName": "GROUP16",
            "IKESaLifetimeSeconds": 3600,
        },
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "SM4",
            "IntegrityAlgorith": "SHA-384",
            "IPSECSaLifetimeSeconds": 7200,
            "IPSECSaLifetimeTraffic": 604801,
            "PfsDhGroup": "DH-GROUP15",
        },
        "DpdEnable": 0,
        "DpdTimeout": "60",
        "DpdAction": "clear",
        "NegotiationType": "passive",
        "EnableHealthCheck": False,
        "HealthCheckLocalIp": "169.254.128.5",
        "HealthCheckRemoteIp": "169.254.128.6",
        "HealthCheckConfig": {"ProbeInterval": 5000, "ProbeTimeout": 10, "ProbeThreshold": 3},
        "CustomerGatewayId": "cgw-simulated",
        "BgpConfig": {
            "TunnelCidr": "169.254.65.0/30",
            "LocalBgpIp": "169.254.65.2",
            "RemoteBgpIp": "169.254.65.1",
        },
    },
)
