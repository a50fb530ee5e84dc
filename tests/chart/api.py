"""A real Kubernetes API server with etcd and the controllers, on free loopback ports, and a way to talk to it."""

from __future__ import annotations

import atexit
import json
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.broker.kafka import free_ports
from tests.chart import tools

VERSION = "1.34.1"
FOLDER = tools.CACHE / f"kubernetes-{VERSION}"
PROGRAMS = ("kube-apiserver", "kube-controller-manager")
CONTROLLERS = (
    "deployment", "replicaset", "job", "disruption", "garbage-collector", "namespace", "serviceaccount",
)  # fmt: skip
START_SECONDS_MAX = 120
TOKEN = "admin-of-a-test"

Json = dict[str, Any]


def missing() -> str | None:
    """Say why no API server can run here, or None where one can."""
    wanted = ["etcd", "openssl"] if _built() else ["etcd", "openssl", "go"]
    lacking = [name for name in wanted if shutil.which(name) is None]
    return f"a Kubernetes API server needs {' and '.join(lacking)} on the PATH" if lacking else None


def programs() -> Path:
    """Return the folder with the API server and the controllers, built by Go on the first call: some minutes."""
    if not _built():
        FOLDER.mkdir(parents=True, exist_ok=True)
        source = FOLDER / "source"
        if not source.is_dir():
            scratch = FOLDER / "source.part"
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(tools.fetched(f"k8s.io/kubernetes@v{VERSION}"), scratch, copy_function=shutil.copyfile)
            for folder in [scratch, *(path for path in scratch.rglob("*") if path.is_dir())]:
                folder.chmod(0o755)  # Go's own copy is read-only
            _point_at_published_modules(scratch)
            scratch.rename(source)
        for name in PROGRAMS:
            # A server that does not say its version is one that charts refuse.
            flags = f"-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v{VERSION}"
            go = ("build", "-mod=mod", "-trimpath", flags, "-o", str(FOLDER / name), f"./cmd/{name}")
            tools.go(*go, cwd=source, CGO_ENABLED="0", GOWORK="off")
        shutil.rmtree(source)
    return FOLDER


def _built() -> bool:
    return all((FOLDER / name).is_file() for name in PROGRAMS)


def _point_at_published_modules(source: Path) -> None:
    # In the repository the libraries lie in a folder beside; the module has only their names.
    module, published = source / "go.mod", f"v0.{VERSION.partition('.')[2]}"
    lines = module.read_text().splitlines()
    for number, line in enumerate(lines):
        if "=> ./staging/" in line:
            name = line.split()[0]
            lines[number] = f"\t{name} => {name} {published}"
    module.write_text("\n".join(lines) + "\n")


class ApiServer:
    """An API server with its etcd and its controllers.

    Parameters
    ----------
    folder
        Where keys, data and logs go.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._etcd_port, self._peer_port, self.port, self._manager_port = free_ports(4)
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = folder / "kubeconfig"
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._trust = ssl.create_default_context()
        self._trust.check_hostname, self._trust.verify_mode = False, ssl.CERT_NONE  # loopback, made a moment ago

    def start(self) -> ApiServer:
        atexit.register(self.stop)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_files()
        etcd = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._peer_port}"
        self._run("etcd", f"--data-dir={self.folder / 'etcd'}", f"--listen-client-urls={etcd}",
                  f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}", f"--initial-cluster=default={peer}",
                  f"--initial-advertise-peer-urls={peer}", "--unsafe-no-fsync")  # fmt: skip
        self._run("kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                  f"--tls-cert-file={self.certificate}", f"--tls-private-key-file={self.key}",
                  f"--token-auth-file={self.folder / 'tokens'}", "--authorization-mode=RBAC",
                  "--endpoint-reconciler-type=none",
                  "--service-account-issuer=https://127.0.0.1", f"--service-account-key-file={self.key}",
                  f"--service-account-signing-key-file={self.key}",
                  "--service-cluster-ip-range=10.0.0.0/24")  # fmt: skip
        self._wait("the API server", lambda: self.get("/readyz", text=True))
        self._run("kube-controller-manager", f"--kubeconfig={self.kubeconfig}", f"--secure-port={self._manager_port}",
                  "--bind-address=127.0.0.1", "--leader-elect=false", f"--service-account-private-key-file={self.key}",
                  f"--controllers={','.join(f'{name}-controller' for name in CONTROLLERS)}")  # fmt: skip
        self._wait("the controllers", lambda: self.get("/api/v1/namespaces/default/serviceaccounts/default"))
        return self

    def stop(self) -> None:
        atexit.unregister(self.stop)
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait()

    def get(self, path: str, *, text: bool = False) -> Any:
        answer = self._ask("GET", path)
        return answer.decode() if text else json.loads(answer)

    def post(self, path: str, body: Json) -> Any:
        return json.loads(self._ask("POST", path, body))

    def patch(self, path: str, body: Json) -> Any:
        return json.loads(self._ask("PATCH", path, body, "application/merge-patch+json"))

    def delete(self, path: str, body: Json | None = None) -> None:
        self._ask("DELETE", path, body)

    def items(self, path: str) -> list[Json]:
        return list(self.get(path)["items"])

    def _ask(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> bytes:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._trust) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                error.add_note(error.read().decode(errors="replace")[:2000])
            raise

    def _write_files(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        (self.folder / "tokens").write_text(f"{TOKEN},admin,1,system:masters\n")
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "test",
                    "clusters": [{"name": "test", "cluster": cluster}],
                    "users": [{"name": "test", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                }
            )
        )  # fmt: skip

    def _run(self, name: str, *flags: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [str(programs() / name) if name in PROGRAMS else name, *flags]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))

    def _wait(self, what: str, answers: Any) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                answers()
            except (urllib.error.URLError, OSError):
                dead = [process.args[0] for process in self._processes if process.poll() is not None]
                if dead or time.monotonic() > deadline:
                    logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
                    self.stop()
                    msg = f"{what} did not start; {dead} ended:\n{logs}"
                    raise RuntimeError(msg) from None
                time.sleep(0.2)
            else:
                return
