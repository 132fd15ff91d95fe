"""Messages arrive whole however they are cut; nonsense is told; sockets have no limit to their folder's name."""

from __future__ import annotations

import json
import struct

import pytest

from airflow_mlplat.data.shared.protocol import MESSAGE_BYTES, Inbox, ProtocolError, connect, listen, pack


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_messages_in_parts(size):
    sent = pack("next", epoch=1, position=8, released=[1, 2]) + pack("stats") + pack("wait")
    inbox, found = Inbox(), []
    for start in range(0, len(sent), size):
        found += inbox.feed(sent[start : start + size])
    assert found == [
        {"type": "next", "epoch": 1, "position": 8, "released": [1, 2]}, {"type": "stats"}, {"type": "wait"},
    ]  # fmt: skip


def framed(content):
    return struct.pack(">I", len(content)) + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack(">I", MESSAGE_BYTES + 1), r"message is too long; expected at most 65536 bytes; got 65537\."),
        (framed(b"{"), r"message is not JSON; got b'{'\."),
        (framed(b"\xff"), r"message is not JSON"),
        (framed(b'{"type": "wait"} {}'), r"message is not JSON; got b'{"),
        (framed(b"[" * 60_000), r"message is not JSON; got b'\[+'\."),
        (framed(b"[]"), r"message is of no known type; expected hello \| next \| .*; got b'\[\]'\."),
        (framed(b'{"type": []}'), r"message is of no known type"),
        (framed(b'{"type": "x"}'), r"message is of no known type"),
        (
            framed(json.dumps({"type": "next", "epoch": True, "position": 1, "released": []}).encode()),
            r"'next' has the wrong fields; expected epoch: int, position: int, released: list; got b'{",
        ),
        (pack("wait", more=1), r"'wait' has the wrong fields; expected ; got"),
        (pack("hello", identity="x"), r"'hello' has the wrong fields; expected identity: str, epochs: int; got"),
    ],
)
def test_nonsense(content, message):
    with pytest.raises(ProtocolError, match=message):
        Inbox().feed(content)


@pytest.mark.parametrize("name", ["short", "long" * 40])
def test_sockets(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(FileNotFoundError):
        connect(folder)
    with listen(folder) as listener, connect(folder) as client:
        accepted, _ = listener.accept()
        client.sendall(pack("stats"))
        assert Inbox().feed(accepted.recv(100)) == [{"type": "stats"}]
        accepted.close()
        with pytest.raises(OSError, match="in use"):
            listen(folder)
    with pytest.raises(ConnectionRefusedError):
        connect(folder)
