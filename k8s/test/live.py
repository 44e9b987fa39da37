#!/usr/bin/env python3
"""The rendered demo manifests, run: start, market, kill -9 of a worker and of the coordinator, rolling restart, and what is left.

Usage: live.py IMAGE [--manifests DIR] [--facts N] [--rate N]

Prints a line a step with its seconds; exits 1 if one failed. Logs of the containers and the scrape stay in the cache.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

from prometheus_client.openmetrics import parser as openmetrics

import chart
import metric_names
from cluster import Cluster, sandboxed

# Longest wait for any one thing: this is a test machine, maybe with other work on it.
PATIENCE_SECONDS = 180
COORDINATOR = "http://billwatch-ingest:7400"
QUERIES = "http://billwatch:7400"

problems = 0
begun = time.monotonic()


def say(text):
    print(f"      {time.monotonic() - begun:6.1f}  {text}", flush=True)


def check(title, found):
    global problems
    found = list(found)
    problems += len(found)
    print(f"{'FAIL' if found else 'ok  '}  {title}", flush=True)
    for problem in found:
        print(f"      {problem}", flush=True)


def wait_until(what, condition, within=PATIENCE_SECONDS):
    """Seconds until the condition held."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > within:
            raise TimeoutError(f"{what}: not within {within} s")
        time.sleep(0.1)
    return time.monotonic() - start


def sample(text, name):
    match = re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)", text, flags=re.M)
    return float(match[1]) if match else None


class Fresh:
    """Whether answers are fresh again after a loss: served, nothing waits, all pods ready, and not the life before the loss."""

    def __init__(self, cluster):
        self.cluster = cluster
        text = self.scrape()
        self.before = (sample(text, "billwatch_generation"), sample(text, "billwatch_start_timestamp_seconds"))

    def scrape(self):
        return self.cluster.of("coordinator")[0].scrape()

    def __call__(self):
        text = self.scrape()
        now = (sample(text, "billwatch_generation"), sample(text, "billwatch_start_timestamp_seconds"))
        lag = sample(text, "billwatch_epoch_lag_seconds")
        return sample(text, "billwatch_serving") == 1 and now != self.before and lag is not None and lag < 1


class Market:
    """A simulated market, sent at a steady rate by one client that lives through everything."""

    def __init__(self, cluster, folder, facts, rate):
        self.cluster, self.rate = cluster, rate
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        self.folder = folder
        code, _, err = cluster.client("simulate", "--facts", str(facts), "--corrected", "0.01", "--out", "/work/facts.ndjson", "--labels", "/work/labels.ndjson", volume=folder)
        if code != 0:
            raise RuntimeError(f"simulate: {err}")
        self.lines = (folder / "facts.ndjson").read_text().splitlines(keepends=True)
        self.sent = 0

    def begin(self):
        arguments = ("ingest", "-", "--replay", "--batch", "256", "--patience", str(PATIENCE_SECONDS), "--format", "json", "--address", COORDINATOR)
        self.process = self.cluster.client(*arguments, stdin=subprocess.PIPE, background=True)
        self.thread = threading.Thread(target=self._feed, daemon=True)
        self.thread.start()

    def _feed(self):
        step, start = max(1, self.rate // 20), time.monotonic()
        try:
            while self.sent < len(self.lines):
                self.process.stdin.writelines(self.lines[self.sent : self.sent + step])
                self.process.stdin.flush()
                self.sent += step
                time.sleep(max(0, start + self.sent / self.rate - time.monotonic()))
            self.process.stdin.close()
        except OSError as broken:
            say(f"the client is gone: {broken}")

    def end(self):
        """What the client says at its end."""
        self.thread.join()
        out, err = self.process.stdout.read(), self.process.stderr.read()
        code = self.process.wait()
        return code, out, err


def killed(cluster, victim, fresh):
    """Kills a pod's container. Seconds from then until answers are fresh, and until all probes pass."""
    start = time.monotonic()
    victim.kill()
    wait_until(f"fresh after the death of {victim.name}", fresh)
    seconds = time.monotonic() - start
    wait_until("all pods ready", cluster.all_ready)
    return seconds, time.monotonic() - start


def unreadable(name, text):
    try:
        if not list(openmetrics.text_string_to_metric_families(text)):
            yield f"{name}: no metrics"
    except ValueError as error:
        yield f"{name}: {error}"


def verified(cluster):
    code, out, err = cluster.client("verify", "--address", QUERIES)
    return [] if code == 0 else [f"verify ended with {code}: {out[-500:]} {err[-500:]}"]


def counted(cluster, market):
    """Every record that was sent is known, and none twice: a second delivery of all of them changes nothing."""
    code, out, err = cluster.client("ingest", "/work/facts.ndjson", "--replay", "--format", "json", "--address", COORDINATOR, volume=market.folder)
    if code != 0:
        return [f"the second delivery ended with {code}: {err[-500:]}"]
    again = json.loads(out)
    expected = len(market.lines)
    if (again["records"], again["accepted"], again["duplicates"], again["refused"]) != (expected, 0, expected, 0):
        return [f"second delivery of {expected} records: {again['accepted']} accepted, {again['duplicates']} known before, {again['refused']} refused"]
    return []


def run(cluster, options, work):
    cluster.start()
    seconds = wait_until("all pods ready", cluster.all_ready)
    check(f"1 coordinator and {len(cluster.of('worker'))} workers from the rendered manifests: all probes pass after {seconds:.1f} s", [])
    check(
        "each is not root, without capabilities and new privileges, under seccomp, root read-only, memory limited",
        (problem for pod in cluster.pods.values() for problem in sandboxed(pod)),
    )
    code, _, err = cluster.client("status", "--address", QUERIES)
    check("the chart's `helm test` (billwatch status) passes", [] if code == 0 else [err])

    market = Market(cluster, work / "market", options.facts, options.rate)
    check(f"a simulated market of {len(market.lines):,} records, sent at {options.rate:,} a second by one client", [])
    market.begin()
    wait_until("the first tenth", lambda: market.sent > len(market.lines) / 10)

    fresh, victim = Fresh(cluster), cluster.of("worker")[1]
    at = market.sent
    seconds, ready = killed(cluster, victim, fresh)
    check(f"kill -9 of {victim.name} after {at:,} of {len(market.lines):,} records: fresh after {seconds:.1f} s, all pods ready after {ready:.1f} s", [])

    wait_until("a third of the market", lambda: market.sent > len(market.lines) / 3)
    fresh, victim = Fresh(cluster), cluster.of("coordinator")[0]
    at = market.sent
    seconds, ready = killed(cluster, victim, fresh)
    check(f"kill -9 of {victim.name} after {at:,} of {len(market.lines):,} records: fresh after {seconds:.1f} s, all pods ready after {ready:.1f} s", ["the market was over before"] if at >= len(market.lines) else [])

    # Highest ordinal first, as a StatefulSet rolls; the coordinator last.
    names = [pod.name for pod in sorted(cluster.of("worker"), key=lambda pod: -pod.ordinal)] + [cluster.of("coordinator")[0].name]
    wait_until("half of the market", lambda: market.sent > len(market.lines) / 2)
    for name in names:
        at = market.sent
        fresh, grace = Fresh(cluster), cluster.pods[name].spec["terminationGracePeriodSeconds"]
        seconds, code, _ = cluster.replace(name)
        again = wait_until(f"fresh after {name} was replaced", fresh)
        wait_until("all pods ready", cluster.all_ready)
        found = ([f"exit code {code}"] if code != 0 else []) + ([f"longer than its grace of {grace} s"] if seconds > grace else [])
        found += ["the market was over before"] if at >= len(market.lines) else []
        check(f"SIGTERM to {name} after {at:,} records: exit code {code} after {seconds:.1f} s of {grace} s; its successor serves fresh answers {again:.1f} s later", found)

    code, out, err = market.end()
    answer = json.loads(out) if code == 0 else {}
    known = answer.get("accepted", 0) + answer.get("duplicates", 0)
    title = f"the client lived through all of it: {answer.get('records', 0):,} sent, {answer.get('accepted', 0):,} accepted, {answer.get('duplicates', 0):,} known before, {answer.get('refused', 0)} refused"
    check(title, [] if code == 0 and known == len(market.lines) else [f"exit code {code}: {err[-500:]}"])
    wait_until("all visible", lambda: sample(fresh.scrape(), "billwatch_epoch_lag") == 0)
    check("verify: every view equals the reference", verified(cluster))

    check(f"nothing lost, nothing doubled: all {len(market.lines):,} records delivered again are known, none is accepted", counted(cluster, market))
    check("verify after that: still equal", verified(cluster))
    restarts = {pod.name: pod.restarts for pod in cluster.pods.values() if pod.restarts}
    check("no container restarted that was not killed", [f"restarted: {restarts}"] if restarts else [])

    scrapes = {name: pod.scrape() for name, pod in cluster.pods.items()}
    for name, text in scrapes.items():
        (work / f"{name}.metrics").write_text(text)
    check("every pod shows metrics", (f"{name}: nothing" for name, text in scrapes.items() if "billwatch_build_info" not in text))
    check("an OpenMetrics parser reads them", (problem for name, text in scrapes.items() for problem in unreadable(name, text)))
    names = metric_names.exposed(scrapes.values())
    rendered = chart.render(chart.SETS["production"])
    count = len({name for _, expression in metric_names.expressions(rendered) for name in metric_names.selectors(expression)})
    check(f"alerts and dashboard name {count} metrics; the running cluster exposes all of them", metric_names.unknown(rendered, names))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("--manifests", default=chart.RENDERED / "demo", type=pathlib.Path)
    parser.add_argument("--facts", default=120_000, type=int)
    parser.add_argument("--rate", default=2_500, type=int)
    options = parser.parse_args()
    work = chart.CACHE / "live"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    cluster = Cluster(options.manifests, options.image, work, say)
    try:
        run(cluster, options, work)
    except (TimeoutError, RuntimeError) as failed:
        check(str(failed), ["the scenario stops here"])
    finally:
        cluster.stop()
    print(f"live: {problems} problems; logs and scrapes in {work}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
