"""A consumer as its server sees it."""

from __future__ import annotations

import socket
from typing import Any

from airflow_mlplat.data.shared.pace import Place
from airflow_mlplat.data.shared.protocol import Inbox, pack
from airflow_mlplat.data.shared.slots import Slot


class Peer:
    """One connection, and what is known of who is at its other end.

    Args:
        number: Its name.
        connection: Accepted.
    """

    def __init__(self, number: int, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.number, self.connection = number, connection
        self.known = False
        """Whether it said hello."""
        self.asked = False
        """Whether it ever asked for a batch."""
        self.epochs = 0
        """How many it wants."""
        self.place: Place | None = None
        """Of the batch that it waits for."""
        self.expelled = False
        """Whether it was since it took part last."""
        self.leases: dict[int, Slot] = {}
        """Number of each lease → the slot that it looks at."""
        self._inbox = Inbox()

    def receive(self) -> list[dict[str, Any]]:
        """Messages that have come.

        Raises:
            OSError: The connection has ended.
            ProtocolError: What has come is no message.
        """
        try:
            content = self.connection.recv(1 << 16)
        except BlockingIOError:
            return []
        if not content:
            raise ConnectionResetError("closed by the consumer")
        return self._inbox.feed(content)

    def send(self, kind: str, **fields: Any) -> bool:
        """Send a message. False if that cannot be done at once: the other end has gone, or reads nothing."""
        message = pack(kind, **fields)
        try:
            return self.connection.send(message) == len(message)
        except OSError:
            return False
