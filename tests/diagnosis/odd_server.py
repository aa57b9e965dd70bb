"""A server that is well and fails every request: `python -m tests.diagnosis.odd_server PORT`."""

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Odd(BaseHTTPRequestHandler):
    """As livekit-server would look with a fault that nobody has described."""

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK, b"OK")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"out of cheese")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Odd).serve_forever()
