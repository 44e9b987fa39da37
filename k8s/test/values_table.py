"""The table of values in the chart's README, made from values.yaml: a comment `# -- text` describes the key that follows."""

import json
import re

import yaml

import chart

README = chart.CHART / "README.md"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"
KEY = re.compile(r"^( *)([A-Za-z]+):")
TEXT = re.compile(r"^ *# -- (.*)$")


def described(text):
    """Every (dotted key, description) in order; a key below a described one is part of its value."""
    path, waiting, found = [], None, []
    for line in text.splitlines():
        if match := TEXT.match(line):
            waiting = match[1]
        elif match := KEY.match(line):
            depth = len(match[1]) // 2
            path = path[:depth] + [match[2]]
            if waiting:
                found.append((".".join(path), waiting))
            waiting = None
    return found


def leaves(values, path=()):
    """Every dotted key whose value is no map, or an empty one."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield ".".join(path)


def undescribed():
    """Keys of values.yaml that no description covers."""
    text = (chart.CHART / "values.yaml").read_text()
    keys = [key for key, _ in described(text)]
    return [leaf for leaf in leaves(yaml.safe_load(text)) if not any(leaf == key or leaf.startswith(key + ".") for key in keys)]


def table():
    text = (chart.CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    rows = ["| value | default | what it is |\n|---|---|---|\n"]
    for key, words in described(text):
        value = values
        for step in key.split("."):
            value = value[step]
        rows.append(f"| `{key}` | `{json.dumps(value, ensure_ascii=False)}` | {words} |\n")
    return "".join(rows)


def with_table(readme):
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after
