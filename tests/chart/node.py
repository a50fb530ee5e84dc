"""A node for one machine: it runs what a pod says as plain processes, and tells the API server how they fare.

It stands in for scheduler, kubelet, container runtime and cluster DNS. It keeps to the command, the arguments, the
variables, the Secrets, the readiness probe and the grace period of a pod. It has no images (the program is that of this
checkout), no limits, no security context and no network policies. Each pod has a loopback address of its own.
"""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from streams.settings import PREFIX
from tests.broker.kafka import free_ports
from tests.chart.api import ApiServer, Json

NAME = "here"
ENTRYPOINT = [sys.executable, "-m", "streams"]


class Pod:
    """The processes of one pod."""

    def __init__(self, manifest: Json, folder: Path, address: str) -> None:
        self.manifest, self.folder, self.address = manifest, folder, address
        self.path = f"/api/v1/namespaces/{manifest['metadata']['namespace']}/pods/{manifest['metadata']['name']}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts: dict[str, int] = {}
        self.told: Json = {}
        self.stopping: float | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def containers(self) -> list[Json]:
        return list(self.manifest["spec"]["containers"])

    def log(self, container: str) -> Path:
        return self.folder / f"{container}.log"

    def ended(self) -> bool:
        return all(process.poll() is not None for process in self.processes.values())

    def ready(self, container: Json) -> bool:
        """Return what the readiness probe says; without one a process that runs is ready."""
        if self.processes[container["name"]].poll() is not None:
            return False
        probe = container.get("readinessProbe")
        if probe is None:
            return True
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        asked = f"http://{self.address}:{ports[probe['httpGet']['port']]}{probe['httpGet']['path']}"
        try:
            with urllib.request.urlopen(asked, timeout=2):
                return True
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return False


class Node:
    """Runs every pod of an API server."""

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.pods: dict[str, Pod] = {}
        self.seen: list[str] = []
        self._addresses = iter(range(10, 250))
        self._over = threading.Event()
        self._loop = threading.Thread(target=self._work, daemon=True)

    def start(self) -> Node:
        (port,) = free_ports(1)
        self._serve_logs(port)
        self.api.post("/api/v1/nodes", {"metadata": {"name": NAME}})
        address = {"type": "InternalIP", "address": "127.0.0.1"}
        status = {
            "addresses": [address], "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [_condition("Ready", True)],
        }  # fmt: skip
        self.api.patch(f"/api/v1/nodes/{NAME}/status", {"status": status})
        self._loop.start()
        return self

    def stop(self) -> None:
        self._over.set()
        self._loop.join(30)
        self._logs.shutdown()
        self._logs.server_close()
        for pod in self.pods.values():
            for process in pod.processes.values():
                process.kill()
                process.wait()

    def _work(self) -> None:
        while not self._over.wait(0.3):
            try:
                there = {each["metadata"]["uid"]: each for each in self.api.items("/api/v1/pods")}
                for uid, manifest in there.items():
                    self._see_to(uid, manifest)
                for uid in set(self.pods) - set(there):
                    self._kill(self.pods.pop(uid))
            except urllib.error.HTTPError as error:
                self.seen.append(f"{error} {error.__notes__}")  # mostly gone or changed meanwhile: tried again
            except OSError as error:
                self.seen.append(repr(error))

    def _see_to(self, uid: str, manifest: Json) -> None:
        pod = self.pods.get(uid)
        if pod is None:
            if not manifest["metadata"].get("deletionTimestamp"):
                self._start(uid, manifest)
        elif manifest["metadata"].get("deletionTimestamp"):
            self._end(pod, manifest["metadata"]["deletionGracePeriodSeconds"])
        else:
            self._report(pod)

    def _start(self, uid: str, manifest: Json) -> None:
        pod = Pod(manifest, self.folder / uid, self._free_address())
        name = {"name": manifest["metadata"]["name"]}
        self.api.post(f"{pod.path}/binding", {"metadata": name, "target": {"kind": "Node", "name": NAME}})
        self.pods[uid] = pod
        for container in pod.containers:
            self._run(pod, container)

    def _run(self, pod: Pod, container: Json) -> None:
        given = container.get("command", ENTRYPOINT)
        command = [sys.executable if word == "python" else self._resolved(pod, word) for word in given]
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        with pod.log(container["name"]).open("ab") as log:
            pod.processes[container["name"]] = subprocess.Popen(
                [*command, *container.get("args", [])], env=inherited | self._environment(pod, container),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _environment(self, pod: Pod, container: Json) -> dict[str, str]:
        mounted = self._mounted(pod, container)
        found = {}
        for each in container["env"]:
            value = each.get("value")
            if value is None:
                wanted = each["valueFrom"]["secretKeyRef"]
                value = self._secret(pod, wanted["name"])[wanted["key"]]
            for at, folder in mounted.items():
                value = value.replace(at, str(folder)) if value.startswith(at) else value
            found[each["name"]] = pod.address if value == "0.0.0.0" else value
        return found

    def _mounted(self, pod: Pod, container: Json) -> dict[str, Path]:
        volumes = {each["name"]: each for each in pod.manifest["spec"].get("volumes", [])}
        found = {}
        for mount in container.get("volumeMounts", []):
            folder = pod.folder / "volumes" / mount["name"]
            folder.mkdir(parents=True, exist_ok=True)
            if "secret" in volumes[mount["name"]]:
                for key, value in self._secret(pod, volumes[mount["name"]]["secret"]["secretName"]).items():
                    (folder / key).write_text(value)
            found[mount["mountPath"]] = folder
        return found

    def _secret(self, pod: Pod, name: str) -> dict[str, str]:
        namespace = pod.manifest["metadata"]["namespace"]
        data = self.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _resolved(self, pod: Pod, word: str) -> str:
        """Put an address for the name of a Service, as the cluster's DNS would."""
        host = re.search(r"http://([a-z0-9-]+):", word)
        if host is None:
            return word
        path = f"/api/v1/namespaces/{pod.manifest['metadata']['namespace']}"
        selector = self.api.get(f"{path}/services/{host[1]}")["spec"]["selector"]
        wanted = ",".join(f"{name}={value}" for name, value in selector.items())
        selected = {each["metadata"]["uid"] for each in self.api.items(f"{path}/pods?labelSelector={wanted}")}
        ready = [each.address for uid, each in self.pods.items() if uid in selected and each.told.get("ready")]
        return word.replace(host[1], ready[0]) if ready else word

    def _report(self, pod: Pod) -> None:
        for container in pod.containers:
            ended = pod.processes[container["name"]].poll() is not None
            if ended and pod.manifest["spec"]["restartPolicy"] == "Always":
                pod.restarts[container["name"]] = pod.restarts.get(container["name"], 0) + 1
                self._run(pod, container)
        codes = [process.poll() for process in pod.processes.values()]
        phase = "Running" if None in codes else "Failed" if any(codes) else "Succeeded"
        statuses = [self._status(pod, container) for container in pod.containers]
        ready = all(each["ready"] for each in statuses)
        told = {
            "phase": phase, "podIP": pod.address, "podIPs": [{"ip": pod.address}], "hostIP": "127.0.0.1",
            "conditions": [_condition("Ready", ready), _condition("ContainersReady", ready)],
            "containerStatuses": statuses,
        }  # fmt: skip
        if (phase, statuses) != (pod.told.get("phase"), pod.told.get("containerStatuses")):
            self.api.patch(f"{pod.path}/status", {"status": told})
            pod.told = told | {"ready": ready}

    def _status(self, pod: Pod, container: Json) -> Json:
        code = pod.processes[container["name"]].poll()
        state: Json = {"running": {}}
        if code is not None:
            state = {"terminated": {"exitCode": code % 256, "reason": "Error" if code else "Completed"}}
        return {
            "name": container["name"], "image": container["image"], "imageID": "", "state": state,
            "ready": pod.ready(container), "restartCount": pod.restarts.get(container["name"], 0),
        }  # fmt: skip

    def _end(self, pod: Pod, grace_seconds: int) -> None:
        if pod.stopping is None:
            pod.stopping = time.monotonic()
            for process in pod.processes.values():
                process.send_signal(signal.SIGTERM)
        seconds = time.monotonic() - pod.stopping
        if pod.ended() or seconds > grace_seconds:
            codes = [process.poll() for process in pod.processes.values()]
            self._kill(pod)
            name = pod.manifest["metadata"]["name"]
            self.seen.append(f"{name} ended with {codes} after {seconds:.1f} of {grace_seconds} s")
            self.api.delete(pod.path, {"gracePeriodSeconds": 0})

    @staticmethod
    def _kill(pod: Pod) -> None:
        for process in pod.processes.values():
            process.kill()
            process.wait()

    def _free_address(self) -> str:
        while True:
            address = f"127.0.77.{next(self._addresses)}"
            with socket.socket() as probe:
                if probe.connect_ex((address, 6066)) != 0:
                    return address

    def _serve_logs(self, port: int) -> None:
        """Answer the API server when somebody asks for a pod's log."""
        node = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, _, namespace, name, container = self.path.partition("?")[0].split("/")
                pods = [pod for pod in node.pods.values() if pod.path == f"/api/v1/namespaces/{namespace}/pods/{name}"]
                self.send_response(200 if pods else 404)
                self.end_headers()
                if pods:
                    self.wfile.write(pods[0].log(container).read_bytes())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._logs = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.api.certificate, self.api.key)
        self._logs.socket = context.wrap_socket(self._logs.socket, server_side=True)
        threading.Thread(target=self._logs.serve_forever, daemon=True).start()


def _condition(name: str, met: bool) -> Json:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": name, "status": str(met), "lastTransitionTime": now}
