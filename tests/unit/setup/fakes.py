"""A hub on loopback, tiny weights, tiny wheels, programs that are shell scripts."""

import hashlib
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from voicestack.setup.manifest import Model, Source, Variant, WeightFile

REVISION = "a" * 40


class FakeHub:
    """Serves files by range; can cut, ignore ranges, answer errors, or hold half-way."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges: list[str | None] = []  # the Range header of each request
        self.cuts = 0  # this many answers end half-way
        self.cut_at_zero = False
        self.ignores_ranges = False
        self.status = 200
        self.hold: threading.Event | None = None  # half is sent, then nothing until it is set
        self.half_sent = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        if self.hold:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                hub.ranges.append(asked)
                body = hub.files.get(self.path)
                if body is None or hub.status != 200:
                    self.send_error(404 if body is None else hub.status)
                    return
                start = int(asked[6:-1]) if asked and not hub.ignores_ranges else 0
                rest = body[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                half = 0 if hub.cut_at_zero else len(rest) // 2
                if hub.cuts:
                    hub.cuts -= 1
                    self.wfile.write(rest[:half])
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if hub.hold:
                    self.wfile.write(rest[:half])
                    self.wfile.flush()
                    hub.half_sent.set()
                    hub.hold.wait(20)
                    return
                self.wfile.write(rest)

        return Handler


def weight_file(name: str, body: bytes, *parts: str) -> WeightFile:
    return WeightFile(name, len(body), hashlib.sha256(body).hexdigest(), parts or (name,))


def hub_variant(*files: WeightFile) -> Variant:
    return Variant(Source.HUB, files, "org/model", REVISION)


def url_path(name: str) -> str:
    return f"/org/model/resolve/{REVISION}/{name}"


def model(*variants: Variant, name: str = "tiny", kind: str = "stt") -> Model:
    return Model(name, kind, "for tests", "none", variants)


def program(path: Path, script: str) -> Path:
    """Write a shell script that stands in for a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def wheel(folder: Path, package: str, members: dict[str, bytes], version: str = "1.0.0") -> str:
    """Write a wheel that pip accepts; return its line for a requirement file."""
    folder.mkdir(parents=True, exist_ok=True)
    name = package.replace("-", "_")
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for member, body in members.items():
            entry = zipfile.ZipInfo(member)
            entry.external_attr = (0o755 if "bin/" in member else 0o644) << 16
            archive.writestr(entry, body)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{package}=={version} \\\n    --hash=sha256:{digest}\n    # via -r models.in\n"
