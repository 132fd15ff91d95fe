"""Joining a server, and what a batch has to be to be taken. How servers fail a client: `test_consumer.py`."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.client import Client, Gone, _check, join
from airflow_mlplat.data.shared.protocol import Inbox, ProtocolError, pack
from airflow_mlplat.data.shared.spec import StreamSpec
from tests.data.shared.conftest import eventually


def test_many_that_join_at_once_start_one_server(span, options, stream):
    spec = StreamSpec(span[1], options(), stream())
    clients = []
    threads = [threading.Thread(target=lambda: clients.append(join(spec, 1))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 6
    assert len({client.stats()["pid"] for client in clients}) == 1
    assert clients[0].stats()["consumers"] == 6
    for client in clients:
        client.close()
    with pytest.raises(Gone, match=r"server is gone; got \[Errno"):
        clients[0].next((0, 0))


def test_servers_of_several_streams(span, options, stream):
    clients = [join(StreamSpec(span[1], options(seed=seed), stream()), 1) for seed in range(3)]
    assert len({client.stats()["pid"] for client in clients}) == 3
    for client in clients:
        client.close()


def test_a_long_path(span, options, stream, tmp_path):
    client = join(StreamSpec(span[1], options(), stream(directory=tmp_path / ("long" * 40))), 1)
    assert client.next((0, 0))[0].position == 8
    client.close()


def test_a_server_of_another_stream(span, options, stream):
    """Started by hand, in the folder of one stream with the spec of another."""
    spec, other = (StreamSpec(span[1], options(seed=seed), stream()) for seed in (1, 2))
    spec.folder.mkdir(parents=True)
    other.folder.mkdir()
    other.save()
    (other.folder / "spec.json").rename(spec.folder / "spec.json")
    other.folder.rmdir()
    command = [sys.executable, "-m", "airflow_mlplat.data.shared.server", spec.folder]
    with subprocess.Popen(command) as process:
        eventually(lambda: (spec.folder / "socket").exists() or process.poll() is not None)
        assert process.poll() is None
        with pytest.raises(Gone, match=rf"not take this consumer; got .* another stream, {other.identity[:12]}\.$"):
            join(spec, 1)
        process.terminate()
        assert process.wait() == 0


def test_the_answer_to_a_question_that_was_interrupted_is_no_count(options, tmp_path):
    own, server = socket.socketpair()
    with own, server:
        server.sendall(pack("batch", lease=1, file="slot-00000000-1", arrays={}, epoch=0, position=8))
        with pytest.raises(Gone, match=r"^server answers another question; expected counted; got batch\.$"):
            Client(own, tmp_path, options(), Inbox()).stats()


def batch_of(n=8, *, height=8, labels=None, dtype=np.uint8, epoch=1, position=16):
    images = np.zeros((n, height, 8, 1), dtype)
    return Batch(images, np.zeros(n if labels is None else labels, np.int64), np.zeros(n, np.int64), epoch, position)


@pytest.mark.parametrize(
    "changed",
    [
        {"n": 9}, {"height": 9}, {"labels": 7}, {"dtype": np.int32}, {"epoch": 0}, {"position": 8}, {"position": 17},
    ],
)  # fmt: skip
def test_another_batch(options, changed):
    _check(batch_of(), options(), (1, 8))
    with pytest.raises(ProtocolError, match=r"that is another batch; expected \(8, 8, 1\) after \(1, 8\); got "):
        _check(batch_of(**changed), options(), (1, 8))
