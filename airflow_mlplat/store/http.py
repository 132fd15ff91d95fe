"""A store behind a web server that answers ranges (RFC 9110, section 14), for reading, by the standard library."""

from __future__ import annotations

import base64
import http.client
import netrc
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import quote, urljoin, urlsplit

from airflow_mlplat.errors import ConfigError, NotFoundError, StoreError
from airflow_mlplat.store.read_only import ReadOnly
from airflow_mlplat.store.retry import Result, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mlplat.store.backend import Entry

ATTEMPTS = 4
"""Of a request: a server that restarts should not cost a job."""
TIMEOUT_SECONDS = 30.0
"""Without a single byte."""
REDIRECTS = 5
"""Followed for one request."""

_OK, _PART, _GONE, _BEYOND, _PASSING = 200, 206, (404, 410), 416, (408, 425, 429)
_MOVED = (301, 302, 303, 307, 308)


class _StatusError(Exception):
    """An answer that has not what was asked for.

    Args:
        status: Of HTTP.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class HttpBackend(ReadOnly):
    """Files below a URL. Safe to share between threads; connections are kept alive and used again.

    Args:
        url: `http://host/path` or `https://…`, without a user or password: jobs, lineage and messages tell it. Those
            that `~/.netrc` has for the host are sent as Basic authentication, by every process that opens the store.

    Raises:
        ConfigError: It names no host, has a query, or has a user or password.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if not parts.hostname or parts.query or parts.fragment:
            raise ConfigError("no URL of a web store", expected="http://host/path, without a query")
        if "@" in parts.netloc:
            raise ConfigError(
                f"the URL of the web store {parts.hostname} has credentials",
                expected="http://host/path",
                fix="put them into ~/.netrc, of every machine that opens the store",
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        host += f":{parts.port}" if parts.port else ""
        self.url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._headers = {"Accept-Encoding": "identity", **_authorization(parts.hostname)}
        self._pid, self._idle = os.getpid(), {}  # type: int, dict[tuple[str, str], deque[Any]]

    def close(self) -> None:
        """Close the idle connections; the next request opens one."""
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            _close_all(connections)

    def __del__(self) -> None:
        if hasattr(self, "_idle"):
            self.close()

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        return self._ask("GET", path, {}, lambda answer: answer.read())

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[: self.read_into(path, offset, memoryview(buffer))])

    def read_into(self, path: str, offset: int, buffer: memoryview) -> int:
        """The same without a copy: fill a buffer; how many bytes there were."""
        if not len(buffer):
            return 0
        wanted = {"Range": f"bytes={offset}-{offset + len(buffer) - 1}"}
        return self._ask("GET", path, wanted, lambda answer: self._fill(answer, path, offset, buffer))

    def _fill(self, answer: http.client.HTTPResponse, path: str, offset: int, buffer: memoryview) -> int:
        if answer.status == _BEYOND:
            answer.read()
            return 0
        begins = (answer.getheader("Content-Range") or "").startswith(f"bytes {offset}-")
        length = _length(answer)
        if answer.status != _PART or not begins or length is None or length > len(buffer):
            raise StoreError(
                f"{self.url} does not answer ranges of {path}",
                expected=f"206 from byte {offset}, of {len(buffer)} bytes at most", got=_told(answer),
            )  # fmt: skip
        done = 0
        while done < length:
            count = answer.readinto(buffer[done:length])
            if not count:
                raise http.client.IncompleteRead(b"", length - done)
            done += count
        answer.read()  # nothing: the connection may be used again
        return done

    def size(self, path: str) -> int:
        """Size in bytes."""
        length = self._ask("HEAD", path, {}, _drained_length)
        if length is None:
            raise StoreError(f"{self.url} does not tell the size of {path}", expected="Content-Length")
        return length

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        try:
            self._ask("HEAD", path, {}, lambda answer: answer.read())
        except NotFoundError:
            return False
        return True

    def list(self, prefix: str) -> Iterator[Entry]:
        """Not to be had: HTTP knows no folders.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"the store {self.url} cannot be listed", fix="list it where it is kept, not through HTTP")

    def _ask(
        self, method: str, path: str, headers: dict[str, str], take: Callable[[http.client.HTTPResponse], Result]
    ) -> Result:
        """One request, repeated when a failure may pass."""
        url = f"{self.url}/{quote(path)}"
        try:
            return repeated(lambda: self._once(method, url, {**self._headers, **headers}, take), _may_pass, ATTEMPTS)
        except _StatusError as refused:
            if refused.status in _GONE:
                raise NotFoundError(f"{path} is not in the store {self.url}") from refused
            raise StoreError(f"{path} cannot be read from {self.url}", got=f"HTTP status {refused.status}") from refused
        except (OSError, http.client.HTTPException) as error:
            fault = f"{type(error).__name__}: {error}"
            raise StoreError(f"{path} cannot be read from {self.url}", got=fault) from error

    def _once(
        self, method: str, url: str, headers: dict[str, str], take: Callable[[http.client.HTTPResponse], Result]
    ) -> Result:
        """What was taken of the answer, after redirects.

        Raises:
            _StatusError: The answer is another.
        """
        origin = urlsplit(url)[:2]
        for _ in range(REDIRECTS + 1):
            parts = urlsplit(url)
            if parts[:2] != origin:  # credentials are for the host that they were given for
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            connection = self._connection(parts[0], parts[1])
            try:
                connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers)
                answer = connection.getresponse()
                moved = answer.getheader("Location") if answer.status in _MOVED else None
                good = answer.status in (_OK, _PART) or (answer.status == _BEYOND and "Range" in headers)
                result = (take(answer),) if good else ()
                if not good:
                    answer.read()
            except BaseException:
                connection.close()
                _close_all(self._connections(parts[0], parts[1]))  # a server drops idle ones together: try a fresh one
                raise
            self._connections(parts[0], parts[1]).append(connection)
            if result:
                return result[0]
            if not moved:
                raise _StatusError(answer.status)
            url = urljoin(url, moved)
        raise http.client.HTTPException(f"more than {REDIRECTS} redirects")

    def _connections(self, scheme: str, host: str) -> deque[Any]:
        if self._pid != os.getpid():  # after a fork: what the parent speaks on must not be spoken on here
            self._pid = os.getpid()
            self.close()
        return self._idle.setdefault((scheme, host), deque())

    def _connection(self, scheme: str, host: str) -> http.client.HTTPConnection:
        idle = self._connections(scheme, host)
        try:
            return idle.pop()
        except IndexError:
            pass
        if scheme not in _CONNECTIONS:
            raise http.client.HTTPException(f"redirected to {scheme}://")
        return _CONNECTIONS[scheme](host.rpartition("@")[2], timeout=TIMEOUT_SECONDS)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, _StatusError):
        return error.status >= 500 or error.status in _PASSING
    return isinstance(error, (OSError, http.client.HTTPException))


def _close_all(connections: deque[Any]) -> None:
    with suppress(IndexError):  # another thread may have taken the last one
        while connections:
            connections.pop().close()


def _told(answer: http.client.HTTPResponse) -> str:
    """What an answer says that it holds, for messages."""
    names = ("Content-Range", "Content-Length")
    return ", ".join([str(answer.status), *(f"{name} {answer.getheader(name, 'missing')}" for name in names)])


def _length(answer: http.client.HTTPResponse) -> int | None:
    """Of its body, in bytes; None where the server says none, or no number."""
    text = (answer.getheader("Content-Length") or "").strip(" \t")  # RFC 9110, section 5.5
    return int(text) if text.isascii() and text.isdigit() else None


def _drained_length(answer: http.client.HTTPResponse) -> int | None:
    answer.read()
    return _length(answer)


_CONNECTIONS: dict[str, Callable[..., http.client.HTTPConnection]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


def _authorization(host: str) -> dict[str, str]:
    try:
        found = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return {}
    if not found:
        return {}
    token = base64.b64encode(f"{found[0]}:{found[2] or ''}".encode()).decode()
    return {"Authorization": f"Basic {token}"}
