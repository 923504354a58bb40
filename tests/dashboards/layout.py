"""Checks the dashboards without running a query: the form that Grafana expects, the layout, and that the files fit every
Grafana (no data source, time zone or uid of ours)."""
import itertools
import json
import pathlib
import re
import sys

from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

import grafana

ROOT = pathlib.Path(__file__).parents[2]
DASHBOARDS = ("metrics", "audit")
# Ids of units in Grafana; a wrong one is shown as text behind the number.
UNITS = {"none", "short", "s", "bytes", "percentunit", "reqps", "ops", "opm", "cps"}
faults = []


def fault(text):
    faults.append(text)


def lost(given, kept, at=""):
    """What Grafana's own types do not keep of a dashboard: misspelled names, and values of the wrong kind."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if value is None or value == {} or value == []:
                continue
            if key not in kept:
                yield f"{at}.{key}"
            else:
                yield from lost(value, kept[key], f"{at}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for n, (a, b) in enumerate(zip(given, kept)):
            yield from lost(a, b, f"{at}[{n}]")
    elif given != kept:
        yield f"{at}: {given!r} became {kept!r}"


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def members(value, name):
    if isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            yield from members(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from members(item, name)


def overlap(a, b):
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def check(name, dashboard):
    for place in lost(dashboard, json.loads(encoder.JSONEncoder().encode(Dashboard.from_json(dashboard)))):
        fault(f"{name}: Grafana has no {place}")
    if dashboard["schemaVersion"] != 39:
        fault(f"{name}: schemaVersion is not 39, that of Grafana 10.4, the oldest that docs/dashboards.md names")
    if dashboard["timezone"] != "utc":
        fault(f"{name}: the times are not UTC")
    if "uid" in dashboard or "id" in dashboard or "__inputs" in dashboard:
        fault(f"{name}: an id of one Grafana, or a form that provisioning does not read")
    if {v["type"] for v in dashboard["templating"]["list"][:1]} != {"datasource"}:
        fault(f"{name}: the first variable is not the data source")
    kind = dashboard["templating"]["list"][0]["query"]
    for source in members(dashboard, "datasource"):
        if source != {"type": kind, "uid": "${datasource}"}:
            fault(f"{name}: a data source that is not the variable: {source}")
    for text in strings(dashboard):
        if "://" in text:
            fault(f"{name}: an address of one installation: {text}")

    every = dashboard["panels"]
    ids = [panel["id"] for panel in every]
    if len(ids) != len(set(ids)):
        fault(f"{name}: two panels have one id")
    titles = [panel["title"] for panel in every]
    if len(titles) != len(set(titles)):
        fault(f"{name}: two panels have one title")
    for panel in every:
        at = panel["gridPos"]
        if at["x"] < 0 or at["x"] + at["w"] > 24 or at["w"] < 1 or at["h"] < 1:
            fault(f"{name}: {panel['title']} is outside the grid")
    for a, b in itertools.combinations(every, 2):
        if overlap(a["gridPos"], b["gridPos"]):
            fault(f"{name}: {a['title']} and {b['title']} overlap")
    for panel in grafana.panels(dashboard):
        if not panel.get("description"):
            fault(f"{name}: {panel['title']} has no description")
        if [target["refId"] for target in panel["targets"]] != list("ABCDEFGH"[: len(panel["targets"])]):
            fault(f"{name}: {panel['title']}: the ids of its queries")
        given = [panel["fieldConfig"]["defaults"]["unit"]]
        for override in panel["fieldConfig"]["overrides"]:
            given += [p["value"] for p in override["properties"] if p["id"] == "unit"]
        for unit in set(given) - UNITS:
            fault(f"{name}: {panel['title']}: no unit {unit}")


def check_page(dashboards):
    """docs/dashboards.md has every panel, in its order and with no other."""
    page = (ROOT / "docs/dashboards.md").read_text()
    for name, dashboard in dashboards.items():
        section = page.split(f"`deploy/grafana/{name}.json`\n", 1)[1].split("\n## ", 1)[0]
        described = re.findall(r"^\| \*\*(.+?)\*\* \|", section, re.MULTILINE)
        titles = [panel["title"] for panel in grafana.panels(dashboard)]
        if described != titles:
            fault(f"docs/dashboards.md: {set(described) ^ set(titles) or 'another order'}")
        alerts = (ROOT / "docs/alerts.md").read_text()
        for alert in re.findall(r"Tunnelgate[A-Z]\w+", json.dumps(dashboard)):
            if f"\n## {alert}\n" not in alerts:
                fault(f"{name}: no alert {alert}")


plugins.register_default_plugins()
loaded = {name: grafana.load(name) for name in DASHBOARDS}
for name, dashboard in loaded.items():
    check(name, dashboard)
check_page(loaded)
for text in faults:
    print(text, file=sys.stderr)
sys.exit(bool(faults))
