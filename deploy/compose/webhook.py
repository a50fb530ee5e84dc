"""Prints what Alertmanager sends, one line an alert: something to see before you put your own receiver in."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Webhook(BaseHTTPRequestHandler):
    """Takes Alertmanager's POST."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for alert in json.loads(body)["alerts"]:
            labels, said = alert["labels"], alert["annotations"]
            what = f"{labels['severity']} {labels['alertname']}: {said['summary']}. {said['description']}"
            print(f"{alert['status']} {what} [{said['runbook_url']}]", flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


if __name__ == "__main__":
    HTTPServer(("", int(sys.argv[1])), Webhook).serve_forever()
