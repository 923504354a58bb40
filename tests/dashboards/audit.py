"""Runs the queries of the audit dashboard against a ledger in PostgreSQL, with the role for Grafana.
usage: audit.py URL COUNTS      (COUNTS: the operations of each status, as JSON)"""
import csv
import datetime
import json
import os
import re
import subprocess
import sys

import grafana

url, counts = sys.argv[1], json.loads(sys.argv[2])
NOW = datetime.datetime.now(datetime.timezone.utc)
written = lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ")
UNTIL = written(NOW + datetime.timedelta(minutes=1))
END = "-- end of the answer"
faults = []


class Session:
    """A session of psql in a time zone."""

    def __init__(self, zone):
        self.process = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--csv", "--pset=null=∅", url], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"PGOPTIONS": f"-c timezone={zone}"})

    def __call__(self, text):
        """The columns and the rows."""
        self.process.stdin.write(f"{text};\n\\echo {END}\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != f"{END}\n":
            if not line:
                sys.exit(f"audit: psql ended: {''.join(lines)}")
            lines.append(line)
        if any(re.match("(psql:.*)?ERROR: ", line) for line in lines):
            raise ValueError("".join(lines).strip())
        rows = list(csv.reader(lines))
        if rows and len(rows[0]) != len(set(rows[0])):
            raise ValueError(f"two columns have one name: {rows[0]}")
        return rows[0] if rows else [], rows[1:]


def moment(value):
    """A time with its offset as a point in time; every other value as it is."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:\d\d)?", value):
        return datetime.datetime.fromisoformat(value)
    return value


def number(value):
    return value == "∅" or re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", value)


def check_series(title, panel, columns, rows):
    if columns[0] != "time":
        faults.append(f"{title}: the first column of a time series must be time")
        return
    times = [moment(row[0]) if "-" in row[0] else float(row[0]) for row in rows]
    if times != sorted(times):
        faults.append(f"{title}: the times are not in order")
    texts = [name for n, name in enumerate(columns) if n and not all(number(row[n]) for row in rows)]
    if not rows:
        return
    label = re.fullmatch(r"\$\{__field\.labels\.(\w+)\}", panel["fieldConfig"]["defaults"].get("displayName", ""))
    if texts != ([label[1]] if label else []):
        faults.append(f"{title}: the labels {texts} do not name the series")
    if len({tuple(row[: 1 + len(texts)]) for row in rows}) < len(rows):
        faults.append(f"{title}: two values for one time")


def run(panel, target, interpolate, start):
    text = grafana.macros(interpolate(target["rawSql"], grafana.sql), start, UNTIL)
    columns, rows = psql(text)
    # Now and ages differ between two runs.
    if "now()" not in text:
        _, elsewhere = elsewhere_psql(text)
        if [list(map(moment, row)) for row in rows] != [list(map(moment, row)) for row in elsewhere]:
            faults.append(f"{panel['title']}: depends on the time zone of the session")
    return columns, rows


def check_panel(panel, interpolate, start, must_have):
    values = []
    for target in panel["targets"]:
        title = f"{panel['title']} {target['refId']}"
        try:
            columns, rows = run(panel, target, interpolate, start)
        except ValueError as error:
            faults.append(f"{title}: {error}")
            continue
        if must_have and (not rows or all(value == "∅" for value in rows[0])):
            faults.append(f"{title}: no rows")
        if target["format"] == "time_series":
            check_series(title, panel, columns, rows)
        elif panel["type"] == "stat" and len(rows) != 1:
            faults.append(f"{title}: {len(rows)} rows for one value")
        named = set(columns).union(*rows)
        for override in panel["fieldConfig"]["overrides"]:
            if must_have and override["matcher"]["options"] not in named:
                faults.append(f"{title}: nothing is called {override['matcher']['options']}")
        values = rows
    return values


psql, elsewhere_psql = Session("UTC"), Session("Asia/Shanghai")
dashboard = grafana.load("audit")
variables = {}
for variable in dashboard["templating"]["list"][1:]:
    columns, rows = psql(variable["query"])
    variables[variable["name"]] = [row[0] for row in rows]
    if len(columns) != 1 or not rows:
        faults.append(f"the variable {variable['name']} finds {len(rows)} rows of {columns}")

EVERYTHING = dict.fromkeys(variables, "All")
DAY = written(NOW - datetime.timedelta(days=1))
panels = grafana.panels(dashboard)
shown = {}
for panel in panels:
    for interval in ("1m", "2h"):
        interpolate = grafana.Interpolation(dashboard, EVERYTHING, {"__interval": interval})
        shown[panel["title"]] = check_panel(panel, interpolate, DAY, must_have=True)
# One value of each variable, names that quotes would break, and an hour in which nothing happened.
for values in (variables | {name: found[:1] for name, found in variables.items()}, dict.fromkeys(variables, ["it's", "none"])):
    interpolate = grafana.Interpolation(dashboard, values, {"__interval": "1h"})
    for panel in panels:
        check_panel(panel, interpolate, UNTIL, must_have=False)

first = lambda title: int(float(shown[title][0][0]))
unfinished = sum(counts.get(status, 0) for status in ("pending", "running", "unknown"))
badly = sum(counts.get(status, 0) for status in ("diverged", "failed", "timed_out", "rejected"))
for title, expected in {
    "Changes requested": sum(counts.values()),
    "Succeeded": counts["succeeded"],
    "Ended otherwise": badly,
    "Unfinished now": unfinished,
    # Those of traffic.py, and one event that counts 40.
    "Refused for missing rights": 42,
    "Tunnels with drift now": 1,
}.items():
    if first(title) != expected:
        faults.append(f"{title}: {first(title)}, not {expected}")
for title, part in {
    "Changes": "ike.dh_group, peer_cidrs, pre_shared_key",
    "Reasons": "upstream_credentials",
    "Drift now": "vpnx-ol6bcqp0",
    "Refused changes": "limited",
    "Keys, losses, archives": "key_revoked",
}.items():
    if not any(part in value for row in shown[title] for value in row):
        faults.append(f"{title}: no {part}")

for name, expected in {"statement_timeout": "30s", "default_transaction_read_only": "on"}.items():
    if psql(f"SHOW {name}")[1] != [[expected]]:
        faults.append(f"the role's {name} is not {expected}")
# What a user of Grafana can do too.
psql("SET default_transaction_read_only = off")
for statement in (
    "DELETE FROM audit_events",
    "INSERT INTO operations SELECT * FROM operations",
    "UPDATE audit_events SET actor = 'x'",
    "SELECT * FROM api_key_tokens",
    "SELECT * FROM api_keys",
    "SELECT * FROM idempotency_keys",
    "SELECT audit_events_extend()",
    "CREATE TABLE notes (id int)",
):
    try:
        psql(statement)
        faults.append(f"the role may: {statement}")
    except ValueError as error:
        if "permission denied" not in str(error):
            faults.append(f"{statement}: {error}")

for text in dict.fromkeys(faults):
    print(f"audit: {text}", file=sys.stderr)
for session in (psql, elsewhere_psql):
    session.process.stdin.close()
    session.process.wait(10)
print(f"{sum(len(panel['targets']) for panel in panels)} queries, {len(variables)} variables")
sys.exit(bool(faults))
