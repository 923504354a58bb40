"""Runs the queries of the metrics dashboard against a Prometheus that scrapes a gateway.
usage: metrics.py PROMETHEUS START END      (seconds since 1970)"""
import json
import pathlib
import re
import sys
import urllib.parse
import urllib.request

import promql_parser

import grafana

prometheus, start, end = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
ROOT = pathlib.Path(__file__).parents[2]
# What Prometheus itself adds to each series, and its own series.
OF_TARGETS = {"job", "instance"}
OWN = {"up": OF_TARGETS, "ALERTS": OF_TARGETS | {"alertname", "alertstate", "severity"}}
BUILTIN = {"__rate_interval": "5s", "__interval": "1s", "__range": "60s"}
faults = []


def api(path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
    with urllib.request.urlopen(url, timeout=20) as response:
        return json.load(response)["data"]


def documented():
    """Each series of docs/metrics.md with its labels, and the name in the page."""
    series = {}
    for row in (ROOT / "docs/metrics.md").read_text().splitlines():
        if not row.startswith("| `tunnelgate_"):
            continue
        name, kind, labels = [column.strip() for column in row.split("|")[1:4]]
        name, labels = name.strip("`"), set(re.findall(r"`(\w+)`", labels)) | OF_TARGETS
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(kind, [""])
        for suffix in suffixes:
            series[name + suffix] = (name, labels | ({"le"} if suffix == "_bucket" else set()))
    return series


SERIES = documented()


def parts(expression):
    """Every node below and including this one."""
    yield expression
    for name in ("expr", "lhs", "rhs", "args", "param", "vector_selector", "vs"):
        child = getattr(expression, name, None)
        for item in child if isinstance(child, list) else [child]:
            if item is not None and type(item).__module__.startswith("promql_parser"):
                yield from parts(item)


def check_names(title, text, used):
    nodes = list(parts(promql_parser.parse(text)))
    here = set()
    for node in nodes:
        if not isinstance(node, promql_parser.VectorSelector):
            continue
        if node.name not in SERIES and node.name not in OWN:
            faults.append(f"{title}: there is no metric {node.name}")
            continue
        base, labels = SERIES.get(node.name) or (node.name, OWN[node.name])
        used.add(base)
        here |= labels
        for matcher in node.matchers.matchers:
            if matcher.name not in labels | {"__name__"}:
                faults.append(f"{title}: {node.name} has no label {matcher.name}")
    if not any(isinstance(node, promql_parser.VectorSelector) for node in nodes):
        faults.append(f"{title}: no metric in {text}")
    for node in nodes:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            for label in set(node.modifier.labels) - here:
                faults.append(f"{title}: no metric of the query has the label {label}")


def has_data(result):
    """Series with at least one number."""
    points = lambda series: [value for _, value in series.get("values", [series.get("value")])]
    return [series["metric"] for series in result if any(value != "NaN" for value in points(series))]


def query(text, instant):
    if instant:
        return api("query", query=text, time=end)["result"]
    return api("query_range", query=text, start=start, end=end, step=1)["result"]


def check_panel(panel, interpolate, used):
    names = set()
    for target in panel["targets"]:
        text, title = interpolate(target["expr"], grafana.promql), f"{panel['title']} {target['refId']}"
        check_names(title, text, used)
        metrics = has_data(query(text, target["instant"]))
        if not metrics:
            faults.append(f"{title}: no data: {text}")
        if panel["type"] == "stat" and "legendFormat" not in target and len(metrics) > 1:
            faults.append(f"{title}: {len(metrics)} values without names")
        legend = target.get("legendFormat", "")
        names.add(legend)
        for label in re.findall(r"{{(\w+)}}", legend):
            if metrics and not all(label in metric for metric in metrics):
                faults.append(f"{title}: a series without the label {label} of its name")
        if len({re.sub(r"{{(\w+)}}", lambda f: metric.get(f[1], ""), legend) for metric in metrics}) < len(metrics) and legend:
            faults.append(f"{title}: two series have one name")
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] not in names:
            faults.append(f"{panel['title']}: nothing is called {override['matcher']['options']}")


def check_variables(dashboard, interpolate):
    """label_values(metric{…}, label) must find something."""
    for variable in dashboard["templating"]["list"][1:]:
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        selector = interpolate(found[1], grafana.promql)
        if not api(f"label/{found[2]}/values", **{"match[]": selector}):
            faults.append(f"the variable {variable['name']} finds nothing")


dashboard = grafana.load("metrics")
instance = api("query", query="tunnelgate_build_info")["result"][0]["metric"]["instance"]
selections = [
    {"job": ["tunnelgate"], "instance": "All", "account": "All"},
    {"job": ["tunnelgate"], "instance": [instance, "other:1"], "account": ["api-2", "api-3", "closed", "renamed"]},
]
used = set()
for values in selections:
    interpolate = grafana.Interpolation(dashboard, values, BUILTIN)
    check_variables(dashboard, interpolate)
    for panel in grafana.panels(dashboard):
        check_panel(panel, interpolate, used)

for group in api("rules")["groups"]:
    for rule in group["rules"]:
        if rule["health"] != "ok":
            faults.append(f"the rule {rule['name']}: {rule.get('lastError', rule['health'])}")

# Every metric is on the dashboard, or the page says why not.
page = (ROOT / "docs/dashboards.md").read_text().split("## Metrics without a panel\n", 1)[1].split("\n## ", 1)[0]
excepted = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
every = {name for name, _ in SERIES.values()}
for name in sorted(every - used - excepted):
    faults.append(f"{name} is on no panel, and docs/dashboards.md does not say why")
for name in sorted(excepted & used | excepted - every):
    faults.append(f"docs/dashboards.md: {name} is on a panel, or does not exist")
# The page of the metrics is right about this gateway.
scraped = {}
for metric in api("series", **{"match[]": '{__name__=~"tunnelgate_.+"}', "start": start, "end": end}):
    scraped.setdefault(metric["__name__"], set()).update(metric)
for series, (name, labels) in sorted(SERIES.items()):
    if series not in scraped:
        faults.append(f"{series} was never scraped: the traffic must bring it about")
    elif scraped[series] - {"__name__"} != labels:
        faults.append(f"{series} has the labels {sorted(scraped[series])}")
for text in dict.fromkeys(faults):
    print(f"metrics: {text}", file=sys.stderr)
print(f"{sum(len(p['targets']) for p in grafana.panels(dashboard))} queries, {len(used - set(OWN))} metrics")
sys.exit(bool(faults))
