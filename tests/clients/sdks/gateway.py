"""tunnelgate, between its consumers and the simulated cloud."""

import json
import urllib.request
import uuid
from typing import Any

from only_3 import Only3
from values import GATEWAY, TUNNEL, VPC, Values


class Gateway:
    def __init__(self, name: str, base: str, token: str) -> None:
        self.name = name
        self.url = f"{base}/vpcs/{VPC}/gateways/{GATEWAY}/tunnels/{TUNNEL}"
        self.token = token

    def call(self, method: str, body: dict[str, Any] | None, headers: dict[str, str]) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in headers.items():
            request.add_header(name, value)
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)

    def patch(self, body: dict[str, Any]) -> None:
        headers = {"Prefer": "wait=55", "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        operation = self.call("PATCH", body, headers)
        assert operation["status"] == "succeeded", operation
        # API 2.0 shows the ranges of several policies, but not which belong together.
        hidden = {"result": "unavailable", "reason": "the cloud does not show /security_policies"}
        assert operation["verification"] in ({"result": "confirmed"}, hidden), operation

    def change(self, values: Values | Only3) -> None:
        self.patch(values.patch)

    def read(self) -> dict[str, Any]:
        return self.call("GET", None, {})

    def check(self, values: Values) -> None:
        shown = self.read()
        locals_, peers = values.ranges()
        assert (set(shown["local_cidrs"]), set(shown["peer_cidrs"])) == (locals_, peers), shown
        assert shown["name"] == values.patch["name"], shown
        for group in ("ike", "ipsec"):
            for field, value in values.patch[group].items():
                assert shown[group][field] == value, f"{group}.{field} is {shown[group][field]!r} and not {value!r}"

    def check_only_3(self, values: Only3) -> None:
        shown = self.read()
        for field, value in values.patch.items():
            members = value if isinstance(value, dict) else {field: value}
            place = shown[field] if isinstance(value, dict) else shown
            for name, wanted in members.items():
                assert place[name] == wanted, f"{field}.{name} is {place[name]!r} and not {wanted!r}"
