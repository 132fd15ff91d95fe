"""A web server of a folder that answers ranges like a distant store: some time to the first byte, a bandwidth for each
connection. Counts what it sends. `python range_server.py FOLDER` prints its URL; SIGTERM ends it.

    GET /.sent             bytes of bodies sent so far, in JSON with the number of requests
    POST /.fail?status=503&count=2     the next two requests for files are answered so
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

PIECE_BYTES = 512 << 10
"""Between two looks at the clock: five milliseconds at 100 MB/s."""


class Server(ThreadingHTTPServer):
    """Serves until `shutdown`.

    Args:
        folder: What is served.
        latency_seconds: Before the first byte of every answer.
        bandwidth: Bytes a second of each connection; 0 for no limit.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, folder: Path, latency_seconds: float = 0.02, bandwidth: float = 100e6, port: int = 0) -> None:
        self.folder, self.latency_seconds, self.bandwidth = folder, latency_seconds, bandwidth
        self.sent = self.requests = 0
        self.failures: list[int] = []
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *arguments) -> None:
        """Quiet."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.server.failures = [int(query["status"][0])] * int(query["count"][0])
        self._answer(200, b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/.sent":
            self._answer(200, json.dumps({"bytes": self.server.sent, "requests": self.server.requests}).encode())
            return
        with self.server.lock:
            self.server.requests += 1
            failure = self.server.failures.pop() if self.server.failures else 0
        time.sleep(self.server.latency_seconds)
        if failure:
            self._answer(failure, b"")
            return
        try:
            file = (self.server.folder / unquote(urlsplit(self.path).path).lstrip("/")).open("rb")
        except OSError:
            self._answer(404, b"")
            return
        with file:
            self._send_file(file)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, file) -> None:
        size = os.fstat(file.fileno()).st_size
        start, stop, status = 0, size, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            start, stop, status = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else size, size), 206
            if start >= size:
                self._answer(416, b"")
                return
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.end_headers()
        self.wfile.flush()
        if self.command == "GET":
            self._pour(file, start, stop)

    def _pour(self, file, start: int, stop: int) -> None:
        began, first = time.monotonic(), start
        while start < stop:
            piece, count = min(PIECE_BYTES, stop - start), 0
            self._count(piece)  # before it is sent: whoever has read it finds it counted
            try:
                count = os.sendfile(self.connection.fileno(), file.fileno(), start, piece)
            finally:
                self._count(count - piece)
            if not count:
                self.close_connection = True  # the file became shorter
                return
            start += count
            if self.server.bandwidth:
                early = began + (start - first) / self.server.bandwidth - time.monotonic()
                if early > 0:
                    time.sleep(early)

    def _count(self, sent: int) -> None:
        with self.server.lock:
            self.server.sent += sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency-seconds", type=float, default=0.02)
    parser.add_argument("--bandwidth", type=float, default=100e6, help="bytes a second of each connection; 0: no limit")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = Server(options.folder, options.latency_seconds, options.bandwidth, options.port)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
