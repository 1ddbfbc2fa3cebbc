"""What may stand between the daemon and the platform: it passes requests on, and may give up before the platform does."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.sandbox import PREFIX

PASSED_ON = ("content-type", "elements-next-page-token")


class Gateway:
    """In front of a sandbox; the first POST of each name in `gives_up` is answered by its (status, content type, body)
    and carried out by the platform `late` seconds later."""

    def __init__(self, platform, gives_up, late):
        self.platform, self.gives_up, self.late = platform, dict(gives_up), late
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def send(self, status, headers, body):
                self.send_response(status)
                for key, value in headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.send(*gateway.pass_on(self.command, self.path, self.headers, None))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = gateway.gives_up.pop(json.loads(body)["name"], None)
                if not answer:
                    self.send(*gateway.pass_on("POST", self.path, self.headers, body))
                    return
                gateway.pass_on_late("POST", self.path, self.headers, body)
                status, content_type, text = answer
                self.send(status, [("Content-Type", content_type)], text.encode())

        self.threads = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}{PREFIX}"

    def pass_on(self, method, path, headers, body):
        """The platform's answer: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.platform.port, timeout=20)
        try:
            sent = {key: value for key, value in headers.items() if key.lower() not in ("host", "connection")}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, [pair for pair in answer.getheaders() if pair[0].lower() in PASSED_ON], answer.read()
        finally:
            connection.close()

    def pass_on_late(self, *request):
        def later():
            time.sleep(self.late)
            self.pass_on(*request)

        self.threads.append(threading.Thread(target=later, daemon=True))
        self.threads[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join(20)
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(20)
