"""What server and consumers tell each other: small JSON messages over a Unix socket, each after its length.

A consumer says `hello` once, then `next` for every batch; the server answers each `next` by one `batch`, `apart` or
`ended`, before which any number of `wait` may come: one in `HEARTBEAT_SECONDS`, so that a consumer can tell a server
that waits from one that hangs.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

from airflow_mlplat.errors import PlatformError

PROTOCOL = 1
"""Raised by one when a message changes its meaning; it is part of a stream's identity."""
HEARTBEAT_SECONDS = 1.0
MESSAGE_BYTES = 1 << 16
"""Of the largest message: what is larger is nonsense, and is not kept in memory to find out."""
SOCKET = "socket"

_LENGTH = struct.Struct(">I")
_JSON = json.JSONDecoder()
_PATH_BYTES = 107  # sizeof(sun_path) - 1, unix(7)
_FIELDS: dict[str, dict[str, Any]] = {
    "hello": {"identity": str, "epochs": int},
    "next": {"epoch": int, "position": int, "released": list},
    "stats": {},
    "welcome": {},
    "refused": {"reason": str},
    "batch": {"lease": int, "file": str, "arrays": dict, "epoch": int, "position": int},
    "apart": {"expelled": bool},
    "wait": {},
    "ended": {"reason": str},
    "counted": {
        "decoded": int, "expelled": int, "consumers": int, "gatherings": int, "cpu_seconds": float, "pid": int,
    },
}  # fmt: skip
"""Type of message → its fields and their types."""


class ProtocolError(PlatformError):
    """The other side sends what no message is."""


def pack(kind: str, **fields: Any) -> bytes:
    """A message as it goes over the wire.

    Args:
        kind: Its type.
        fields: As that type has them.
    """
    content = json.dumps({"type": kind, **fields}).encode()
    return _LENGTH.pack(len(content)) + content


class Inbox:
    """Makes messages of the bytes that arrive, in whatever parts they do."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, content: bytes) -> list[dict[str, Any]]:
        """The messages that are complete now.

        Raises:
            ProtocolError: They are too long, not JSON, or have the wrong fields.
        """
        self._bytes += content
        found = []
        while len(self._bytes) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._bytes)
            if size > MESSAGE_BYTES:
                raise ProtocolError("message is too long", expected=f"at most {MESSAGE_BYTES} bytes", got=size)
            end = _LENGTH.size + size
            if len(self._bytes) < end:
                break
            found.append(_parsed(bytes(self._bytes[_LENGTH.size : end])))
            del self._bytes[:end]
        return found


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        text = content.decode()
        message, end = _JSON.raw_decode(text)  # half of `json.loads`, of every message
        if end < len(text):
            raise ValueError("more than one document")
    except (ValueError, RecursionError) as error:
        raise ProtocolError("message is not JSON", got=repr(content[:80])) from error
    fields = _FIELDS.get(str(message.get("type"))) if isinstance(message, dict) else None
    if fields is None:
        raise ProtocolError("message is of no known type", expected=" | ".join(_FIELDS), got=repr(content[:80]))
    if set(message) != {"type", *fields} or any(type(message[name]) is not kind for name, kind in fields.items()):
        expected = ", ".join(f"{name}: {kind.__name__}" for name, kind in fields.items())
        raise ProtocolError(f"{message['type']!r} has the wrong fields", expected=expected, got=repr(content[:80]))
    return message


def connect(folder: Path) -> socket.socket:
    """A connection to the server of a folder.

    Raises:
        OSError: There is none.
    """
    return _at(folder, socket.socket.connect)


def listen(folder: Path) -> socket.socket:
    """A socket for a server in a folder, which must have none.

    Raises:
        OSError: The folder cannot have sockets, or is gone.
    """
    listener = _at(folder, socket.socket.bind)
    listener.listen(64)
    return listener


def _at(folder: Path, act: Any) -> socket.socket:
    """Bind or connect; a path that is too long for a socket's address is taken from the folder's descriptor."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path = os.fsencode(folder / SOCKET)
        act(made, path if len(path) <= _PATH_BYTES else f"/proc/self/fd/{held}/{SOCKET}".encode())
    except BaseException:
        made.close()
        raise
    finally:
        os.close(held)
    return made
