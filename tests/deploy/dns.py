"""Exits with 1 if the network policies on standard input select no DNS server: pods labelled k8s-app=kube-dns."""
import sys

import yaml

DNS = {"k8s-app": "kube-dns"}


def selects(peer):
    selector = peer.get("podSelector")
    if selector is None:
        return False
    labels = all(DNS.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    needed = all(
        rule["operator"] == "In" and DNS.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )
    return labels and needed


def is_dns(rule):
    return any(port.get("port") == 53 for port in rule.get("ports", [])) and any(map(selects, rule.get("to", [])))


policies = [item for item in yaml.safe_load_all(sys.stdin) if item and item["kind"] == "NetworkPolicy"]
sys.exit(not policies or not all(any(map(is_dns, policy["spec"]["egress"])) for policy in policies))
