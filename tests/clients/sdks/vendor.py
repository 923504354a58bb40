"""The vendor's own clients: the SDK of API 2.0, the SDK of API 3.0, and tccli. Each changes a tunnel, waits for the end of
the change, and reads the tunnel."""

import json
import os
import subprocess
import sys
import time
from typing import Any

from QcloudApi.qcloudapi import QcloudApi
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.vpc.v20170312 import models
from tencentcloud.vpc.v20170312.vpc_client import VpcClient

from only_3 import Only3
from values import TUNNEL, Values

REGION = "ap-guangzhou"
PATIENCE = 60.0


def until_ended(is_running: Any) -> None:
    end = time.monotonic() + PATIENCE
    while is_running():
        assert time.monotonic() < end, "the task does not end"
        time.sleep(0.05)


def assert_has(shown: dict[str, Any], expected: dict[str, Any], place: str) -> None:
    """`shown` may have more members than `expected`, but not others."""
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_has(shown[name], value, f"{place}.{name}")
        else:
            assert shown[name] == value, f"{place}.{name} is {shown[name]!r} and not {value!r}"


class Sdk2:
    """qcloudapi-sdk-python."""

    name = "the SDK of API 2.0"

    def __init__(self, cloud: str, secret_id: str, secret_key: str, signature_method: str = "HmacSHA1") -> None:
        settings = {"secretId": secret_id, "secretKey": secret_key, "Region": "gz", "method": "POST"}
        # A product that the SDK does not know takes its host from the settings.
        self.api = QcloudApi("vpn", settings | {"endpoint": cloud, "SignatureMethod": signature_method})

    def call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer = json.loads(self.api.call(action, parameters))
        assert str(answer["code"]) == "0", answer
        return answer

    def change(self, values: Values) -> None:
        task = {"taskId": self.call("ModifyVpnConnEx", values.call_v2())["data"]["taskId"]}
        until_ended(lambda: self.call("DescribeVpcTaskResult", task)["data"]["status"] == 2)

    def check(self, values: Values) -> None:
        shown = self.call("DescribeVpnConn", {"vpnConnId": TUNNEL})["data"][0]
        locals_, peers = values.ranges()
        assert (set(shown["sourceCidr"]), set(shown["destinationCidr"])) == (locals_, peers), shown
        assert shown["vpnConnName"] == values.patch["name"], shown
        assert shown["preSharedKey"] == values.patch["pre_shared_key"], shown
        # Answers have numbers as text, and `sha1` for `sha`.
        ipsec = dict(values.v2["ipsec"], encryptAlgorithm=values.v2["encryptAlgorithm"])
        if ipsec["integrityAlgorith"] == "sha":
            ipsec["integrityAlgorith"] = "sha1"
        as_text = {name: str(value) for name, value in values.v2["ike"].items()}
        assert_has(shown["IKEArr"], as_text, "IKEArr")
        assert_has(shown["IPSECArr"], {name: str(value) for name, value in ipsec.items()}, "IPSECArr")


def check_v3(shown: dict[str, Any], values: Values) -> None:
    expected = {"VpnConnectionName": values.patch["name"], "PreShareKey": values.patch["pre_shared_key"]}
    assert_has(shown, expected | values.v3, "VpnConnection")
    locals_, peers = values.ranges()
    rules = shown["SecurityPolicyDatabaseSet"]
    assert {rule["LocalCidrBlock"] for rule in rules} == locals_, rules
    assert {peer for rule in rules for peer in rule["RemoteCidrBlock"]} == peers, rules


class Sdk3:
    """tencentcloud-sdk-python-vpc."""

    name = "the SDK of API 3.0"

    def __init__(self, cloud: str, secret_id: str, secret_key: str) -> None:
        profile = ClientProfile(httpProfile=HttpProfile(endpoint=cloud))
        self.client = VpcClient(Credential(secret_id, secret_key), REGION, profile)

    def modify(self, parameters: dict[str, Any]) -> None:
        request = models.ModifyVpnConnectionAttributeRequest()
        request.from_json_string(json.dumps(parameters))
        task = models.DescribeVpcTaskResultRequest()
        task.TaskId = self.client.ModifyVpnConnectionAttribute(request).RequestId
        until_ended(lambda: self.client.DescribeVpcTaskResult(task).Status == "RUNNING")

    def change(self, values: Values | Only3) -> None:
        self.modify(values.call_v3())

    def read(self) -> dict[str, Any]:
        request = models.DescribeVpnConnectionsRequest()
        request.VpnConnectionIds = [TUNNEL]
        answer = self.client.DescribeVpnConnections(request)
        assert answer.TotalCount == 1, answer
        return json.loads(answer.VpnConnectionSet[0].to_json_string())

    def check(self, values: Values) -> None:
        check_v3(self.read(), values)

    def check_only_3(self, values: Only3) -> None:
        assert_has(self.read(), values.v3, "VpnConnection")


class Tccli:
    """The vendor's command line."""

    name = "tccli"

    def __init__(self, cloud: str, secret_id: str, secret_key: str, home: str) -> None:
        program = os.path.join(os.path.dirname(sys.executable), "tccli")
        self.command = [program, "vpc"]
        self.options = ["--secretId", secret_id, "--secretKey", secret_key, "--region", REGION, "--endpoint", cloud]
        # It writes a log and its settings into the home folder.
        self.environment = dict(os.environ, HOME=home)

    def call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        given: list[str] = []
        for name, value in parameters.items():
            given += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
        command = [*self.command, action, *given, *self.options]
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    def change(self, values: Values | Only3) -> None:
        task = {"TaskId": self.call("ModifyVpnConnectionAttribute", values.call_v3())["RequestId"]}
        until_ended(lambda: self.call("DescribeVpcTaskResult", task)["Status"] == "RUNNING")

    def read(self) -> dict[str, Any]:
        return self.call("DescribeVpnConnections", {"VpnConnectionIds": [TUNNEL]})["VpnConnectionSet"][0]

    def check(self, values: Values) -> None:
        check_v3(self.read(), values)

    def check_only_3(self, values: Only3) -> None:
        assert_has(self.read(), values.v3, "VpnConnection")
