"""Cluster DNS for the containers: what CoreDNS would answer for the manifests' Services.

A pod has its name in its governing service from its creation to its deletion, whether ready or not, also while its container is
restarted. A headless service has the addresses of its pods; one that publishes ready addresses only has those of ready pods.
(A ClusterIP service is a virtual address in Kubernetes; here its name leads to the pod itself.) Everything else does not exist,
and is said so at once.
"""

import socket
import struct
import threading

DOMAIN = ["svc", "cluster", "local"]
IP_FREEBIND = 15
NAME_ERROR, TYPE_A, CLASS_IN, SECONDS_TO_LIVE = 3, 1, 1, 1


class Names:
    """Answers on `address`, port 53 (UDP), until stopped."""

    def __init__(self, cluster, address, namespace):
        self.cluster, self.namespace = cluster, namespace
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # The network's bridge takes its address when the first container is there.
        self.socket.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        self.socket.bind((str(address), 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self.socket.close()

    def addresses(self, labels):
        """Addresses of a name, given as its labels; None if there is no such name."""
        if labels[-4:] != [self.namespace, *DOMAIN] or len(labels) not in (5, 6):
            return None
        services = [s for s in self.cluster.kind("Service") if s["metadata"]["name"] == labels[-5]]
        if not services:
            return None
        service = services[0]["spec"]
        pods = [
            pod for pod in list(self.cluster.pods.values())
            if not pod.stopping.is_set()
            and all(pod.labels.get(key) == value for key, value in service["selector"].items())
            and (pod.ready or service.get("publishNotReadyAddresses"))
        ]
        if len(labels) == 6:
            pods = [pod for pod in pods if pod.name == labels[0] and pod.sts["spec"]["serviceName"] == labels[1]]
        return [pod.ip for pod in pods] or None

    def _serve(self):
        while True:
            try:
                question, asker = self.socket.recvfrom(512)
            except OSError:
                return
            try:
                self.socket.sendto(self.answer(question), asker)
            except (OSError, IndexError, UnicodeDecodeError, struct.error):
                continue

    def answer(self, question):
        """The reply to one DNS message with one question (RFC 1035, section 4)."""
        identifier, flags = struct.unpack(">HH", question[:4])
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        kind = struct.unpack(">H", question[at + 1 : at + 3])[0]
        asked = question[12 : at + 5]
        found = self.addresses(labels)
        records = found if found and kind == TYPE_A else []
        # A reply with authority, recursion as it was asked for.
        flags = 0x8480 | flags & 0x0100 | (NAME_ERROR if found is None else 0)
        reply = struct.pack(">HHHHHH", identifier, flags, 1, len(records), 0, 0) + asked
        for address in records:
            reply += struct.pack(">HHHIH", 0xC00C, TYPE_A, CLASS_IN, SECONDS_TO_LIVE, 4) + address.packed
        return reply
