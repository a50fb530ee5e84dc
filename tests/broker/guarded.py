"""A Kafka that lets nobody in without TLS and a login or a certificate, and nobody do what no access list allows.

Its plain listener stays as it is, for the tests themselves: who comes in there may do everything.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)

from streams import cluster
from streams.access import Right
from streams.settings import Settings
from tests.broker.kafka import Kafka, free_ports

#: Nothing that is written anywhere may hold it.
SECRET = "hunter2-is-a-secret"
PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="{SECRET}";'
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
#: Who is who by certificate.
PRINCIPAL = {"LOGIN": "User:worker", "CERTIFICATE": "User:CN=worker"}
NEW_KEY = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


class Certificates:
    """An authority of one's own, and what it has signed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.authority = folder / "authority.crt"
        self._openssl(*NEW_KEY, "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", folder / "authority.key",
                      "-out", self.authority)  # fmt: skip
        for name in ("broker", "worker"):
            self._sign(name)

    def _sign(self, name: str) -> None:
        key, wanted, signed = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        self._openssl(*NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", wanted)
        names = self.folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", wanted, "-CA", self.authority, "-CAkey", self.folder / "authority.key",
                      "-CAcreateserial", "-days", "2", "-extfile", names, "-out", signed)  # fmt: skip
        (self.folder / f"{name}.pem").write_text(key.read_text() + signed.read_text())

    @staticmethod
    def _openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Guarded(Kafka):
    """The broker; ``address`` is where one logs in, ``certified`` where one shows a certificate."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.certificates = Certificates(folder / "certificates")
        ports = free_ports(2)
        self.address, self.certified = (f"127.0.0.1:{port}" for port in ports)
        more = {"LOGIN": ("SASL_SSL", self.address), "CERTIFICATE": ("SSL", self.certified)}
        listeners = "".join(f",{name}://{address}" for name, (_, address) in more.items())
        protocols = "".join(f",{name}:{protocol}" for name, (protocol, _) in more.items())
        for name, added in (("listeners", listeners), ("advertised.listeners", listeners)):
            self.properties[name] += added
        self.properties["listener.security.protocol.map"] += protocols
        pem = self.certificates.folder
        self.properties |= {
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM", "ssl.keystore.location": str(pem / "broker.pem"),
            "ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.certificates.authority),
            "listener.name.certificate.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": PLAIN,
            "listener.name.login.scram-sha-512.sasl.jaas.config": SCRAM,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }  # fmt: skip

    def start(self) -> Kafka:
        super().start()
        with cluster.admin(Settings(broker=self.bootstrap)) as client:
            client.alter_user_scram_credentials([UserScramCredentialUpsertion("worker", "SCRAM-SHA-512", SECRET)])
        return self

    def allow(self, rights: list[Right], listener: str = "LOGIN") -> None:
        """Make the access list exactly this."""
        wanted = [self._line(right, PRINCIPAL[listener]) for right in rights]
        anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        every = ACLFilter(PRINCIPAL[listener], "*", ACLOperation.ANY, ACLPermissionType.ANY, anything)
        with cluster.admin(Settings(broker=self.bootstrap)) as client:
            client.delete_acls([every])
            client.create_acls(wanted)

    @staticmethod
    def _line(right: Right, principal: str) -> ACL:
        kind = KINDS.get(right.kind, ResourceType.TRANSACTIONAL_ID)
        how = ACLResourcePatternType.LITERAL if right.kind in KINDS else ACLResourcePatternType.PREFIXED
        operation = ACLOperation[right.operation]
        return ACL(principal, "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, right.name, how))

    def login(self, mechanism: str = "SCRAM-SHA-512", password: str = SECRET) -> dict[str, str]:
        """Return the settings of a worker that logs in."""
        return {
            "broker": self.address, "security_protocol": "SASL_SSL", "ssl_cafile": str(self.certificates.authority),
            "sasl_mechanism": mechanism, "sasl_username": "worker", "sasl_password": password,
        }  # fmt: skip

    def certificate(self) -> dict[str, str]:
        """Return the settings of a worker that shows a certificate."""
        pem = self.certificates.folder
        return {
            "broker": self.certified, "security_protocol": "SSL", "ssl_cafile": str(self.certificates.authority),
            "ssl_certfile": str(pem / "worker.crt"), "ssl_keyfile": str(pem / "worker.key"),
        }  # fmt: skip
