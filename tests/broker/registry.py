"""A schema registry on a loopback port that can be away, slow, or talk nonsense."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from streams.resources import schema_text
from streams.topics import declared

MODES = ("away", "slow", "nonsense", "failing")
_SLOW_SECONDS = 2.0
_NONSENSE = b"<html>Welcome to nginx!</html>"


class StandIn:
    """Speaks the two end-points that a worker needs, and answers as its ``mode`` says: "fine" or one of ``MODES``."""

    def __init__(self) -> None:
        self.mode = "fine"
        self.asked = 0
        known = [(topic.schema_id, topic.schema, topic.subject) for topic in declared("") if topic.schema]
        self._schemas = {number: schema_text(name) for number, name, _ in known}
        self._subjects = {subject: (number, json.loads(schema_text(name))) for number, name, subject in known}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Return what an honest registry says."""
        parts = path.strip("/").split("/")
        if method == "GET" and parts[:2] == ["schemas", "ids"] and int(parts[2]) in self._schemas:
            return 200, json.dumps({"schema": self._schemas[int(parts[2])]}).encode()
        if method == "POST" and parts[0] == "subjects" and len(parts) == 2 and parts[1] in self._subjects:
            number, schema = self._subjects[parts[1]]
            if json.loads(json.loads(body)["schema"]) == schema:
                return 200, json.dumps({"id": number, "subject": parts[1], "version": 1}).encode()
        return 404, b'{"error_code": 40403, "message": "not found"}'

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                stand_in.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                mode = stand_in.mode
                if mode == "away":
                    self.close_connection = True
                    return
                if mode == "slow":
                    time.sleep(_SLOW_SECONDS)
                status, content = stand_in.answer(self.command, self.path, body)
                if mode == "nonsense":
                    status, content = 200, _NONSENSE
                if mode == "failing":
                    status, content = 503, b"{}"
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = _serve  # noqa: N815 - so the library asks for them

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler
