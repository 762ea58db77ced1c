"""Receives events and verifies them with the published Standard Webhooks library.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_… python3 examples/receiver.py
"""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

# The answer to POST /notifications/v1/webhook_endpoints shows the secret, once.
verifier = Webhook(os.environ["WEBHOOK_SECRET"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        # The bytes as they came: a body that was parsed and written anew has another signature.
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = verifier.verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            print("refused:", error, flush=True)
            self.send_response(401)
        else:
            # The same event may come more than once: its id tells.
            print(event["id"], event["type"], event["data"], flush=True)
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver)
print(f"waiting for events on http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
