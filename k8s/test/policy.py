"""Our own policy over the rendered objects: what no general scanner knows. Each rule yields problems as text."""

import re

# How much longer than the agent's own limit for its last checkpoint the platform must wait.
MORE_THAN_DRAIN_SECONDS = 30
PORTS = {"coordinator": {"grpc": 7400, "metrics": 9464}, "worker": {"probe": 7401, "mesh": 7500, "metrics": 9464}}
LABELS = ("name", "instance", "version", "part-of", "managed-by")


def of_kind(objects, kind):
    return [parsed for _, parsed in objects if parsed["kind"] == kind]


def name_of(parsed):
    return f"{parsed['kind']}/{parsed['metadata']['name']}"


def selects(selector, labels):
    """Whether a label selector takes these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        if expression["operator"] != "In":
            raise ValueError(f"operator {expression['operator']} is not known to this test")
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def pods(objects):
    """Every pod template or pod: (name, labels, spec)."""
    for _, parsed in objects:
        if parsed["kind"] == "StatefulSet":
            template = parsed["spec"]["template"]
            yield name_of(parsed), template["metadata"]["labels"], template["spec"]
        elif parsed["kind"] == "Pod":
            yield name_of(parsed), parsed["metadata"]["labels"], parsed["spec"]


def restricted(objects):
    """The restricted Pod Security Standard, field by field; and a root file system that cannot be written."""
    for name, _, spec in pods(objects):
        pod = spec.get("securityContext", {})
        if pod.get("runAsNonRoot") is not True or pod.get("runAsUser", 65532) < 10000:
            yield f"{name}: the pod may run as root"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: no seccomp profile"
        if any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name}: shares a name space with the host"
        if any("hostPath" in volume for volume in spec.get("volumes", [])):
            yield f"{name}: mounts a path of the host"
        if spec.get("automountServiceAccountToken") is not False or spec.get("enableServiceLinks") is not False:
            yield f"{name}: gets a token or the services' environment"
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{name}/{container['name']}: may gain privileges"
            if own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{name}/{container['name']}: keeps capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{name}/{container['name']}: can write to its root file system"
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{name}/{container['name']}: takes a port of the host"


def labelled(objects):
    for _, parsed in objects:
        labels = parsed["metadata"].get("labels", {})
        for label in LABELS:
            if f"app.kubernetes.io/{label}" not in labels:
                yield f"{name_of(parsed)}: no label app.kubernetes.io/{label}"
        if "namespace" not in parsed["metadata"]:
            yield f"{name_of(parsed)}: no namespace"


def selectors(objects):
    """Selectors hold nothing that changes, and select what they are for, and only that."""
    sets = {parsed["metadata"]["labels"]["app.kubernetes.io/component"]: parsed for parsed in of_kind(objects, "StatefulSet")}
    if sorted(sets) != ["coordinator", "worker"]:
        yield f"StatefulSets of components {sorted(sets)}"
        return
    templates = {component: parsed["spec"]["template"]["metadata"]["labels"] for component, parsed in sets.items()}
    for component, parsed in sets.items():
        selector = parsed["spec"]["selector"]
        if set(selector["matchLabels"]) != {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}:
            yield f"{name_of(parsed)}: its selector holds labels that may change"
        taken = [other for other, labels in templates.items() if selects(selector, labels)]
        if taken != [component]:
            yield f"{name_of(parsed)}: selects {taken}"
        for constraint in parsed["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            if not selects(constraint["labelSelector"], templates[component]):
                yield f"{name_of(parsed)}: a spread constraint does not count its own pods"
    for service in of_kind(objects, "Service"):
        taken = [component for component, labels in templates.items() if selects({"matchLabels": service["spec"]["selector"]}, labels)]
        if len(taken) != 1:
            yield f"{name_of(service)}: selects {taken}"
            continue
        names = {port["name"] for port in sets[taken[0]]["spec"]["template"]["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in names:
                yield f"{name_of(service)}: no container port {port['targetPort']}"
    for monitor in of_kind(objects, "ServiceMonitor"):
        for component in templates:
            if not any(
                selects(monitor["spec"]["selector"], service["metadata"]["labels"])
                and service["metadata"]["labels"]["app.kubernetes.io/component"] == component
                and monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
                for service in of_kind(objects, "Service")
            ):
                yield f"{name_of(monitor)}: does not reach {component}"


def stateful(objects):
    """What a mesh needs of its StatefulSet: parallel start, stable names, names before readiness, the index, time to drain."""
    services = {service["metadata"]["name"]: service for service in of_kind(objects, "Service")}
    for parsed in of_kind(objects, "StatefulSet"):
        name, spec = name_of(parsed), parsed["spec"]
        component = parsed["metadata"]["labels"]["app.kubernetes.io/component"]
        pod = spec["template"]["spec"]
        container = pod["containers"][0]
        if spec.get("podManagementPolicy") != "Parallel":
            yield f"{name}: pods do not start in parallel"
        governing = services.get(spec["serviceName"], {"spec": {}})["spec"]
        if governing.get("clusterIP") != "None" or governing.get("publishNotReadyAddresses") is not True:
            yield f"{name}: its service is not headless, or names no pod before it is ready"
        if set(spec.get("persistentVolumeClaimRetentionPolicy", {})) != {"whenDeleted", "whenScaled"}:
            yield f"{name}: no retention policy for its volumes"
        if "checksum/config" not in spec["template"]["metadata"].get("annotations", {}):
            yield f"{name}: a changed setting does not roll its pods"
        if {port["name"]: port["containerPort"] for port in container["ports"]} != PORTS[component]:
            yield f"{name}: ports {container['ports']}"
        claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]} | {v["name"] for v in pod.get("volumes", [])}
        if not {mount["name"] for mount in container["volumeMounts"]} <= claims:
            yield f"{name}: mounts a volume that nothing gives"
        if "--data=/var/lib/billwatch" not in container["args"] or "/var/lib/billwatch" not in {m["mountPath"] for m in container["volumeMounts"]}:
            yield f"{name}: the data directory is no volume"
        resources = container["resources"]
        if resources["requests"]["memory"] != resources["limits"]["memory"]:
            yield f"{name}: memory requests and limits differ"
        probe_port = PORTS[component].get("probe", 7400)
        asked = {}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind, {})
            asked[kind] = probe.get("grpc", {}).get("service")
            if probe.get("grpc", {}).get("port") != probe_port:
                yield f"{name}: {kind} asks port {probe.get('grpc', {}).get('port')}"
        if asked != {"startupProbe": "startup", "readinessProbe": "ready", "livenessProbe": "live"}:
            yield f"{name}: probes ask {asked}"
        startup = container["startupProbe"]
        if startup["periodSeconds"] * startup["failureThreshold"] < 600:
            yield f"{name}: less than ten minutes to start"
        drain = int(of_kind(objects, "ConfigMap")[0]["data"]["BILLWATCH_DRAIN_S"])
        if pod["terminationGracePeriodSeconds"] < drain + MORE_THAN_DRAIN_SECONDS:
            yield f"{name}: {pod['terminationGracePeriodSeconds']} s of grace for a drain of {drain} s"
        if component == "worker":
            index = [e for e in container.get("env", []) if e["name"] == "BILLWATCH_POD_INDEX"]
            if not index or index[0]["valueFrom"]["fieldRef"]["fieldPath"] != "metadata.labels['apps.kubernetes.io/pod-index']":
                yield f"{name}: does not get its index"
            processes = of_kind(objects, "ConfigMap")[0]["data"]["BILLWATCH_PROCESSES"]
            if processes != str(spec["replicas"]):
                yield f"{name}: {spec['replicas']} replicas, but the coordinator expects {processes}"
            if not any(argument == f"--advertise={{hostname}}.{spec['serviceName']}:7500" for argument in container["args"]):
                yield f"{name}: advertises another name than its own in {spec['serviceName']}"


def drains(objects):
    """Every budget selects a role's pods and lets at least one go."""
    sets = of_kind(objects, "StatefulSet")
    for budget in of_kind(objects, "PodDisruptionBudget"):
        spec = budget["spec"]
        taken = [s for s in sets if selects(spec["selector"], s["spec"]["template"]["metadata"]["labels"])]
        if len(taken) != 1:
            yield f"{name_of(budget)}: selects {len(taken)} StatefulSets"
            continue
        replicas = taken[0]["spec"]["replicas"]
        share = lambda value: -(-int(value[:-1]) * replicas // 100) if isinstance(value, str) else value
        may_go = share(spec["maxUnavailable"]) if "maxUnavailable" in spec else replicas - share(spec["minAvailable"])
        if may_go < 1:
            yield f"{name_of(budget)}: blocks every drain"
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{name_of(budget)}: a pod that is not ready can hold up a drain"


def network(objects):
    """Default-deny for both roles, then exactly the named paths: who may reach which port of whom."""
    policies = of_kind(objects, "NetworkPolicy")
    if not policies:
        return
    templates = {s["metadata"]["labels"]["app.kubernetes.io/component"]: s["spec"]["template"]["metadata"]["labels"] for s in of_kind(objects, "StatefulSet")}
    deny = [p for p in policies if p["metadata"]["name"].endswith("-default-deny")]
    if len(deny) != 1 or any(key in deny[0]["spec"] for key in ("ingress", "egress")) or set(deny[0]["spec"]["policyTypes"]) != {"Ingress", "Egress"}:
        yield "no default-deny policy"
    for component, labels in templates.items():
        if deny and not selects(deny[0]["spec"]["podSelector"], labels):
            yield f"default-deny leaves out {component}"

    def allowed(direction, peer_key, component, peer, port):
        for policy in policies:
            if not selects(policy["spec"]["podSelector"], templates[component]):
                continue
            for rule in policy["spec"].get(direction, []):
                selectors_of_peer = [p["podSelector"] for p in rule.get(peer_key, []) if set(p) == {"podSelector"}]
                if any(p["port"] == port for p in rule["ports"]) and any(
                    s.get("matchLabels") and selects(s, templates[peer]) for s in selectors_of_peer
                ):
                    return True
        return False

    for source, target, port in (("worker", "coordinator", 7400), ("worker", "worker", 7500)):
        if not allowed("ingress", "from", target, source, port) or not allowed("egress", "to", source, target, port):
            yield f"no path {source} -> {target}:{port}"
    for source, target, port in (("coordinator", "worker", 7500), ("coordinator", "coordinator", 7400), ("worker", "worker", 7401)):
        if allowed("egress", "to", source, target, port):
            yield f"a path that nothing needs: {source} -> {target}:{port}"


def pinned(objects):
    for name, _, spec in pods(objects):
        for container in spec["containers"]:
            if not re.search(r"(@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)$", container["image"]):
                yield f"{name}: the image {container['image']} is not pinned"


RULES = (restricted, labelled, selectors, stateful, drains, network, pinned)
