"""Another PoP that this endpoint speaks for: its agent interface over HTTPS."""

import json
import ssl
import urllib.error
import urllib.request

from book import Refused
from settings import secret_in

SECONDS = 3
ANSWER_MAX = 256 * 1024


class Other:
    def __init__(self, entry):
        self.url = entry["url"].rstrip("/")
        self.secret = secret_in(entry["secret_file"])
        self.context = ssl.create_default_context(cafile=entry.get("ca_file")) \
            if self.url.startswith("https:") else None
        self.name = None  # until it has answered once

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS, context=self.context) as answer:
                return json.loads(answer.read(ANSWER_MAX))
        except urllib.error.HTTPError as error:
            told = json.loads(error.read(ANSWER_MAX) or b"{}").get("error", {})
            raise Refused(error.code, told.get("code", "failed"),
                          told.get("message", "the other PoP refuses")) from None
        except (OSError, ValueError):
            raise Refused(503, "pop_silent", "the other PoP does not answer; try again") from None

    def pop(self):
        told = self.ask("GET", "/v1/agent")
        self.name = told["name"]
        return told

    def put(self, box_id, body):
        return self.ask("PUT", f"/v1/agent/boxes/{box_id}/peers", body)

    def readd(self, box_id, body):
        return self.ask("POST", f"/v1/agent/boxes/{box_id}/readd", body)

    def remove(self, box_id):
        try:
            self.ask("DELETE", f"/v1/agent/boxes/{box_id}")
        except Refused as refused:
            if refused.code != "box_unknown":
                raise
