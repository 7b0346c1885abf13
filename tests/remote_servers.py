"""Servers on this machine that hold files: S3 (moto's), and one for the web that fails as it is told to."""

import base64
import hashlib
import logging
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec


@dataclass
class WebFaults:
    """What a `WebServer` does wrong.

    Attributes:
        ranges: it knows them.
        tags: it gives ETags.
        cut_after: so many bytes of an answer come, then the connection breaks; so many times.
        errors: so many answers are HTTP 503.
        heads: it answers HEAD.
        bytes_per_s: how fast it is.
    """

    ranges: bool = True
    tags: bool = True
    cut_after: int = 0
    cuts: int = 0
    errors: int = 0
    heads: bool = True
    bytes_per_s: float = 0.0


@dataclass
class WebServer:
    """Serves `files` by path. `redirects` lead from a path to an address; `requests` were made: method, path, range."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    faults: WebFaults = field(default_factory=WebFaults)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    change_after: dict[str, bytes] = field(default_factory=dict)
    sent: int = 0
    password: str = ""

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


class _Handler(BaseHTTPRequestHandler):
    files: WebServer

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        faults, asked = self.files.faults, self.headers.get("Range", "")
        self.files.requests.append((self.command, self.path, asked))
        wanted = "Basic " + base64.b64encode(self.files.password.encode()).decode()
        if self.files.password and self.headers.get("Authorization") != wanted:
            self._end(401)
        elif self.path in self.files.redirects:
            self._end(302, {"Location": self.files.redirects[self.path]})
        elif faults.errors > 0:
            faults.errors -= 1
            self._end(503)
        elif not body and not faults.heads:
            self._end(405)
        elif self.path not in self.files.files:
            self._end(404)
        else:
            self._send(self.files.files[self.path], asked if faults.ranges else "", body)

    def _end(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data: bytes, asked: str, body: bool) -> None:
        faults, tag = self.files.faults, f'"{hashlib.md5(data).hexdigest()}"'
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        start, end = 0, len(data)
        if match and self.headers.get("If-Range", tag) == tag:
            start, end = int(match[1]), int(match[2]) + 1 if match[2] else len(data)
            if start >= len(data):
                self._end(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        if faults.tags:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if body:
            self._body(data[start:end])

    def _body(self, data: bytes) -> None:
        faults = self.files.faults
        cut = faults.cuts > 0 and len(data) > faults.cut_after
        if cut:
            faults.cuts -= 1
            data = data[: faults.cut_after]
        piece = max(1, int(faults.bytes_per_s / 20)) if faults.bytes_per_s else len(data) or 1
        for place in range(0, len(data), piece):
            self.wfile.write(data[place : place + piece])
            self.files.sent += len(data[place : place + piece])
            if faults.bytes_per_s:
                time.sleep(0.05)
        if self.path in self.files.change_after:
            self.files.files[self.path] = self.files.change_after.pop(self.path)
        if cut:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server() -> Iterator[WebServer]:
    """On a free port, as long as the context lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        http.daemon_threads = True
        server = WebServer(f"http://127.0.0.1:{http.server_port}")
        http.RequestHandlerClass = type("Handler", (_Handler,), {"files": server})
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def s3_bucket(url: str, setenv: Callable[[str, str], None]) -> Iterator[str]:
    """Make a bucket, and say in the environment how to reach it."""
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "very-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        setenv(name, value)
    name = f"walks-{uuid.uuid4().hex[:8]}"
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir(name)
    yield f"s3://{name}"
    files.rm(name, recursive=True)
