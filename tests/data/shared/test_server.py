"""The server's process: who it takes, what it refuses, when it ends, and that it leaves nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mlplat.data.shared.protocol import Inbox, connect, pack
from airflow_mlplat.data.shared.server import MOST_LEASES
from airflow_mlplat.data.shared.spec import StreamSpec
from tests.data.shared.conftest import SECONDS, eventually


class Server:
    """A server that was started by hand."""

    def __init__(self, spec, program=("-m", "airflow_mlplat.data.shared.server")):
        self.spec, self.inboxes = spec, {}
        spec.folder.mkdir(parents=True, exist_ok=True)
        spec.save()
        self.process = subprocess.Popen([sys.executable, *program, spec.folder], stderr=subprocess.PIPE)
        eventually(self.listens)

    def listens(self):
        try:
            connect(self.spec.folder).close()
        except OSError:
            return False
        return True

    def consumer(self, hello=True, **changed):
        made = connect(self.spec.folder)
        made.settimeout(SECONDS)
        self.inboxes[made] = Inbox()
        if hello:
            assert self.ask(made, "hello", **{"identity": self.spec.identity, "epochs": 2, **changed}) == {
                "type": "welcome"
            }
        return made

    def ask(self, consumer, kind, **fields):
        """The answer to a message, None when the server closes the connection."""
        consumer.sendall(kind if isinstance(kind, bytes) else pack(kind, **fields))
        return self.hear(consumer)

    def hear(self, consumer):
        """The answer to what was asked before."""
        while True:
            content = consumer.recv(10_000)
            if not content:
                return None
            for message in self.inboxes[consumer].feed(content):
                if message["type"] != "wait":
                    return message

    def next(self, consumer, position, released=()):
        return self.ask(consumer, "next", epoch=0, position=position, released=list(released))

    def ask_for(self, consumer, position, released=()):
        """Ask for a batch, and do not wait for it."""
        consumer.sendall(pack("next", epoch=0, position=position, released=list(released)))


@pytest.fixture
def server(span, options, stream):
    """A function that starts a server; all end well, and leave nothing."""
    started = []

    def start(*program, **changed):
        spec = StreamSpec(span[1], options(), stream(**{"idle_seconds": SECONDS, **changed}))
        started.append(Server(spec, program) if program else Server(spec))
        return started[-1]

    yield start
    for made in started:
        for consumer in made.inboxes:
            consumer.close()
        made.process.terminate()
        assert made.process.wait(SECONDS) == 0
        assert made.process.stderr.read() == b""
        made.process.stderr.close()
        assert not made.spec.folder.exists()


def test_it_gives_batches(server):
    one = server(window=2)
    consumer = one.consumer()
    first = one.next(consumer, 0)
    assert (first["type"], first["epoch"], first["position"]) == ("batch", 0, 8)
    second = one.next(consumer, 8, [first["lease"]])
    assert (second["position"], second["lease"] != first["lease"]) == (16, True)
    assert one.ask(consumer, "stats")["consumers"] == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        pack("next", epoch=0, position=8, released=["x"]),
        pack("next", epoch=0, position=-1, released=[]),
        pack("next", epoch=0, position=0, released=[[]]),
        pack("welcome"),
        pack("wait"),
    ],
)
def test_who_sends_nonsense_is_sent_away_and_nobody_else(server, nonsense):
    one = server()
    good, bad = one.consumer(), one.consumer()
    assert one.next(good, 0)["position"] == 8
    assert one.ask(bad, nonsense) is None
    assert one.next(good, 8)["position"] == 16


def test_hello_comes_first(server):
    one = server()
    stranger = one.consumer(hello=False)
    assert one.ask(stranger, "stats") is None


def test_another_stream(server):
    one = server()
    stranger = one.consumer(hello=False)
    told = one.ask(stranger, "hello", identity="ab" * 32, epochs=1)
    assert told == {"type": "refused", "reason": f"the server decodes another stream, {one.spec.identity[:12]}"}
    assert stranger.recv(100) == b""


def test_one_that_lets_nothing_go_is_sent_away(server):
    one = server()
    greedy, good = one.consumer(), one.consumer()
    for index in range(MOST_LEASES):
        assert one.next(greedy, 8 * index)["type"] == "batch"
    assert one.next(greedy, 8 * MOST_LEASES) is None
    assert one.next(good, 0)["type"] == "batch"


def test_slots_of_the_dead_are_not_used_again(server):
    one = server(window=1, consumers=2)
    first = one.consumer()
    one.ask_for(first, 0)  # it waits for the second
    second = one.consumer()
    again = one.next(second, 0)
    file = again["file"]
    first.close()
    eventually(lambda: one.ask(second, "stats")["consumers"] == 1)
    names = {file}
    lease = again["lease"]
    for index in range(1, 20):
        told = one.next(second, 8 * index, [lease])
        lease = told["lease"]
        names.add(told["file"])
        assert told["file"] != file
    assert len(names) <= 6
    assert not (one.spec.folder / file).exists()


def test_few_slots_are_used_while_all_are_there(server):
    """What both have taken is written again first, while it is in the processor's caches."""
    one = server(window=8, consumers=2)
    pair, leases, files = [one.consumer(), one.consumer()], [[], []], set()
    for index in range(24):
        for consumer, released in zip(pair, leases):
            one.ask_for(consumer, 8 * index, released)
        told = [one.hear(consumer) for consumer in pair]
        assert [message["position"] for message in told] == [8 * index + 8] * 2
        leases = [[message["lease"]] for message in told]
        files.update(message["file"] for message in told)
    assert len(files) <= 6


def test_batches_are_kept_for_one_that_is_missing(server):
    one = server(window=8, consumers=3, gather_seconds=0)
    first, second = one.consumer(), one.consumer()
    for index in range(5):
        assert one.next(first, 8 * index)["position"] == one.next(second, 8 * index)["position"] == 8 * index + 8
    third = one.consumer()
    assert one.next(third, 0)["position"] == 8


SLOW = """
import os, sys, time
from pathlib import Path
from airflow_mlplat.data.shared.server import main
slow, write, count = Path(sys.argv[1]), os.pwrite, 0
def slowly(*how):
    global count
    count += 1
    while count > 3 and slow.exists():  # the first batch is given when two more are begun
        slow.with_name("waits").touch()
        time.sleep(0.01)
    return write(*how)
os.pwrite = slowly
os._exit(main(sys.argv[2:]))
"""
"""A server whose disk keeps it from making a slot after the third for as long as there is a file."""


def test_a_slow_disk_keeps_nobody_from_being_heard(server, tmp_path):
    slow = tmp_path / "slow"
    slow.touch()
    one = server("-c", SLOW, slow, window=1)
    consumer, looking = one.consumer(), one.consumer()
    first = one.next(consumer, 0)
    eventually((tmp_path / "waits").exists)
    one.ask_for(consumer, 8, [first["lease"]])
    heard = one.inboxes[consumer].feed(consumer.recv(1000))
    assert {message["type"] for message in heard} == {"wait"}
    assert one.ask(looking, "stats")["decoded"] == 1
    slow.unlink()
    assert one.hear(consumer)["position"] == 16


def test_nobody_is_expelled_while_others_are_waited_for(server):
    """The first waits for the third, not the second for the first, whose batches fill the window."""
    one = server(window=2, consumers=3, patience_seconds=0.2)
    first, second, third, looking = (one.consumer() for _ in range(4))
    one.ask_for(first, 0)
    eventually(lambda: one.ask(looking, "stats")["decoded"] == 2)
    one.ask_for(second, 16)
    time.sleep(1)
    one.ask_for(third, 0)
    assert [one.hear(consumer)["position"] for consumer in (first, third, second)] == [8, 8, 24]
    assert one.ask(looking, "stats")["expelled"] == 0


def test_one_that_asks_just_before_its_patience_ends_is_not_expelled(server):
    one = server(window=2, consumers=2, patience_seconds=0.2)
    slow, quick = one.consumer(), one.consumer()
    one.ask_for(slow, 0)
    assert one.next(quick, 0)["position"] == one.hear(slow)["position"] == 8
    assert [one.next(quick, position)["position"] for position in (8, 16)] == [16, 24]
    one.process.send_signal(signal.SIGSTOP)  # so that it hears both at once, a second later
    status = Path(f"/proc/{one.process.pid}/status")
    eventually(lambda: "State:\tT" in status.read_text())
    one.ask_for(quick, 24)
    one.ask_for(slow, 8)
    time.sleep(1)
    one.process.send_signal(signal.SIGCONT)
    assert [one.hear(consumer)["position"] for consumer in (slow, quick)] == [16, 32]
    assert one.ask(quick, "stats")["expelled"] == 0


def test_one_that_asks_for_something_else_before_it_is_answered(server):
    one = server(consumers=3)
    fickle, good, third = (one.consumer() for _ in range(3))
    one.ask_for(good, 0)
    one.ask_for(fickle, 0)
    assert one.next(fickle, 160) == {"type": "apart", "expelled": False}
    assert one.next(third, 0)["position"] == one.hear(good)["position"] == 8


def test_it_waits_for_others_once_while_somebody_stays(server):
    one = server()
    first, second = one.consumer(), one.consumer()
    first.close()
    eventually(lambda: one.ask(second, "stats")["consumers"] == 1)
    third = one.consumer()
    before = one.ask(third, "stats")["gatherings"]
    third.close()
    second.close()

    def gathers_anew():
        consumer = one.consumer()
        gatherings = one.ask(consumer, "stats")["gatherings"]
        consumer.close()
        return gatherings > before

    eventually(gathers_anew)


def test_a_stale_folder_is_taken_over(server, span, options, stream):
    folder = StreamSpec(span[1], options(), stream()).folder
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        os.chdir(folder)
        stale.bind("socket")
        os.chdir("/")
    (folder / "slot-00000000-0").write_bytes(b"stale")
    one = server()
    assert one.next(one.consumer(), 0)["position"] == 8
    assert not (folder / "slot-00000000-0").exists()


def test_only_one_serves(server):
    one = server()
    command = [sys.executable, "-m", "airflow_mlplat.data.shared.server", one.spec.folder]
    assert subprocess.run(command, check=False, timeout=SECONDS).returncode == 0
    assert one.next(one.consumer(), 0)["position"] == 8


def test_it_ends_without_consumers(server):
    one = server(idle_seconds=3)
    consumer = one.consumer()
    assert one.next(consumer, 0)["position"] == 8
    consumer.close()
    assert one.process.wait(SECONDS) == 0


def test_it_ends_with_its_folder(server):
    one = server()
    consumer = one.consumer()
    shutil.rmtree(one.spec.folder)
    assert one.process.wait(SECONDS) == 0
    assert consumer.recv(100) == b""


def test_it_tells_those_who_wait_why_it_ends(server):
    one = server(consumers=2)
    consumer = one.consumer()
    one.ask_for(consumer, 0)
    eventually(lambda: consumer.recv(100))  # it waits for the second
    one.process.send_signal(signal.SIGTERM)
    content = b"".join(iter(lambda: consumer.recv(1000), b""))
    assert Inbox().feed(content)[-1] == {"type": "ended", "reason": "it was told to end"}


def test_a_folder_without_a_spec(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "airflow_mlplat.data.shared.server", tmp_path],
        check=False, timeout=SECONDS, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "spec.json is no spec of a stream; got FileNotFoundError" in done.stderr


BROKEN = """
import runpy, sys, threading, time
from airflow_mlplat.data.shared import protocol
def broken(folder):
    threading.Thread(target=time.sleep, args=(600,)).start()  # as one that decodes, of a storage that hangs
    raise RuntimeError("it is broken")
protocol.listen = broken
runpy.run_module("airflow_mlplat.data.shared.server", run_name="__main__")
"""


def test_an_exception_ends_it_though_threads_hang(tmp_path):
    command = [sys.executable, "-c", BROKEN, tmp_path]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert "RuntimeError: it is broken" in done.stderr
