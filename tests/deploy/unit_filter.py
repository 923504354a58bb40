"""Runs a command under the filters of a systemd unit, as systemd sets them: SystemCallFilter, RestrictAddressFamilies and
MemoryDenyWriteExecute. The command is a sandbox; it gets one change, and has to end it.

usage: unit_filter.py UNIT COMMAND...
"""
import ctypes
import os
import re
import subprocess
import sys
import time
import urllib.request

import seccomp

PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
TUNNEL = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0"


def settings(unit):
    found = {}
    for line in open(unit):
        name, separator, value = line.strip().partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def calls(groups):
    """The names of the system calls in groups, as this machine's systemd defines them."""
    names = set()
    for group in groups:
        if not group.startswith("@"):
            names.add(group)
            continue
        text = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True)
        members = [line.strip() for line in text.stdout.splitlines()[1:]]
        names |= calls([member for member in members if member and not member.startswith("#")])
    return names


def apply(unit):
    found = settings(unit)
    allowed = calls(["@default"])
    for value in found["SystemCallFilter"]:
        names = calls(value.removeprefix("~").split())
        allowed = allowed - names if value.startswith("~") else allowed | names
    rules = seccomp.SyscallFilter(seccomp.ERRNO(1))
    families = [getattr(__import__("socket"), name).value for name in found["RestrictAddressFamilies"][0].split()]
    for name in sorted(allowed):
        try:
            if name == "socket":
                for family in families:
                    rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.EQ, family))
            else:
                rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError, OSError):
            pass  # a call of another architecture, or newer than libseccomp
    if found["MemoryDenyWriteExecute"] == ["true"]:
        denied = ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)
        if denied != 0:
            print("this kernel can't deny writable and executable memory; not tried", file=sys.stderr)
    rules.load()


def main():
    unit, *command = sys.argv[1:]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=lambda: apply(unit))
    try:
        told = ""
        until = time.monotonic() + 60
        while "Ctrl-C" not in told:
            line = process.stdout.readline()
            told += line
            if not line or time.monotonic() > until:
                sys.exit(f"the command does not run under the filters of {unit}:\n{told}")
        address = re.search(r"http://127\.0\.0\.1:\d+", told).group()
        token = re.search(r"tg_\w+", told).group()
        request = urllib.request.Request(
            address + TUNNEL, b'{"peer_cidrs": ["10.100.2.0/24"]}', method="PATCH",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Prefer": "wait=20"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        answer = opener.open(request, timeout=30).read().decode()
        assert '"status":"succeeded"' in answer, answer
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0, f"exit code {code}"
    print("the binary works under the unit's filters")


main()
