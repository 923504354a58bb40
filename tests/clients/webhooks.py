"""A receiver that checks every message with the Python library of Standard Webhooks.

Takes the binary. Runs it beside a simulated cloud, changes a tunnel, and expects the events of the change.
"""

import base64
import http.server
import json
import os
import pathlib
import queue
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from standardwebhooks import Webhook, WebhookVerificationError

BINARY = sys.argv[1]
SECRETS = [f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" for _ in range(2)]
OTHER = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
PATIENCE = 60
messages: queue.Queue = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = dict(self.headers.items())
        verified = [Webhook(secret).verify(body, headers) for secret in SECRETS]
        assert verified[0] == verified[1]
        for secret, altered in ((OTHER, body), (SECRETS[0], body.replace(b"type", b"tipe", 1))):
            try:
                Webhook(secret).verify(altered, headers)
            except WebhookVerificationError:
                continue
            raise AssertionError("a forged message is accepted")
        self.send_response(204)
        self.end_headers()
        messages.put((headers["webhook-id"], verified[0]))

    def log_message(self, *_: object) -> None:
        pass


def start(folder: pathlib.Path, name: str, args: list[str], env: dict[str, str]) -> tuple[subprocess.Popen, str]:
    log = folder / name
    with log.open("wb") as output:
        process = subprocess.Popen([BINARY, *args], cwd=folder, env=env, stdout=output, stderr=output)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"127\.0\.0\.1:\d+", log.read_text()):
            return process, found.group()
        time.sleep(0.05)
    raise AssertionError(f"{name} does not start: {log.read_text()}")


def run(folder: pathlib.Path, args: list[str], env: dict[str, str]) -> str:
    done = subprocess.run([BINARY, *args], cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
    return done.stdout.strip()


def receive(kind: str) -> list[tuple[str, dict]]:
    """The messages up to one of this type."""
    received = []
    while not received or received[-1][1]["type"] != kind:
        received.append(messages.get(timeout=PATIENCE))
    return received


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "hook").write_text("\n".join(SECRETS) + "\n")
        (folder / "tunnelgate.toml").write_text(
            f'[[webhooks]]\nname = "python"\nurl = "http://127.0.0.1:{server.server_port}/"\nsecret_file = "hook"\n'
        )
        env = {
            "PATH": os.environ["PATH"],
            "TENCENTCLOUD_SECRET_ID": "AKIDCONTRACT",
            "TENCENTCLOUD_SECRET_KEY": "webhooks-secret-key",
            "TENCENTCLOUD_REGION": "ap-guangzhou",
            "TUNNELGATE_POLL_INTERVAL": "100ms",
            "DATABASE_URL": f"sqlite:{folder / 'ledger.db'}",
            "TUNNELGATE_CONFIG": "tunnelgate.toml",
        }
        assert "taken" in run(folder, ["webhooks", "test", "python"], env)
        receive("webhook.test")
        processes = []
        try:
            args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", "100ms"]
            cloud, address = start(folder, "cloud", args, env)
            processes.append(cloud)
            env["TUNNELGATE_UPSTREAM_URL"] = f"http://{address}/v2/index.php"
            gateway, address = start(folder, "gateway", ["serve", "--listen", "127.0.0.1:0"], env)
            processes.append(gateway)
            token = run(folder, ["keys", "create", "--name", "python", "--scope", "tunnels:write"], env)
            request = urllib.request.Request(
                f"http://{address}/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-branch01",
                data=json.dumps({"name": "上海 ü", "peer_cidrs": ["10.100.2.0/24"]}, ensure_ascii=False).encode(),
                method="PATCH",
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                operation = json.load(answer)
            received = receive("operation.succeeded")
            kinds = [message["type"] for _, message in received]
            assert kinds == ["key.created", "operation.requested", "operation.submitted", "operation.succeeded"], kinds
            for id_, message in received:
                assert id_ == message["data"]["event"]["id"], message
            assert received[-1][1]["data"]["operation"]["id"] == operation["id"]
        finally:
            for process in processes:
                process.terminate()
                process.wait(timeout=PATIENCE)
    print(f"webhooks: {len(received)} messages verified with both secrets")


main()
