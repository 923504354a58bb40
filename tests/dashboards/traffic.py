"""Gives every metric and every kind of event something to show: changes that end in every way, refusals, keys, a
configuration that becomes wrong, drift, an account that goes away. Prints what the audit log must then count, as JSON.
usage: traffic.py GATEWAY PID CONFIGURATION TOKEN LIMITED_TOKEN ELSEWHERE OTHER_TOKEN
(ELSEWHERE is a gateway with a ledger of its own before the same cloud)"""
import base64
import json
import os
import pathlib
import signal
import sys
import time
import urllib.error
import urllib.request

gateway, pid, configuration, token, limited, elsewhere, other = sys.argv[1:]
configuration = pathlib.Path(configuration)


def call(method, path, body=None, bearer=token, wait=0, at=gateway):
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    if wait:
        headers["prefer"] = f"wait={wait}"
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(at + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def change(tunnel, wait=20, bearer=token, at=gateway, **fields):
    ranges = {"peer_cidrs": [f"10.{n}.1.0/24"]} if (n := next(numbers)) else {}
    return call("PATCH", f"{tunnel}?reason=CHG-{n}", ranges | fields, bearer, wait, at)


def branch(name):
    return f"/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-{name}"


def metrics():
    with urllib.request.urlopen(gateway + "/metrics", timeout=10) as response:
        return response.read().decode()


def until(what, holds):
    for _ in range(400):
        if holds():
            return
        time.sleep(0.05)
    sys.exit(f"traffic: {what} did not happen within 20 seconds")


def reload(text):
    # A reader must never see half a file.
    new = configuration.with_suffix(".new")
    new.write_text(text)
    new.rename(configuration)
    os.kill(int(pid), signal.SIGHUP)


def expect(answer, code_wanted, **members):
    code, body = answer
    if code != code_wanted or any(body.get(name) != value for name, value in members.items()):
        sys.exit(f"traffic: {code} {body}, not {code_wanted} {members}")
    return body


numbers = iter(range(1, 250))
OFFICE = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0"
PROD = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1"

never_ends = expect(change(branch("task-never-ends"), wait=0), 202, status="running")["id"]
for _ in range(2):
    expect(change(OFFICE, ike={"dh_group": "group14"}, pre_shared_key="a-new-key"), 200, status="succeeded")
    expect(change(PROD), 200, status="succeeded")
    expect(change(branch("task-fails")), 200, status="failed")
    # The account's cloud is a closed port.
    expect(change("/vpcs/vpc-closed/gateways/vpngw-1/tunnels/vpnx-1"), 503)
    expect(call("PATCH", OFFICE, {"peer_cidrs": ["10.0.1.0/24"]}, bearer=limited), 403)
    expect(call("GET", "/operations", bearer="tg_unknown"), 401)
expect(change(branch("diverged")), 200, status="diverged")
expect(change(branch("credentials")), 502)
expect(change(branch("reset-after")), 200, status="succeeded")

# A token of the issuer, which can't be reached, and a token of no issuer.
for issuer in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
    parts = [{"alg": "RS256", "kid": "1"}, {"iss": issuer, "sub": "x", "aud": "tunnelgate", "exp": 4000000000}]
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    call("GET", "/operations", bearer=".".join(parts) + ".c2ln")

# One tunnel is changed elsewhere and set right, another stays changed.
SITE = "/vpcs/vpc-03vihbk9/gateways/vpngw-branches/tunnels/vpnx-site-001"
expect(change(SITE), 200, status="succeeded")
for tunnel in (OFFICE, SITE):
    expect(change(tunnel, bearer=other, at=elsewhere), 200, status="succeeded")
drift = lambda number: f'drift_tunnels{{account="api-2"}} {number}\n' in metrics()
until("drift of two tunnels", lambda: drift(2))
expect(change(SITE), 200, status="succeeded")
until("the end of a drift", lambda: drift(1))

right = configuration.read_text()
reload(right + "[[accounts]]\n")
until("the wrong configuration", lambda: "tunnelgate_config_last_reload_successful 0" in metrics())
# The account of an operation is gone, until the operation ends.
abandoned = expect(change(branch("strange-task-status"), wait=0), 202, status="running")["id"]
reload(right.replace('name = "api-2"', 'name = "renamed"'))
until("the missing account", lambda: 'operations_without_account{account="api-2"}' in metrics())
expect(change(PROD, dpd={"enabled": True, "action": "restart"}), 200, status="succeeded")
for operation in (never_ends, abandoned):
    until("a timeout", lambda: call("GET", f"/operations/{operation}")[1]["status"] == "timed_out")
reload(right)

status, counts = call("GET", "/operations?limit=200")
by_status = {}
for operation in counts["items"]:
    by_status[operation["status"]] = by_status.get(operation["status"], 0) + 1
print(json.dumps(by_status))
