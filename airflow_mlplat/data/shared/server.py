"""`python -m airflow_mlplat.data.shared.server DIRECTORY LOCK`: decode once for all consumers of a stream.

One thread speaks with all consumers and never waits for any of them; another one makes batches. The server ends when
it had no consumer for a while, when its folder is removed, at SIGTERM, and when a sample cannot be read: then every
consumer reads that sample itself, and tells its user as if there had been no server.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_mlplat.data.shared import protocol
from airflow_mlplat.data.shared.folder import Lock, clear
from airflow_mlplat.data.shared.pace import Pace
from airflow_mlplat.data.shared.peer import Peer
from airflow_mlplat.data.shared.producer import Producer, Product
from airflow_mlplat.data.shared.protocol import HEARTBEAT_SECONDS, ProtocolError
from airflow_mlplat.data.shared.slots import Slots
from airflow_mlplat.data.shared.spec import StreamSpec

_PAUSE_SECONDS = 0.01
TICK_SECONDS = 0.1
"""Between two looks at the clock; patience is measured by it."""
STALL_SECONDS = 1.0
"""More time than this between two looks is the machine's or the server's own fault, and no consumer's."""
MOST_LEASES = 6
"""Who holds more batches at once is sent away; our consumers never do, see `client.COPIED_FROM`."""


class Server:
    """Serves one stream until nobody wants it any more.

    Args:
        spec: Of the stream.
        listener: Bound and listening.
        lock: Of the stream's folder.
        spent_seconds: CPU time of the process that was forked to be this one: its start belongs to the decoding.
    """

    def __init__(self, spec: StreamSpec, listener: socket.socket, lock: Lock, spent_seconds: float = 0.0) -> None:
        self._spent = spent_seconds
        self._spec, self._stream, self._listener, self._folder_lock = spec, spec.stream, listener, lock
        self._slots = Slots(spec.folder, spec.options.batch_size)
        self._pace: Pace[Product] = Pace(self._stream.window, self._stream.patience_seconds, self._stream.consumers)
        self._producer = Producer(spec, self._slots)
        self._peers: dict[int, Peer] = {}
        self._count = self._leases = 0
        self._gathered, self._gatherings = False, 0
        self._ending = ""
        self._decoded = self._expelled = 0
        self._now = self._idle_since = self._gathering_since = self._beat = time.monotonic()
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._producer.bell, selectors.EVENT_READ, self._collect)

    def run(self) -> None:
        """Serve until the end."""
        signal.signal(signal.SIGTERM, lambda *_: self._end("it was told to end"))
        while not self._ending:
            for key, events in self._selector.select(TICK_SECONDS):
                key.data(events)
            self._tick()
        for peer in list(self._peers.values()):
            if peer.place is not None:
                peer.send("ended", reason=self._ending)
            self._lose(peer)
        self._producer.close()
        self._slots.close()

    def _end(self, reason: str) -> None:
        self._ending = self._ending or reason

    def _tick(self) -> None:
        """What depends on time."""
        last, self._now = self._now, time.monotonic()
        if self._peers:
            self._idle_since = self._now
        elif self._now - self._idle_since > self._stream.idle_seconds:
            self._end("it had no consumer")
        self._answer()  # so that whoever is in the way now is not one that waits itself
        if self._gathered and self._anyone_waits_for_others():
            for number in self._pace.hold_up(min(self._now - last, STALL_SECONDS)):
                self._expel(number)
        if self._now - self._beat > HEARTBEAT_SECONDS:
            self._beat = self._now
            if not self._folder_lock.is_current():
                self._end("its folder was removed")
            for peer in [peer for peer in self._peers.values() if peer.place is not None]:
                self._say(peer, "wait")
        self._leave_window(self._pace.passed())
        self._have_made()

    def _anyone_waits_for_others(self) -> bool:
        return any(self._pace.waits_for_others(peer.number) for peer in self._peers.values() if peer.place is not None)

    def _expel(self, number: int) -> None:
        """It waits for nothing: a batch of the window is given at once to one that asks for it, see `_answer`."""
        self._expelled += 1
        self._peers[number].expelled = True
        self._release(self._peers[number], lost=True)

    def _answer(self) -> None:
        """Give all that can be given."""
        if not self._gathered:
            asked = sum(peer.asked for peer in self._peers.values())
            late = self._now - self._gathering_since > self._stream.gather_seconds
            self._gathered = asked >= self._stream.consumers or late
        if self._gathered:
            for peer in [peer for peer in self._peers.values() if peer.place is not None]:
                self._give(peer)

    def _have_made(self) -> None:
        """Have the next batch made."""
        if self._producer.busy:
            return
        begun = self._pace.begin(max((peer.epochs for peer in self._peers.values()), default=0))
        if begun is not None:
            place, gone = begun
            self._leave_window(gone)
            self._producer.order(place, max(peer.epochs for peer in self._peers.values()))

    def _give(self, peer: Peer) -> None:
        product = self._pace.take(peer.number)
        if product is None:
            return
        peer.place = None
        self._leases += 1
        peer.leases[self._leases] = product.slot
        product.slot.leases += 1
        if len(peer.leases) > MOST_LEASES:
            self._lose(peer)
        else:
            self._say(peer, "batch", lease=self._leases, **product.told)

    def _accept(self, _: int) -> None:
        try:
            connection, _address = self._listener.accept()
        except OSError:  # it went away already; or no descriptor is left, and it will be here at once again
            time.sleep(_PAUSE_SECONDS)
            return
        peer = Peer(self._count, connection)
        self._count += 1
        if not self._peers:
            self._gathered, self._gathering_since = False, time.monotonic()
            self._gatherings += 1
        self._peers[peer.number] = peer
        self._selector.register(connection, selectors.EVENT_READ, lambda _: self._hear(peer))

    def _hear(self, peer: Peer) -> None:
        try:
            for message in peer.receive():
                handle = _HANDLERS.get(message["type"]) if peer.known or message["type"] == "hello" else None
                if handle is None:
                    raise ProtocolError("message is out of order", got=repr(message["type"]))
                handle(self, peer, message)
                if peer.number not in self._peers:
                    return
        except (OSError, ProtocolError):
            self._lose(peer)

    def _hello(self, peer: Peer, message: dict[str, Any]) -> None:
        if message["identity"] != self._spec.identity:
            peer.send("refused", reason=f"the server decodes another stream, {self._spec.identity[:12]}")
            self._lose(peer)
            return
        peer.known, peer.epochs = True, message["epochs"]
        self._say(peer, "welcome")

    def _next(self, peer: Peer, message: dict[str, Any]) -> None:
        place = message["epoch"], message["position"]
        if min(place) < 0 or not all(type(lease) is int for lease in message["released"]):
            raise ProtocolError("places and leases are whole numbers", expected="0 or more", got=message)
        for lease in message["released"]:
            slot = peer.leases.pop(lease, None)
            if slot is not None:
                slot.leases -= 1
                self._slots.settle(slot)
        peer.asked = True
        if not self._pace.is_at(peer.number, place):
            attached, gone = self._pace.attach(peer.number, place)
            self._leave_window(gone)
            if not attached:
                peer.place = None  # of a question that is not answered yet
                self._say(peer, "apart", expelled=peer.expelled)
                return
        peer.place, peer.expelled = place, False

    def _stats(self, peer: Peer, _: dict[str, Any]) -> None:
        self._say(
            peer, "counted", decoded=self._decoded, expelled=self._expelled, consumers=len(self._peers),
            gatherings=self._gatherings, cpu_seconds=self._spent + time.process_time(), pid=os.getpid(),
        )  # fmt: skip

    def _collect(self, _: int) -> None:
        product = self._producer.collect()
        if isinstance(product, Exception):
            self._end(f"{type(product).__name__}: {product}"[:1000])
        elif product is not None:
            self._decoded += 1
            if not self._pace.add(product.place, product, product.following):
                self._leave_window([product])

    def _leave_window(self, products: list[Product]) -> None:
        for product in products:
            product.slot.in_window = False
            self._slots.settle(product.slot)

    def _release(self, peer: Peer, lost: bool) -> None:
        for slot in peer.leases.values():
            slot.leases -= 1
            slot.lost = slot.lost or lost
            self._slots.settle(slot)
        peer.leases.clear()

    def _say(self, peer: Peer, kind: str, **fields: Any) -> None:
        if not peer.send(kind, **fields):
            self._lose(peer)

    def _lose(self, peer: Peer) -> None:
        """A consumer is gone. It may be alive, so what it looks at is not used again."""
        if self._peers.pop(peer.number, None) is None:
            return
        self._selector.unregister(peer.connection)
        peer.connection.close()
        self._pace.detach(peer.number)
        self._release(peer, lost=True)


_HANDLERS: dict[str, Callable[[Server, Peer, dict[str, Any]], None]] = {
    "hello": Server._hello,
    "next": Server._next,
    "stats": Server._stats,
}


def main(arguments: list[str]) -> int:
    """Serve the stream whose spec is in a folder. The lock is the descriptor of the folder's lock, which is held."""
    folder = Path(arguments[0]).absolute()
    lock = Lock.inherited(folder, int(arguments[1])) if len(arguments) > 1 else Lock.take(folder)
    if lock is None:
        return 0  # another server has it
    spent = 0.0
    if len(arguments) > 1:
        spent = time.process_time()
        if os.fork():
            os._exit(0)  # whoever starts a server waits for this process only, and leaves no zombie
    os.chdir("/")
    clear(folder, keep_spec=True)
    try:
        with protocol.listen(folder) as listener:
            Server(StreamSpec.load(folder), listener, lock, spent).run()
    finally:
        lock.remove_folder()
    return 0


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except Exception:  # not let out: on its way Python would wait for the threads
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    os._exit(code)  # a decoding thread that hangs in the storage would keep an ordinary exit
