"""Which metrics alert rules and the dashboard name, and whether a running cluster exposes them.

PromQL is parsed, not searched: every vector selector counts, wherever it stands.
"""

import json
import re

import promql_parser as promql

# Grafana puts a duration and label values here; any stand for all.
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


def selectors(expression):
    """The metric name of every vector selector in an expression."""
    found = []

    def walk(node):
        if isinstance(node, promql.VectorSelector):
            found.append(node.name)
        elif isinstance(node, promql.MatrixSelector):
            walk(node.vector_selector)
        elif isinstance(node, promql.BinaryExpr):
            walk(node.lhs)
            walk(node.rhs)
        elif isinstance(node, (promql.AggregateExpr, promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
            walk(node.expr)
        elif isinstance(node, promql.Call):
            for argument in node.args:
                walk(argument)
        elif not isinstance(node, (promql.NumberLiteral, promql.StringLiteral)):
            raise TypeError(f"{type(node).__name__} in {expression}")

    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    walk(promql.parse(expression))
    return found


def expressions(objects):
    """Every (where, expression) of rules and dashboards among the rendered objects."""
    for _, parsed in objects:
        if parsed["kind"] == "PrometheusRule":
            for group in parsed["spec"]["groups"]:
                for rule in group["rules"]:
                    yield f"alert {rule['alert']}", rule["expr"]
        elif parsed["kind"] == "ConfigMap":
            for file, text in parsed["data"].items():
                if not file.endswith(".json"):
                    continue
                dashboard = json.loads(text)
                for panel in dashboard["panels"]:
                    for target in panel.get("targets", []):
                        yield f"panel {panel['title']}", target["expr"]
                for variable in dashboard["templating"]["list"]:
                    if match := re.match(r"label_values\((.+), \w+\)$", str(variable.get("definition", ""))):
                        yield f"variable {variable['name']}", match[1]


def exposed(scrapes):
    """Names that texts in the exposition format describe, with the samples of histograms and counters."""
    names = set()
    for text in scrapes:
        for line in text.splitlines():
            if match := re.match(r"# TYPE (\S+) (\S+)", line):
                name, kind = match.groups()
                if kind in ("histogram", "gaugehistogram"):
                    names |= {name + "_bucket", name + "_sum", name + "_count"}
                elif kind == "counter":
                    names.add(name if name.endswith("_total") else name + "_total")
                elif kind == "info":
                    names.add(name if name.endswith("_info") else name + "_info")
                else:
                    names.add(name)
            elif match := re.match(r"([a-zA-Z_:][\w:]*)(\{| )", line):
                names.add(match[1])
    return names


def documented(text):
    """Names of the tables of docs/metrics.md, as they are queried."""
    names = set()
    for name, kind in re.findall(r"^\| `(billwatch_\w+)` \| (\w+) \|", text, flags=re.M):
        names |= {name + "_bucket", name + "_sum", name + "_count"} if kind == "histogram" else {name}
    return names


def unknown(objects, names):
    """What rules and dashboards name and these names lack."""
    for where, expression in expressions(objects):
        for name in selectors(expression):
            if name not in names:
                yield f"{where}: no metric {name}"
