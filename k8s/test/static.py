#!/usr/bin/env python3
"""Everything that can be said of the chart without running it. Prints a line a check; exits 1 if one failed.
"""

import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import kubernetes_validate
import yaml

import chart
import metric_names
import policy
import values_table

VERSIONS = ("1.30", "1.33", "1.37")
REPOSITORY = chart.TEST.parent.parent
# Values that must not render, and a word of the message that says why.
REFUSED = [
    ("worker.replicas=3", "additional properties 'worker' not allowed"),
    ("workers.replica=3", "additional properties 'replica' not allowed"),
    ("workers.replicas=0", "/workers/replicas"),
    ("workers.replicas=65", "/workers/replicas"),
    ("workers.resources.limits.memory=1Gi", "workers.resources: memory must be the same"),
    ("workers.terminationGracePeriodSeconds=49", "last checkpoint"),
    ("workers.drainS=61", "last checkpoint"),
    ("workers.podDisruptionBudget.maxUnavailable=0", "block every drain"),
    ("workers.podDisruptionBudget.maxUnavailable=0%", "block every drain"),
    ("workers.podDisruptionBudget.minAvailable=2", "both maxUnavailable and minAvailable"),
    ("workers.podDisruptionBudget.maxUnavailable=null", "neither maxUnavailable nor minAvailable"),
    ("workers.podDisruptionBudget.maxUnavailable=null,workers.podDisruptionBudget.minAvailable=3", "block every drain"),
    ("workers.podDisruptionBudget.maxUnavailable=null,workers.podDisruptionBudget.minAvailable=67%", "block every drain"),
    ("coordinator.podDisruptionBudget.maxUnavailable=null,coordinator.podDisruptionBudget.minAvailable=1", "block every drain"),
    ("workers.updateStrategy.type=OnDelete,workers.updateStrategy.rollingUpdate.partition=1", "no meaning with type OnDelete"),
    ("image.tag=latest", "`latest` changes the program"),
    ("image.digest=sha256:1234", "64 hexadecimal digits"),
    ("config.extra.OTHER=x", "additional properties 'OTHER' not allowed"),
    ("config.logFormat=xml", "/config/logFormat"),
    ("config.reportsS=0", "/config/reportsS"),
    ("networkPolicy.clients=null", "networkPolicy.clients: empty"),
    ("monitoring.serviceMonitor.enabled=true,networkPolicy.scrapers=null", "networkPolicy.scrapers: empty"),
    ("monitoring.prometheusRule.enabled=true", "every alert names its runbook"),
]
# Two thirds rounded up of three are two: one may go.
ACCEPTED = ["workers.podDisruptionBudget.maxUnavailable=null,workers.podDisruptionBudget.minAvailable=66%"]

problems = 0


def check(title, found):
    """Prints one check; `found` are its problems."""
    global problems
    found = list(found)
    problems += len(found)
    print(f"{'FAIL' if found else 'ok  '}  {title}")
    for problem in found:
        print(f"      {problem}")


def lint():
    for name, arguments in chart.SETS.items():
        try:
            chart.helm("lint", "--strict", "--quiet", str(chart.CHART), *arguments)
        except chart.RenderFailed as failed:
            yield f"{name}: {failed}"


def refused():
    for setting, reason in REFUSED:
        try:
            chart.render(["--set", setting])
            yield f"{setting}: rendered"
        except chart.RenderFailed as failed:
            if reason not in str(failed):
                yield f"{setting}: refused, but not for `{reason}`: {failed}"
    for setting in ACCEPTED:
        try:
            chart.render(["--set", setting])
        except chart.RenderFailed as failed:
            yield f"{setting}: {failed}"


def goldens():
    for name in chart.GOLDEN:
        folder = chart.RENDERED / name
        expected = chart.golden_files(name)
        there = {path.name: path.read_text() for path in folder.glob("*")} if folder.is_dir() else {}
        for file in sorted(expected.keys() | there.keys()):
            if expected.get(file) != there.get(file):
                yield f"k8s/rendered/{name}/{file} is not what the chart renders: run `make k8s-render` and look at the difference"


def kustomized():
    """What `kubectl apply -k` would send is what the chart renders."""
    for name in chart.GOLDEN:
        done = subprocess.run([str(chart.CACHE / "kubectl"), "kustomize", str(chart.RENDERED / name)], capture_output=True, text=True)
        if done.returncode != 0:
            yield f"{name}: {done.stderr.strip()}"
            continue
        key = lambda parsed: (parsed["kind"], parsed["metadata"]["name"])
        built = {key(parsed): parsed for parsed in yaml.safe_load_all(done.stdout)}
        rendered = {key(parsed): parsed for _, parsed in chart.render(chart.SETS[name])}
        if built != rendered:
            differing = [one for one in built.keys() | rendered.keys() if built.get(one) != rendered.get(one)]
            yield f"{name}: kustomize gives something else for {differing}"


def custom_schemas():
    """Schemas of the two custom resources: the fields that the chart uses, in k8s/test/crds/."""
    return {path.stem: json.loads(path.read_text()) for path in (chart.TEST / "crds").glob("*.json")}


def schema_problems(name, objects, version, customs):
    for _, parsed in objects:
        try:
            if parsed["apiVersion"].startswith("monitoring.coreos.com/"):
                jsonschema.validate(parsed, customs[parsed["kind"].lower()])
            else:
                kubernetes_validate.validate(parsed, version, strict=True)
        except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as invalid:
            yield f"{name}: {policy.name_of(parsed)} on {version}: {invalid.message} at {list(invalid.path)}"
        except KeyError:
            yield f"{name}: {policy.name_of(parsed)}: no schema for {parsed['kind']}"


def schema_can_fail(objects, customs):
    """The schemas refuse what is wrong: a number as text, an unknown field, in every kind of object."""
    for _, parsed in objects:
        for spoil in (lambda spoilt: spoilt.update(unknownField=1), lambda spoilt: spoilt["metadata"].update(labels={"a": 1})):
            spoilt = copy.deepcopy(parsed)
            spoil(spoilt)
            if not list(schema_problems("spoilt", [("", spoilt)], VERSIONS[0], customs)):
                yield f"{policy.name_of(parsed)}: a fault goes unseen"


def scanned():
    """checkov over every set; each finding needs its reason in policy-exceptions.yaml, each reason its finding."""
    exceptions = yaml.safe_load((chart.TEST / "policy-exceptions.yaml").read_text())
    used = set()
    with tempfile.TemporaryDirectory() as folder:
        for name in chart.SETS:
            path = pathlib.Path(folder) / f"{name}.yaml"
            path.write_text("---\n".join(text for text, _ in chart.render(chart.SETS[name], tests=True)))
        command = [str(chart.CACHE / "checkov/bin/checkov"), "--directory", folder, "--framework", "kubernetes", "--compact", "--quiet"]
        done = subprocess.run([*command, "--skip-download", "--output", "json"], capture_output=True, text=True)
        try:
            report = json.loads(done.stdout)
            passed = report["summary"]["passed"]
        except (json.JSONDecodeError, TypeError, KeyError):
            yield f"checkov gave no report: {done.stderr.strip()[-500:]}"
            return
        if passed < 500 or report["summary"]["parsing_errors"]:
            yield f"checkov saw too little: {report['summary']}"
        for finding in report["results"]["failed_checks"]:
            name = pathlib.Path(finding["file_path"]).stem
            for index, exception in enumerate(exceptions):
                if exception["check"] == finding["check_id"] and name in exception["sets"] and re.fullmatch(exception["object"], finding["resource"]):
                    used.add((index, name))
                    break
            else:
                yield f"{name}: {finding['check_id']} {finding['check_name']}: {finding['resource']}"
    for index, exception in enumerate(exceptions):
        if len(exception.get("reason", "")) < 20:
            yield f"policy-exceptions.yaml: {exception['check']} has no reason"
        for name in exception["sets"]:
            if (index, name) not in used:
                yield f"policy-exceptions.yaml: {exception['check']} is not needed for {name}: remove it"


def alert_rules(objects):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rules.yaml"
        for parsed in policy.of_kind(objects, "PrometheusRule"):
            path.write_text(yaml.safe_dump(parsed["spec"]))
            done = subprocess.run(["promtool", "check", "rules", "--lint-fatal", str(path)], capture_output=True, text=True)
            if done.returncode != 0:
                yield (done.stdout + done.stderr).strip()
            for rule in parsed["spec"]["groups"][0]["rules"]:
                if not {"summary", "description", "runbook_url"} <= rule["annotations"].keys() or "severity" not in rule["labels"]:
                    yield f"{rule['alert']}: severity, summary, description and runbook_url are required"
        # The test names its rule file beside it.
        tests = pathlib.Path(folder) / "alerts.test.yaml"
        tests.write_text((chart.TEST / tests.name).read_text())
        done = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True)
        if done.returncode != 0:
            yield (done.stdout + done.stderr).strip()


def policy_can_fail(objects):
    """Every rule of ours finds a fault that is put in."""
    def spoilt(kind, change, component=None):
        copied = copy.deepcopy(objects)
        for _, parsed in copied:
            if parsed["kind"] == kind and component in (None, parsed["metadata"]["labels"].get("app.kubernetes.io/component")):
                change(parsed)
        return copied

    template = lambda parsed: parsed["spec"]["template"]["spec"]
    container = lambda parsed: template(parsed)["containers"][0]
    faults = [
        (policy.restricted, "StatefulSet", None, lambda p: container(p)["securityContext"].pop("capabilities")),
        (policy.restricted, "StatefulSet", None, lambda p: template(p)["securityContext"].update(runAsNonRoot=False)),
        (policy.labelled, "Service", None, lambda p: p["metadata"]["labels"].pop("app.kubernetes.io/part-of")),
        (policy.selectors, "StatefulSet", "worker", lambda p: p["spec"]["selector"]["matchLabels"].pop("app.kubernetes.io/component")),
        (policy.selectors, "Service", None, lambda p: p["spec"]["ports"][0].update(targetPort="other")),
        (policy.stateful, "StatefulSet", "worker", lambda p: p["spec"].update(replicas=7)),
        (policy.stateful, "StatefulSet", "worker", lambda p: template(p).update(terminationGracePeriodSeconds=30)),
        (policy.stateful, "StatefulSet", None, lambda p: container(p).pop("livenessProbe")),
        (policy.stateful, "Service", "worker", lambda p: p["spec"].pop("publishNotReadyAddresses")),
        (policy.drains, "PodDisruptionBudget", None, lambda p: p["spec"].update(maxUnavailable=0)),
        (policy.network, "NetworkPolicy", None, lambda p: p["spec"].update(egress=[])),
        (policy.pinned, "StatefulSet", None, lambda p: container(p).update(image="billwatch")),
    ]
    for rule, kind, component, change in faults:
        if not list(rule(spoilt(kind, change, component))):
            yield f"{rule.__name__}: does not see a fault in {kind}"


def names_no_host():
    """The project names no image registry: a host is what stands before the first slash and has a dot or a port."""
    for path in [REPOSITORY / "Dockerfile", *chart.CHART.rglob("*"), *chart.RENDERED.rglob("*")]:
        if path.is_file():
            for host in re.findall(r"(?:FROM|image:|_IMAGE=|repository:)\s*[\"']?([\w-]+(?:\.[\w-]+)+(?::\d+)?)/", path.read_text()):
                if not host.endswith("example.com"):
                    yield f"{path.relative_to(REPOSITORY)} names {host}"


def main():
    rendered = {}
    check("helm lint --strict, every value set", lint())
    for name, arguments in chart.SETS.items():
        rendered[name] = chart.render(arguments, tests=True)
    check(f"rendered: {', '.join(f'{name} ({len(objects)})' for name, objects in rendered.items())}", [])
    check(f"{len(REFUSED)} contradictions and misspellings are refused, with the reason", refused())
    check("k8s/rendered equals what the chart renders", goldens())
    check("k8s/rendered through kustomize is the same", kustomized())
    customs = custom_schemas()
    for version in VERSIONS:
        check(f"schema, strict, Kubernetes {version}", (p for name, objects in rendered.items() for p in schema_problems(name, objects, version, customs)))
    check("the schemas refuse spoilt objects", schema_can_fail(rendered["production"], customs))
    check("checkov, every value set; exceptions reasoned and used", scanned())
    for rule in policy.RULES:
        check(f"policy: {rule.__name__}", (f"{name}: {p}" for name, objects in rendered.items() for p in rule(objects)))
    check("our policy sees faults that are put in", policy_can_fail(rendered["production"]))
    check("promtool: alert rules valid; alerts fire and are silent as they should", alert_rules(rendered["production"]))
    table = REPOSITORY / "docs/metrics.md"
    documented = metric_names.documented(table.read_text()) if table.exists() else set()
    check("alerts and dashboard name documented metrics only", metric_names.unknown(rendered["production"], documented))
    check("every value is described in values.yaml", (f"no `# --` comment: {key}" for key in values_table.undescribed()))
    current = values_table.README.read_text()
    check("the chart's README has the table of values", ["run `make k8s-render`"] if values_table.with_table(current) != current else [])
    check("no image registry is named", names_no_host())
    print(f"static: {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
