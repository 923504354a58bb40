"""Dashboards as Grafana reads them: their panels and queries, and the text that a data source receives."""
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).parents[2] / "deploy/grafana"


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def panels(dashboard):
    """Every panel but the rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


class Interpolation:
    """Replaces variables as Grafana does. `values` has the selection of each variable: a list, or "All".
    `builtin` has Grafana's own, such as `__interval`."""

    def __init__(self, dashboard, values, builtin):
        self.variables = {v["name"]: v for v in dashboard["templating"]["list"]}
        self.values, self.builtin = values, builtin

    def __call__(self, text, formatted):
        def replace(found):
            name, form = found["name"] or found["bare"], found["format"]
            if name in self.builtin:
                return self.builtin[name]
            variable, value = self.variables[name], self.values[name]
            if value == "All":
                # The custom value of "All" is inserted as it is, whatever the format.
                return variable["allValue"]
            return formatted(form, value)

        return re.sub(r"\$\{(?P<name>\w+)(?::(?P<format>\w+))?\}|\$(?P<bare>\w+)(?!\()\b(?!\()", replace, text)


def promql(form, value):
    """The default format of the Prometheus data source."""
    assert form is None, f"no format but the default is known here: {form}"
    escaped = [re.sub(r"[\\^$*+?.()|{}\[\]]", r"\\\\\g<0>", item) for item in value]
    return escaped[0] if len(escaped) == 1 else "(" + "|".join(escaped) + ")"


def sql(form, value):
    assert form == "sqlstring", f"a variable in SQL needs the format sqlstring: {value}"
    return ",".join("'" + item.replace("'", "''") + "'" for item in value)


def seconds(interval):
    number, unit = re.fullmatch(r"'?(\d+)([smhd])'?", interval.strip()).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


def macros(text, start, end):
    """Expands the macros of the PostgreSQL data source. `start` and `end` are the time range, RFC 3339 in UTC."""

    def group(arguments):
        assert len(arguments) == 2, arguments
        width = seconds(arguments[1])
        return f"floor(extract(epoch from {arguments[0]})/{width})*{width}"

    known = {
        "__time": lambda a: f'{a[0]} AS "time"',
        "__timeFilter": lambda a: f"{a[0]} BETWEEN '{start}' AND '{end}'",
        "__timeFrom": lambda a: f"'{start}'",
        "__timeTo": lambda a: f"'{end}'",
        "__timeGroup": group,
        "__timeGroupAlias": lambda a: f'{group(a)} AS "time"',
    }

    def replace(found):
        return known[found[1]]([argument.strip() for argument in found[2].split(",")])

    # Grafana's own pattern: an argument can't contain parentheses.
    expanded = re.sub(r"\$(\w+)\(([^)]*)\)", replace, text)
    assert "$" not in expanded, expanded
    return expanded
