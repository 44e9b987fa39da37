"""The chart as the tests see it: rendering with helm, the value sets, the golden files.

A render is a list of (text, object). Helm is the one of the tools' cache; BILLWATCH_K8S_CACHE says where that is.
"""

import os
import pathlib
import re
import subprocess

import yaml

TEST = pathlib.Path(__file__).resolve().parent
CHART = TEST.parent / "chart"
RENDERED = TEST.parent / "rendered"
CACHE = pathlib.Path(os.environ.get("BILLWATCH_K8S_CACHE") or pathlib.Path.home() / ".cache/billwatch/k8s")
HELM = CACHE / "helm"

# What users start from: goldens are kept of these two.
GOLDEN = ("demo", "production")
# All sets that are checked: a name, and arguments of helm.
SETS = {
    "default": [],
    "demo": ["--values", str(CHART / "values-demo.yaml")],
    "production": ["--values", str(CHART / "values-production.yaml")],
    "everything-off": [
        "--values", str(CHART / "values-demo.yaml"),
        "--set", "networkPolicy.enabled=false,serviceAccount.create=false",
        "--set", "coordinator.podDisruptionBudget.enabled=false,workers.podDisruptionBudget.enabled=false",
    ],
    # The platform assigns users and groups.
    "no-ids": [
        "--set-json", 'securityContext={"runAsUser":null,"runAsGroup":null,"fsGroup":null}',
        "--set", "image.digest=sha256:" + "ab" * 32,
    ],
    # Every list and map that a site may fill.
    "site": ["--values", str(TEST / "values-site.yaml")],
}


class RenderFailed(Exception):
    """Helm refused the values; the text is its message."""


def helm(*arguments):
    done = subprocess.run([str(HELM), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RenderFailed(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def render(arguments, tests=False, namespace="billwatch"):
    """The objects of the chart with these arguments, each as (its own text, parsed)."""
    more = [] if tests else ["--skip-tests"]
    text = helm("template", "billwatch", str(CHART), "--namespace", namespace, "--kube-version", "1.30", *more, *arguments)
    objects = []
    for part in re.split(r"^---$", text, flags=re.M):
        part = re.sub(r"^# Source: .*\n", "", part.strip() + "\n", flags=re.M)
        parsed = yaml.safe_load(part)
        if parsed:
            objects.append((part, parsed))
    return objects


def file_name(parsed):
    return f"{parsed['kind'].lower()}-{parsed['metadata']['name']}.yaml"


def golden_files(name):
    """File name to content of k8s/rendered/NAME: one object a file, and the kustomization that lists them."""
    files = {file_name(parsed): text for text, parsed in render(SETS[name])}
    listing = "".join(f"  - {file}\n" for file in sorted(files))
    files["kustomization.yaml"] = (
        f"# Written by `make k8s-render` from the chart with values-{name}.yaml; for kustomize and plain `kubectl apply -k`.\n"
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: billwatch\n"
        f"resources:\n{listing}"
    )
    return files
