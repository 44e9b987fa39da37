"""Rendered manifests as containers: what a StatefulSet controller, a kubelet and cluster DNS would do with them, over podman.

Read from the manifests, and from nothing else: image, arguments, environment (ConfigMaps, values, pod-index label), ports, probes,
volumes, users, capabilities, read-only root, privileges, memory and CPU limits, grace period, replicas, names.

Not Kubernetes, and not pretended: one machine; no API server, scheduler or admission; NetworkPolicies are not enforced; a volume is
a directory; a ClusterIP is the pod's own address (see names.py); seccomp is podman's default profile.
"""

import ipaddress
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.request

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from names import Names

NETWORK = "billwatch-k8s-test"
SUBNET = ipaddress.ip_network("10.231.77.0/24")
GATEWAY = SUBNET.network_address + 1
NAMESPACE = "billwatch"
# As a kubelet writes a pod's resolv.conf.
RESOLVER = ["--dns", str(GATEWAY), "--dns-option", "ndots:5"]
RESOLVER += [part for domain in (f"{NAMESPACE}.svc.cluster.local", "svc.cluster.local", "cluster.local") for part in ("--dns-search", domain)]
# The kubelet's back-off between restarts: none the first time, then this, doubled up to the limit.
BACK_OFF_SECONDS, BACK_OFF_LIMIT_SECONDS = 10, 300
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9}


os.environ["CONTAINERS_CONF"] = str(pathlib.Path(__file__).resolve().parent / "containers.conf")


def podman(*arguments, check=True, **more):
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, **more)
    if check and done.returncode != 0:
        raise RuntimeError(f"podman {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout.strip()


def quantity(text):
    """Bytes, or a fraction of a CPU, of a Kubernetes quantity."""
    text = str(text)
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return int(float(text[: -len(unit)]) * factor)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


class Pod:
    """One pod of a StatefulSet, and the kubelet's care for its container: restarts with back-off, probes, SIGTERM with grace."""

    def __init__(self, cluster, sts, ordinal):
        self.cluster, self.sts, self.ordinal = cluster, sts, ordinal
        self.name = f"{sts['metadata']['name']}-{ordinal}"
        self.sandbox = f"{self.name}-sandbox"
        self.component = sts["metadata"]["labels"]["app.kubernetes.io/component"]
        template = sts["spec"]["template"]
        self.spec, self.container = template["spec"], template["spec"]["containers"][0]
        # What the StatefulSet's controller adds.
        self.labels = {**template["metadata"]["labels"], "apps.kubernetes.io/pod-index": str(ordinal)}
        self.ip = cluster.next_ip()
        self.exits, self.restarts, self.events = [], 0, []
        self.started = self.ready = False
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._care, daemon=True)

    # What the manifest says, as podman's arguments.

    def environment(self):
        values = {}
        for source in self.container.get("envFrom", []):
            values |= self.cluster.object("ConfigMap", source["configMapRef"]["name"])["data"]
        for entry in self.container.get("env", []):
            if "value" in entry:
                values[entry["name"]] = entry["value"]
            else:
                path = entry["valueFrom"]["fieldRef"]["fieldPath"]
                values[entry["name"]] = self.labels[path.removeprefix("metadata.labels['").removesuffix("']")]
        return values

    def arguments(self):
        pod, own = self.spec["securityContext"], self.container["securityContext"]
        limits = self.container["resources"]["limits"]
        if pod["seccompProfile"]["type"] != "RuntimeDefault":
            raise ValueError("only the runtime's default seccomp profile is played")
        given = ["--name", self.name, "--hostname", self.name, "--network", f"container:{self.sandbox}", "--restart", "no"]
        given += ["--user", f"{pod['runAsUser']}:{pod['runAsGroup']}"]
        if own["readOnlyRootFilesystem"]:
            given += ["--read-only", "--read-only-tmpfs=false"]
        given += [f"--cap-drop={capability}" for capability in own["capabilities"]["drop"]]
        if not own["allowPrivilegeEscalation"]:
            given += ["--security-opt", "no-new-privileges"]
        memory = str(quantity(limits["memory"]))
        given += ["--memory", memory, "--memory-swap", memory, "--cpus", str(quantity(limits["cpu"]))]
        for key, value in self.environment().items():
            given += ["--env", f"{key}={value}"]
        for mount in self.container["volumeMounts"]:
            volume = self.cluster.volume(mount["name"], self.name, pod["fsGroup"])
            given += ["--volume", f"{volume}:{mount['mountPath']}"]
        return [*given, self.container["image"], *self.container["args"]]

    # Its life.

    def start(self):
        """Makes the sandbox, which holds the pod's address however often its container restarts, then the container."""
        self.event("created")
        image = self.container["image"]
        podman("run", "--detach", "--name", self.sandbox, "--network", NETWORK, "--ip", str(self.ip), *RESOLVER, "--entrypoint", "sleep", image, "infinity")
        podman("run", "--detach", *self.arguments())
        self.thread.start()

    def event(self, text):
        self.events.append((time.monotonic(), text))
        self.cluster.say(f"{self.name}: {text}")

    def kill(self):
        """SIGKILL to everything in the container, as a node's memory killer or a bug would."""
        podman("kill", "--signal", "KILL", self.name)

    def delete(self):
        """SIGTERM, the grace period, then SIGKILL; the pod is gone. Seconds it took, and the exit code."""
        self.stopping.set()
        self.ready = False
        begun = time.monotonic()
        podman("stop", "--time", str(self.spec["terminationGracePeriodSeconds"]), self.name)
        seconds = time.monotonic() - begun
        self.thread.join()
        code = int(podman("inspect", "--format", "{{.State.ExitCode}}", self.name))
        self.cluster.keep_log(self)
        podman("rm", "--force", "--time", "0", "--depend", self.sandbox)
        self.event(f"ended with {code} after {seconds:.1f} s")
        return seconds, code

    def asks(self, service, timeout):
        """One gRPC health question, as a kubelet asks it: a new connection each time."""
        port = self.container["startupProbe"]["grpc"]["port"]
        with grpc.insecure_channel(f"{self.ip}:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout)
                return answer.status == health_pb2.HealthCheckResponse.SERVING
            except grpc.RpcError:
                return False

    def scrape(self, timeout=2):
        """The text of /metrics; empty when nothing answers."""
        port = next(port["containerPort"] for port in self.container["ports"] if port["name"] == "metrics")
        try:
            with urllib.request.urlopen(f"http://{self.ip}:{port}/metrics", timeout=timeout) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def _care(self):
        while not self.stopping.is_set():
            self._one_life()
            if self.stopping.is_set():
                return
            code = int(podman("inspect", "--format", "{{.State.ExitCode}}", self.name))
            self.exits.append(code)
            delay = 0 if self.restarts == 0 else min(BACK_OFF_SECONDS * 2 ** (self.restarts - 1), BACK_OFF_LIMIT_SECONDS)
            self.restarts += 1
            self.event(f"container ended with {code}; restart {self.restarts} in {delay} s")
            if self.stopping.wait(delay):
                return
            podman("start", self.name)

    def _one_life(self):
        """Probes one run of the container until it ends."""
        waiting = subprocess.Popen(["podman", "wait", self.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.started = self.ready = False
        due, failures = {}, {}
        while waiting.poll() is None:
            now = time.monotonic()
            for kind in ("startupProbe",) if not self.started else ("readinessProbe", "livenessProbe"):
                if self.stopping.is_set() or now < due.get(kind, 0):
                    continue
                probe = self.container[kind]
                due[kind] = now + probe["periodSeconds"]
                passed = self.asks(probe["grpc"]["service"], probe["timeoutSeconds"])
                failures[kind] = 0 if passed else failures.get(kind, 0) + 1
                failed = failures[kind] >= probe["failureThreshold"]
                if kind == "startupProbe" and passed:
                    self.started = True
                    self.event("started")
                elif kind == "readinessProbe" and (passed and not self.ready or failed and self.ready):
                    self.ready = passed
                    self.event("ready" if passed else "not ready")
                elif kind != "readinessProbe" and failed:
                    self.event(f"{kind} failed {failures[kind]} times: restarted")
                    podman("stop", "--time", str(self.spec["terminationGracePeriodSeconds"]), self.name)
            time.sleep(0.1)
        self.started = self.ready = False


class Cluster:
    """All pods of a folder of rendered manifests, on a network of their own."""

    def __init__(self, manifests, image, work, say):
        self.objects = [yaml.safe_load(path.read_text()) for path in sorted(pathlib.Path(manifests).glob("*.yaml"))]
        self.objects = [parsed for parsed in self.objects if parsed["kind"] != "Kustomization"]
        self.work, self.say = pathlib.Path(work), say
        self.address = SUBNET.network_address + 10
        self.pods, self.names = {}, None
        for sts in self.kind("StatefulSet"):
            podman("tag", image, "localhost/" + sts["spec"]["template"]["spec"]["containers"][0]["image"])

    def kind(self, kind):
        return [parsed for parsed in self.objects if parsed["kind"] == kind]

    def object(self, kind, name):
        return next(parsed for parsed in self.kind(kind) if parsed["metadata"]["name"] == name)

    def next_ip(self):
        self.address += 1
        return self.address

    def volume(self, claim, pod, group):
        """The directory of a pod's claim; it outlives the pod. The group may write, as fsGroup makes it."""
        path = self.work / "volumes" / f"{claim}-{pod}"
        if not path.exists():
            path.mkdir(parents=True)
            subprocess.run(["chown", f"0:{group}", str(path)], check=True)
            path.chmod(0o2775)
        return path

    def start(self):
        self.sweep()
        podman("network", "create", "--subnet", str(SUBNET), "--gateway", str(GATEWAY), "--disable-dns", NETWORK)
        self.names = Names(self, GATEWAY, NAMESPACE)
        for sts in self.kind("StatefulSet"):
            if sts["spec"]["podManagementPolicy"] != "Parallel":
                raise ValueError("only parallel start is played")
            for ordinal in range(sts["spec"]["replicas"]):
                self.create(sts, ordinal)

    def create(self, sts, ordinal):
        pod = Pod(self, sts, ordinal)
        self.pods[pod.name] = pod
        pod.start()
        return pod

    def replace(self, name):
        """What a rolling update does to one pod: deletes it, and makes it again. Seconds to end, exit code, the new pod."""
        old = self.pods[name]
        seconds, code = old.delete()
        return seconds, code, self.create(old.sts, old.ordinal)

    def of(self, component):
        return [pod for pod in self.pods.values() if pod.component == component]

    def all_ready(self):
        return all(pod.ready for pod in self.pods.values())

    def client(self, *arguments, stdin=None, volume=None, background=False):
        """Runs the image as a client's pod in the cluster's network: not root, read-only, no capability."""
        image = self.kind("StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
        command = ["podman", "run", "--rm", "--interactive", "--network", NETWORK, *RESOLVER, "--read-only", "--cap-drop=ALL"]
        command += ["--security-opt", "no-new-privileges", "--user", "65532:65532"]
        if volume:
            command += ["--volume", f"{volume}:/work", "--workdir", "/work"]
        process = subprocess.Popen(
            [*command, image, *arguments], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if background:
            return process
        out, err = process.communicate()
        return process.returncode, out, err

    def keep_log(self, pod):
        logs = self.work / "logs"
        logs.mkdir(exist_ok=True)
        done = subprocess.run(["podman", "logs", pod.name], capture_output=True, text=True)
        with open(logs / f"{pod.name}.log", "a") as file:
            file.write(done.stdout + done.stderr)

    def stop(self):
        for pod in self.pods.values():
            pod.stopping.set()
        for pod in self.pods.values():
            self.keep_log(pod)
        if self.names:
            self.names.stop()
        self.sweep()

    def sweep(self):
        """Removes what an earlier run left: containers on the test's network, and the network."""
        sandboxes = podman("ps", "--all", "--filter", f"network={NETWORK}", "--format", "{{.Names}}", check=False).split()
        for name in sandboxes:
            podman("rm", "--force", "--time", "0", "--depend", name)
        podman("network", "rm", "--force", NETWORK, check=False)


def sandboxed(pod):
    """What the kernel says of a running container, as problems: user, capabilities, privileges, seccomp, root, memory."""
    state = json.loads(podman("inspect", pod.name))[0]
    status = pathlib.Path(f"/proc/{state['State']['Pid']}/status").read_text()
    field = dict(line.split(":", 1) for line in status.splitlines())
    want = pod.spec["securityContext"]["runAsUser"]
    if set(field["Uid"].split()) != {str(want)}:
        yield f"{pod.name}: runs as {field['Uid'].split()}"
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(field[kind], 16):
            yield f"{pod.name}: {kind} is {field[kind].strip()}"
    if field["NoNewPrivs"].strip() != "1" or field["Seccomp"].strip() != "2":
        yield f"{pod.name}: NoNewPrivs {field['NoNewPrivs'].strip()}, Seccomp {field['Seccomp'].strip()}"
    mounts = pathlib.Path(f"/proc/{state['State']['Pid']}/mounts").read_text().splitlines()
    root = next(line.split() for line in mounts if line.split()[1] == "/")
    if "ro" not in root[3].split(","):
        yield f"{pod.name}: the root file system is writable"
    if state["HostConfig"]["Memory"] != quantity(pod.container["resources"]["limits"]["memory"]):
        yield f"{pod.name}: memory limit {state['HostConfig']['Memory']}"
