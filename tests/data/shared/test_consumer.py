"""The shared iterator: the batches of a `BatchIterator`, whatever happens to its server and to its fellows."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data import BatchIterator, Subset
from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.shared import SharedIterator
from airflow_mlplat.data.shared.client import COPIED_FROM, Client, join
from airflow_mlplat.data.shared.consumer import StreamSpec
from airflow_mlplat.data.shared.folder import Lock
from airflow_mlplat.data.shared.protocol import listen, pack
from airflow_mlplat.errors import DataError, SpecError
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from tests.data.shared.conftest import SECONDS, eventually, servers, told


def server_of(iterator):
    return iterator.stats()["server"]["pid"]


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


def test_batches_are_those_of_a_batch_iterator(samples, options, stream, plain):
    with SharedIterator(samples, options(), 3, stream()) as iterator:
        assert [told(batch) for batch in iterator] == plain(samples, options(), 3)
        counts = iterator.stats()
    assert (counts["shared"], counts["own"], counts["reason"]) == (75, 0, "")
    assert counts["server"]["decoded"] == 75


@pytest.mark.parametrize(
    "changed",
    [
        {"shard_index": 1, "shard_count": 3},
        {"drop_remainder": True, "batch_size": 30},
        {"shuffle": False},
        {"batch_size": 33, "shard_index": 3, "shard_count": 4},  # the last round's batch is smaller
        {"shard_index": 200, "shard_count": 201},  # its only batch has no samples
        {"augment": ({"name": "mixup", "alpha": 0.5, "probability": 1.0},)},
    ],
)
def test_batches_of_other_options(samples, options, stream, plain, changed):
    how = options(**changed)
    with SharedIterator(samples, how, 2, stream()) as iterator, BatchIterator(samples, how, 2) as other:
        for batch, expected in zip(iterator, other):
            assert told(batch) == told(expected)
            if expected.mixed is not None:
                assert np.array_equal(batch.targets(10), expected.targets(10))
        assert iterator.stats()["own"] == 0
        assert iterator.get_state() == other.get_state()


def test_parts_of_the_samples(samples, options, stream, plain):
    """Each has its own batches, also at the same time, and whether it is a part of all or of a part."""
    third, of_third = Subset(samples, np.arange(0, 200, 3)), Subset(Subset(samples, np.arange(0, 200, 3)), np.arange(9))
    parts = [samples, third, Subset(samples, np.arange(67)), of_third]
    iterators = [SharedIterator(part, options(), 1, stream()) for part in parts]
    found = [[told(batch) for batch in iterator] for iterator in iterators]
    assert found == [plain(part, options()) for part in parts]
    assert len({json.dumps(batches) for batches in found}) == 4
    assert [iterator.stats()["own"] for iterator in iterators] == [0] * 4
    for iterator in iterators:
        iterator.close()


def test_a_part_of_a_part_is_shared_with_who_has_the_same_rows(samples, options, stream, plain):
    of_part = Subset(Subset(samples, np.arange(0, 200, 2)), np.arange(50))
    same, shared = Subset(samples, np.arange(0, 100, 2)), stream(consumers=2)
    with SharedIterator(of_part, options(), 1, shared) as first, SharedIterator(same, options(), 1, shared) as second:
        (one, other), batches = begun_together(first, second)
        assert batches + [[told(a), told(b)] for a, b in zip(one, other)] == [
            batches[0], batches[0], *([batch, batch] for batch in plain(same, options())[1:]),
        ]  # fmt: skip
        assert second.stats()["server"]["decoded"] == 7


def test_resume_from_every_state(samples, options, stream, plain):
    how = options(batch_size=30, drop_remainder=True)
    whole = plain(samples, how, 2)
    with SharedIterator(samples, how, 2, stream()) as iterator:
        states = [iterator.get_state(), *(iterator.get_state() for _ in iterator)]
        assert len(states) == len(whole) + 1
        for taken, state in enumerate(states):
            iterator.set_state(json.loads(json.dumps(state)))
            assert [told(batch) for batch in iterator] == whole[taken:]
        assert iterator.stats()["own"] == 0


def test_states_are_those_of_a_batch_iterator(samples, options, stream, plain):
    whole = plain(samples, options(), 2)
    with SharedIterator(samples, options(), 2, stream()) as iterator, BatchIterator(samples, options(), 2) as other:
        batches = iter(iterator)
        assert [told(next(batches)) for _ in range(30)] == whole[:30]
        other.set_state(iterator.get_state())
        assert [told(batch) for batch in other] == whole[30:]


def test_epoch_by_epoch(samples, options, stream, plain):
    with SharedIterator(samples, options(), 3, stream()) as iterator:
        next(iter(iterator))
        passes = [[told(batch) for batch in iterator.epoch()] for _ in range(4)]
        assert [len(found) for found in passes] == [24, 25, 25, 0]
        assert [batch for found in passes for batch in found] == plain(samples, options(), 3)[1:]


@pytest.mark.parametrize("ends", ["close", "set_state"])
def test_a_pass_that_ends_while_it_waits_gives_no_more(samples, options, stream, monkeypatch, ends):
    """Another thread ends it: the batch that comes is not given, so the state is not that after it."""
    with SharedIterator(samples, options(), 1, stream()) as iterator:
        batches, ask = iter(iterator), Client.next
        states = [iterator.get_state(), next(batches) and iterator.get_state()]
        end, left = {
            "close": (iterator.close, states[1]), "set_state": (lambda: iterator.set_state(states[0]), states[0])
        }[ends]  # fmt: skip

        def interrupted(client, place):
            found = ask(client, place)
            with ThreadPoolExecutor(1) as threads:
                threads.submit(end).result()
            return found

        monkeypatch.setattr(Client, "next", interrupted)
        with pytest.raises(SpecError, match="ended by another one, or by close"):
            next(batches)
        assert iterator.get_state() == left


def in_a_child(act):
    """Run a function in a forked process; a function that waits for what it gave, as JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, json.dumps(act()).encode())
        finally:
            os._exit(0)
    os.close(writing)

    def answer():
        with os.fdopen(reading, "rb") as pipe:
            found = json.loads(pipe.read())
        os.waitpid(child, 0)
        return found

    return answer


def test_a_forked_process_keeps_the_parents_batch(samples, options, stream):
    """Pages that it has not touched follow the slot's file: that must not be written again."""
    with SharedIterator(samples, options(), 2, stream()) as iterator:
        batches = iter(iterator)
        held = [next(batches)]
        digest, (waiting, go_on) = held[0].digest(), os.pipe()
        answer = in_a_child(lambda: [os.read(waiting, 1) and held[0].digest()])
        held.clear()
        assert len(list(batches)) == 49
        os.write(go_on, b"!")
        assert answer() == [digest]
        assert iterator.stats()["own"] == 0
    os.close(waiting)
    os.close(go_on)


def test_a_forked_process_does_not_end_its_parents_stream(samples, options, stream, plain):
    with SharedIterator(samples, options(), 1, stream()) as iterator:
        batches, whole = iter(iterator), plain(samples, options())
        next(batches)

        def go_on():
            asked = iterator.stats()["server"]
            rest = [told(batch) for batch in iterator]
            counts = iterator.stats()
            iterator.close()
            return [asked, rest, counts["own"], counts["reason"]]

        assert in_a_child(go_on)() == [None, whole[1:], 24, "server is the parent's of this process."]
        assert [told(batch) for batch in batches] == whole[1:]
        assert iterator.stats()["own"] == 0


def test_an_adapter_takes_it(samples, options, stream):
    with SharedIterator(samples, options(), None, stream()) as iterator, BatchIterator(samples, options()) as other:
        for (images, labels), batch in zip(arrays(iterator), other):
            assert np.array_equal(images, batch.images)
            assert np.array_equal(labels, batch.labels)


def begun_together(*iterators):
    """A pass of each, and the first batch of each: every one waits for the others to join."""
    passes = [iter(iterator) for iterator in iterators]
    with ThreadPoolExecutor(len(passes)) as threads:
        return passes, [told(batch) for batch in threads.map(next, passes)]


def test_two_at_their_own_pace(samples, options, stream, plain):
    whole, shared = plain(samples, options()), stream(consumers=2)
    with (
        SharedIterator(samples, options(), 1, shared) as first,
        SharedIterator(samples, options(), 1, shared) as second,
    ):
        (one, other), batches = begun_together(first, second)
        assert batches == [whole[0], whole[0]]
        assert [told(next(one)) for _ in range(3)] == whole[1:4]
        assert [told(next(other)) for _ in range(7)] == whole[1:8]
        assert [told(next(one)) for _ in range(4)] == whole[4:8]
        assert [[told(a), told(b)] for a, b in zip(one, other)] == [[batch, batch] for batch in whole[8:]]
        assert first.stats()["own"] == second.stats()["own"] == 0
        assert second.stats()["server"]["decoded"] == 25


def test_the_first_batch_waits_no_longer_than_told(samples, options, stream, plain):
    with SharedIterator(samples, options(), 1, stream(consumers=2, gather_seconds=0.5)) as iterator:
        assert [told(batch) for batch in iterator] == plain(samples, options())
        counts = iterator.stats()
    assert counts["own"] == 0
    assert counts["wait_seconds"] >= 0.4


def test_one_elsewhere_in_the_order_decodes_for_itself(samples, options, stream, plain):
    whole = plain(samples, options(), 2)
    with (
        SharedIterator(samples, options(), 2, stream()) as first,
        SharedIterator(samples, options(), 2, stream()) as second,
    ):
        batches = iter(first)
        next(batches)
        second.set_state({**first.get_state(), "position": 160})
        others = iter(second)
        assert [told(next(others)) for _ in range(3)] == whole[20:23]
        counts = second.stats()
        assert (counts["shared"], counts["own"], counts["reason"]) == (0, 3, "the server is elsewhere in the order")
        assert [told(next(batches)) for _ in range(22)] == whole[1:23]
        assert told(next(others)) == whole[23]
        assert second.stats()["shared"] == 1  # the first has come to where it is
        first.close()
        assert [told(batch) for batch in others] == whole[24:]


def test_arrays_are_its_own(samples, options, stream, plain):
    """Changed and kept, longer than the iterator lives; nobody else sees the change, nor this anybody's."""
    whole, shared = plain(samples, options(), 2), stream(window=2, consumers=2)
    with (
        SharedIterator(samples, options(), 2, shared) as first,
        SharedIterator(samples, options(), 2, shared) as second,
    ):
        (one, other), _ = begun_together(first, second)
        kept = []
        for batch, unchanged in zip(one, other):
            batch.images[...] = 7
            kept.append((batch.images[1:2], unchanged))
        assert first.stats()["own"] == second.stats()["own"] == 0
    del batch
    gc.collect()
    assert [told(unchanged) for _, unchanged in kept] == whole[1:]
    assert all((view == 7).all() for view, _ in kept)


def test_few_slots_however_many_are_kept(samples, options, stream):
    with SharedIterator(samples, options(), 2, stream(window=2)) as iterator:
        kept, slots = [], set()
        for batch in iterator:
            kept.append(batch)
            slots.add(len(list(iterator._spec.folder.glob("slot-*"))))
        assert max(slots) <= 2 + COPIED_FROM + 2 + options().prefetch
        assert len({batch.digest() for batch in kept}) == 50


def test_a_pass_is_ended_by_another_one(samples, options, stream):
    with SharedIterator(samples, options(), 2, stream()) as iterator:
        for end in (lambda: next(iter(iterator)), lambda: iterator.set_state(iterator.get_state()), iterator.close):
            old = iter(iterator)
            next(old)
            end()
            with pytest.raises(
                SpecError, match=r"this pass over the batches was ended by another one, or by close\. it"
            ):
                next(old)


def test_nothing_is_left(samples, options, stream, threads):
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()
    before = open_files()
    iterator = SharedIterator(samples, options(), 2, stream(idle_seconds=3))
    kept = list(iterator.epoch())
    pid = server_of(iterator)
    assert [batch.position for batch in iterator][:2] == [8, 16]
    del iterator, kept
    gc.collect()
    assert open_files() == before
    assert threads() == []
    assert [thread for thread in threading.enumerate() if thread.name.startswith("mlplat")] == []
    eventually(lambda: not is_alive(pid))


def test_garbage_leaves_the_stream(samples, options, stream):
    iterator = SharedIterator(samples, options(), 2, stream())
    for _ in iterator:
        break
    looking = join(iterator._spec, 2)
    assert looking.stats()["consumers"] == 2
    del iterator, _
    gc.collect()
    eventually(lambda: looking.stats()["consumers"] == 1)
    looking.close()


def test_closed_while_it_waits_for_a_batch(samples, options, stream):
    """Its thread is told at once, not when others have joined; meanwhile the server is not asked what it counted."""
    iterator, failed = SharedIterator(samples, options(), 2, stream(consumers=2, gather_seconds=SECONDS)), []

    def wait():
        with pytest.raises(SpecError, match="ended by another one, or by close"):
            next(iter(iterator))
        failed.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: iterator._client is not None and iterator._client._lock.locked())
    started = time.monotonic()
    assert iterator.stats()["server"] is None
    iterator.close()
    thread.join()
    assert failed[0] - started < SECONDS / 2
    assert iterator.stats()["reason"] == ""  # it did not fall back


def test_server_killed_in_mid_epoch(samples, options, stream, plain, threads):
    iterator = SharedIterator(samples, options(), 2, stream(window=2))
    batches = iterator.epoch()
    found = [told(next(batches)) for _ in range(5)]
    kept = next(batches)
    os.kill(server_of(iterator), signal.SIGKILL)
    found += [told(kept)] + [told(batch) for batch in batches]
    assert found == plain(samples, options())
    counts = iterator.stats()
    assert counts["own"] >= 19
    assert "server is gone" in counts["reason"]
    again = [told(batch) for batch in iterator.epoch()]  # with another server, which takes over what is left
    assert again == plain(samples, options(), 2)[25:]
    assert iterator.stats()["shared"] >= 30
    assert told(kept) == found[5]
    iterator.close()


def test_what_a_killed_server_left_is_removed(samples, options, stream):
    iterator = SharedIterator(samples, options(), 2, stream())
    next(iter(iterator))
    pid = server_of(iterator)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))
    assert list(iterator._spec.folder.glob("slot-*"))
    iterator.close()
    assert list(stream().directory.iterdir()) == []


def test_server_that_hangs(samples, options, stream, plain):
    with SharedIterator(samples, options(), 1, stream(silence_seconds=2)) as iterator:
        batches = iter(iterator)
        found = [told(next(batches))]
        pid = server_of(iterator)
        os.kill(pid, signal.SIGSTOP)
        found += [told(batch) for batch in batches]
        assert found == plain(samples, options())
        assert "server is silent; got nothing for 2" in iterator.stats()["reason"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not is_alive(pid))  # else its lock keeps what it left from being removed


def removed(directory):
    """Whether it is gone: not yet when the server has put a file there meanwhile."""
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


def test_directory_removed(samples, options, stream, plain):
    with SharedIterator(samples, options(), 2, stream()) as iterator:
        batches = iter(iterator)
        found = [told(next(batches)) for _ in range(3)]
        pid = server_of(iterator)
        eventually(lambda: removed(stream().directory))
        eventually(lambda: not is_alive(pid))
        found += [told(batch) for batch in batches]
        assert found == plain(samples, options(), 2)


def test_directory_that_cannot_be(samples, options, stream, plain, tmp_path):
    (tmp_path / "file").write_text("")
    with SharedIterator(samples, options(), 1, stream(directory=tmp_path / "file" / "in")) as iterator:
        assert [told(batch) for batch in iterator] == plain(samples, options())
        assert iterator.stats()["reason"].startswith("server cannot be started; got [Errno 20]")


def test_server_that_ends_at_once(samples, options, stream, plain, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with SharedIterator(samples, options(), 1, stream()) as iterator:
        assert [told(batch) for batch in iterator] == plain(samples, options())
        assert iterator.stats()["reason"] == "server ended as soon as it was started."


def test_python_that_is_not_there(samples, options, stream, plain, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with SharedIterator(samples, options(), 1, stream()) as iterator:
        assert [told(batch) for batch in iterator] == plain(samples, options())
        assert "server cannot be started; got [Errno 2]" in iterator.stats()["reason"]


def test_somebody_has_the_lock(samples, options, stream, plain):
    shared = stream(start_seconds=0.2)
    lock = Lock.take(StreamSpec(samples.ref, options(), shared).folder, make=True)
    with SharedIterator(samples, options(), 1, shared) as iterator:
        assert [told(batch) for batch in iterator] == plain(samples, options())
        assert iterator.stats()["reason"].startswith("no server within start_seconds; expected one in /")
    lock.remove_folder()


WELCOME = pack("welcome")


@pytest.mark.parametrize(
    "nonsense",
    [
        ([b"HTTP/1.1 400 Bad Request"], "server sends nonsense; got message is too long"),
        ([pack("refused", reason="the server decodes another stream")], "got the server decodes another stream"),
        ([WELCOME, b"\0\0\0\2{}"], "server is gone; got message is of no known type"),
        ([WELCOME, pack("ended", reason="it was told to end")], "server ended: it was told to end"),
        ([WELCOME, pack("welcome")], "server ended: welcome"),
        (
            [WELCOME, pack("batch", lease=1, file="../spec.json", arrays={}, epoch=0, position=8)],
            "server's batch cannot be read; got that is no slot",
        ),
        (
            [WELCOME, pack("batch", lease=1, file="slot-00000000-1", arrays={}, epoch=0, position=8)],
            "server's batch cannot be read; got [Errno 2]",
        ),
    ],
)
def test_server_that_talks_nonsense(samples, options, stream, plain, nonsense):
    answers, reason = nonsense
    shared = stream()
    lock = Lock.take(StreamSpec(samples.ref, options(), shared).folder, make=True)
    with listen(lock.folder) as listener:

        def serve():
            connection, _ = listener.accept()
            for answer in answers:
                connection.recv(1000)
                connection.sendall(answer)
            connection.recv(1000)
            connection.close()

        server = threading.Thread(target=serve)
        server.start()
        with SharedIterator(samples, options(), 1, shared) as iterator:
            assert [told(batch) for batch in iterator] == plain(samples, options())
            assert reason in iterator.stats()["reason"]
        server.join()
    lock.remove_folder()


def test_a_sample_that_does_not_decode(tmp_path, png, digits, options, stream):
    """Told as without a server, and after the same batches."""
    store = open_store(tmp_path / "broken")
    with SpanWriter(store, "digits", "2026-01-01", ["0"]) as writer:
        for i in range(40):
            writer.add(Sample(f"digit/{i:02d}", b"no image" if i == 20 else png(digits[0][i]), 0, None))
        ref = writer.commit()
    samples = Samples(store, ref)
    shared = stream(store=store.url, window=1)  # the server comes to the sample when the batch before it was taken
    with SharedIterator(samples, options(shuffle=False), 1, shared) as iterator:
        seen = []
        with pytest.raises(DataError, match=r"^sample 'digit/20': "):
            seen.extend(batch.position for batch in iterator)
        assert seen == [8, 16]
        assert iterator.get_state()["position"] == 16
        counts = iterator.stats()
        assert (counts["shared"], counts["own"]) == (2, 0)
        # The server says why it ends if it is being asked just then.
        assert re.match(r"server (ended: DataError: sample 'digit/20': |is gone)", counts["reason"])


def test_three_trainers(samples, options, stream, trainer, plain):
    shared = stream(consumers=3, window=4)
    trainers = [trainer(options(), shared, seconds=seconds) for seconds in (0, 0.002, 0.004)]
    results = [one.result() for one in trainers]
    whole = plain(samples, options(), 2)
    assert all(one.batches() == whole for one in trainers)
    assert [result["own"] for result in results] == [0, 0, 0]
    assert max(result["server"]["decoded"] for result in results) == 50  # once for all three
    for result in results:
        assert (result["changed"], result["threads"], result["files"]) == (0, [], [])


def test_one_of_three_is_killed(samples, options, stream, trainer, plain):
    shared = stream(consumers=3, window=4)
    pauses = (None, 10, None)
    trainers = [trainer(options(), shared, seconds=0.01, kept=3, pause=pause) for pause in pauses]
    trainers[1].wait_for(10).process.kill()
    whole = plain(samples, options(), 2)
    for one in (trainers[0], trainers[2]):
        result = one.result()
        assert one.batches() == whole
        assert (result["own"], result["changed"], result["expelled"]) == (0, 0, 0)
    assert whole[: len(trainers[1].batches())] == trainers[1].batches() != whole


def test_the_server_of_three_is_killed(samples, options, stream, trainer, plain):
    shared = stream(consumers=3, window=4)
    trainers = [trainer(options(), shared, seconds=0.01, kept=3, pause=10) for _ in range(3)]
    for one in trainers:
        one.wait_for(10)
    (pid,) = servers(shared.directory)
    os.kill(pid, signal.SIGKILL)
    for one in trainers:
        one.go_on()
    whole = plain(samples, options(), 2)
    for one in trainers:
        result = one.result()
        assert one.batches() == whole
        assert result["own"] > 0
        assert (result["changed"], result["threads"], result["files"]) == (0, [], [])


def test_a_stopped_consumer_is_expelled(samples, options, stream, trainer, plain):
    """What it holds stays as it is, however long the others go on; it goes on by itself."""
    shared = stream(consumers=2, window=2, patience_seconds=3)
    quick, stopped = (trainer(options(), shared, seconds=0.005, kept=3, pause=pause) for pause in (None, 10))
    stopped.wait_for(10)
    os.kill(stopped.process.pid, signal.SIGSTOP)
    whole = plain(samples, options(), 2)
    assert quick.result()["server"]["expelled"] == 1
    assert quick.batches() == whole
    stopped.go_on()
    os.kill(stopped.process.pid, signal.SIGCONT)
    result = stopped.result()
    assert stopped.batches() == whole
    assert result["changed"] == 0


def test_a_stream_that_is_none(samples, options, tmp_path):
    for stream in (None, str(tmp_path)):
        with pytest.raises(SpecError, match=r"stream of a shared iterator is none; expected StreamOptions\(…\)"):
            SharedIterator(samples, options(), 1, stream)
