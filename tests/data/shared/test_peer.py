"""A server never waits for a consumer."""

from __future__ import annotations

import socket

import pytest

from airflow_mlplat.data.shared.peer import Peer
from airflow_mlplat.data.shared.protocol import Inbox, ProtocolError, pack


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield Peer(3, one), other


def test_messages(ends):
    peer, other = ends
    assert peer.receive() == []
    assert peer.send("wait")
    assert Inbox().feed(other.recv(100)) == [{"type": "wait"}]
    other.sendall(pack("stats") + pack("stats")[:3])
    assert peer.receive() == [{"type": "stats"}]
    other.sendall(pack("stats")[3:] + b"!" * 20)
    with pytest.raises(ProtocolError):
        peer.receive()


def test_one_that_went_away(ends):
    peer, other = ends
    other.close()
    with pytest.raises(ConnectionResetError, match="closed by the consumer"):
        peer.receive()
    assert not peer.send("wait")


def test_one_that_does_not_read(ends):
    peer, _ = ends
    assert any(not peer.send("refused", reason="x" * 1000) for _ in range(10_000))
