"""The iterator: the same batches for any number of threads and ranks, from any state, and no thread left behind."""

from __future__ import annotations

import gc
import json
import os
import threading

import numpy as np
import pytest

from airflow_mlplat.data import BatchIterator, Subset, decode, permute
from airflow_mlplat.data.augment import replay
from airflow_mlplat.data.filling import Pending
from airflow_mlplat.data.window import WindowedOrder
from airflow_mlplat.errors import CorruptionError, DataError, PlatformError, SpecError
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from tests.data.conftest import MANIFEST, Memory

GOLDEN = ["6ef2367d1050a9ba", "feaf01d1e0e47309"]


def test_batches_are_the_samples(memory, options, digits):
    samples = memory(50)
    batches = list(BatchIterator(samples, options(seed=3)))
    assert [len(batch) for batch in batches] == [8] * 6 + [2]
    assert [batch.position for batch in batches] == [8, 16, 24, 32, 40, 48, 50]
    rows = np.concatenate([batch.rows for batch in batches])
    assert rows.tolist() == permute(np.arange(50), 50, 3, 0, MANIFEST).tolist()
    for batch in batches:
        assert np.array_equal(batch.images[..., 0], digits[0][batch.rows])
        assert np.array_equal(batch.labels, digits[1][batch.rows])
        assert (batch.images.dtype, batch.labels.dtype, batch.rows.dtype) == (np.uint8, np.int64, np.int64)
        assert batch.images.flags.writeable


def test_golden_digests(memory, options, given):
    """Equal for ever, on every version of numpy: what a training saw can be told from its state."""
    found = given(memory(100), options(batch_size=64, seed=1), epochs=2)
    assert [digest[:16] for _, _, _, digest in found[1:3]] == GOLDEN


def test_manifest_order(memory, options, given):
    found = given(memory(20), options(shuffle=False), epochs=2)
    assert [rows for _, _, rows, _ in found] == [[*range(8)], [*range(8, 16)], [*range(16, 20)]] * 2
    assert [epoch for epoch, *_ in found] == [0] * 3 + [1] * 3


def test_drop_remainder(memory, options, given):
    found = given(memory(20), options(drop_remainder=True), epochs=2)
    assert [(epoch, position, len(rows)) for epoch, position, rows, _ in found] == [
        (0, 8, 8), (0, 16, 8), (1, 8, 8), (1, 16, 8),
    ]  # fmt: skip


def test_epochs_differ(memory, options, given):
    first, second = given(memory(40), options(batch_size=40), epochs=2)
    assert sorted(first[2]) == sorted(second[2]) == list(range(40))
    assert first[2] != second[2]


@pytest.mark.parametrize(("threads", "prefetch"), [(1, 1), (2, 4), (3, 1), (7, 9), (16, 2)])
def test_threads_do_not_change_bytes(memory, options, given, threads, prefetch):
    assert given(memory(61), options(threads=threads, prefetch=prefetch), 2) == given(memory(61), options(), 2)


@pytest.mark.parametrize("drop", [False, True])
def test_resume_from_every_state(memory, options, given, drop):
    samples, how = memory(45), options(drop_remainder=drop, seed=5)
    whole = given(samples, how, epochs=3)
    iterator = BatchIterator(samples, how, epochs=3)
    states = [iterator.get_state(), *(iterator.get_state() for _ in iterator)]
    assert len(states) == len(whole) + 1
    for taken, state in enumerate(states):
        assert given(samples, how, 3, json.loads(json.dumps(state))) == whole[taken:]


def test_state_is_of_what_was_given(memory, options):
    iterator = BatchIterator(memory(45), options(prefetch=4))
    batches = iter(iterator)
    assert iterator.get_state()["position"] == 0
    for expected in (8, 16, 24):
        assert next(batches).position == expected
        assert iterator.get_state() == {
            "manifest": MANIFEST, "samples": 45, "rows": None, "seed": 0, "window": 0, "sampling": None,
            "algorithm": "feistel6-v1", "epoch": 0, "position": expected,
        }  # fmt: skip


def test_more_epochs_later(memory, options, given):
    iterator = BatchIterator(memory(20), options(), epochs=1)
    first = [(b.epoch, b.position, b.rows.tolist(), b.digest()) for b in iterator]
    assert list(iterator) == []
    assert first + given(memory(20), options(), 2, iterator.get_state()) == given(memory(20), options(), 2)


@pytest.mark.parametrize("ranks", range(1, 9))
def test_ranks_together_see_the_global_order(memory, options, given, ranks):
    of = [given(memory(45), options(batch_size=3, shard_index=r, shard_count=ranks)) for r in range(ranks)]
    order = []
    for batches in zip(*of):
        rows = [rows for _, _, rows, _ in batches]
        order += [rows[i % ranks][i // ranks] for i in range(sum(map(len, rows)))]
    assert order == permute(np.arange(45), 45, 0, 0, MANIFEST).tolist()


def test_ranks_may_change_in_mid_epoch(memory, options):
    """One rank, then four, then two: each sample exactly once, in the order of one."""
    samples, state, seen = memory(103), None, []
    for ranks, take in ((1, 3), (4, 2), (2, None)):
        states = []
        given = []
        for rank in range(ranks):
            iterator = BatchIterator(samples, options(batch_size=5, shard_index=rank, shard_count=ranks))
            if state:
                iterator.set_state(state)
            given.append([batch.rows.tolist() for _, batch in zip(range(take or 1000), iterator)])
            states.append(iterator.get_state())
            iterator.close()
        assert all(other == states[0] for other in states)
        state = states[0]
        for rows in zip(*given):
            seen += [rows[i % ranks][i // ranks] for i in range(sum(map(len, rows)))]
    assert seen == permute(np.arange(103), 103, 0, 0, MANIFEST).tolist()
    assert state["position"] == 103


def test_epoch_by_epoch(memory, options, given):
    iterator = BatchIterator(memory(20), options(), epochs=3)
    next(iter(iterator))  # the first pass is one batch ahead
    passes = [[batch.digest() for batch in iterator.epoch()] for _ in range(4)]
    assert [len(found) for found in passes] == [2, 3, 3, 0]
    assert [digest for found in passes for digest in found] == [
        digest for *_, digest in given(memory(20), options(), 3)
    ][1:]


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"seed": 1}, "'seed': 1"), ({"shuffle": False}, "'algorithm': 'manifest'")],
)
def test_state_of_other_options(memory, options, changed, named):
    state = BatchIterator(memory(20), options(**changed)).get_state()
    with pytest.raises(SpecError, match="state of another iteration") as caught:
        BatchIterator(memory(20), options()).set_state(state)
    mine, other = caught.value.expected, caught.value.got
    assert f"expected {mine}; got {other}. iterate over the same samples" in str(caught.value)
    assert named in str(other)
    assert named not in str(mine)


def test_state_of_other_samples(memory, options):
    state = BatchIterator(memory(20, "cd" * 32), options()).get_state()
    with pytest.raises(SpecError, match=f"expected {{'manifest': '{MANIFEST}'}}; got {{'manifest': '{'cd' * 32}'}}"):
        BatchIterator(memory(20), options()).set_state(state)
    with pytest.raises(SpecError, match=r"expected {'samples': 21}; got {'samples': 20}"):
        BatchIterator(memory(21, "cd" * 32), options()).set_state(state)
    with pytest.raises(SpecError, match=r"expected .*; got {'manifest': None, "):
        BatchIterator(memory(21), options()).set_state({})


def test_state_of_another_version(memory, options):
    iterator = BatchIterator(memory(20), options(sampling={"classes": "balanced"}))
    with pytest.raises(
        SpecError, match=r"got {'algorithm': 'feistel6-v1'}\. it is of a version .* that draws otherwise"
    ):
        iterator.set_state({**iterator.get_state(), "algorithm": "feistel6-v1"})


@pytest.mark.parametrize("state", [None, "state", 5])
def test_state_that_is_none(memory, options, state):
    with pytest.raises(
        SpecError, match=rf"state is none of an iterator's; expected what get_state gave; got {state!r}"
    ):
        BatchIterator(memory(20), options()).set_state(state)


def test_arguments_that_are_none(memory, options):
    with pytest.raises(SpecError, match=r"samples of an iterator are none; expected Samples\(store, ref\); got 'here'"):
        BatchIterator("here", options())
    with pytest.raises(SpecError, match=r"options of an iterator are wrong; expected IteratorOptions\(…\); got {}"):
        BatchIterator(memory(20), {})
    for epochs in (1.5, "2", True, 0):
        with pytest.raises(SpecError, match=rf"epochs must be a whole number; .*; got {epochs!r}"):
            BatchIterator(memory(20), options(), epochs)


def test_state_of_other_rows(memory, options):
    one, other = (Subset(memory(20), np.arange(first, first + 10)) for first in (0, 10))
    state = BatchIterator(one, options()).get_state()
    BatchIterator(Subset(memory(20), np.arange(10)), options()).set_state(state)
    with pytest.raises(SpecError, match="state of another iteration"):
        BatchIterator(other, options()).set_state(state)


def test_a_subset_is_augmented_as_the_manifest_is(memory, options):
    samples, rows = memory(30), np.array([5, 9, 13])
    how = options(batch_size=30, shuffle=False, augment=[{"name": "noise", "sigma": [5, 20]}])
    (whole,), (part,) = BatchIterator(samples, how), BatchIterator(Subset(samples, rows), how)
    assert np.array_equal(part.images, whole.images[rows])


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch": -1},
        {"epoch": 1 << 62},
        {"epoch": True},
        {"position": 21},
        {"position": -1},
        {"position": "3"},
        {"position": True},
    ],
)
def test_state_outside(memory, options, changed):
    iterator = BatchIterator(memory(20), options())
    with pytest.raises(
        SpecError, match=r"state outside the epoch; expected epoch 0 … 4611686018427387903, position 0 … 20; got epoch"
    ):
        iterator.set_state({**iterator.get_state(), **changed})


def test_a_state_of_numpys_numbers(memory, options):
    iterator = BatchIterator(memory(20), options(), None)
    iterator.set_state({**iterator.get_state(), "epoch": np.int64((1 << 62) - 1), "position": np.uint8(20)})
    state = iterator.get_state()
    assert json.loads(json.dumps(state)) == state


def test_refuses_to_begin(memory, options):
    with pytest.raises(
        DataError, match=r"dataset:digits@abababababab has too few samples for a batch; expected 1; got 0"
    ):
        BatchIterator(memory(0), options())
    with pytest.raises(DataError, match=r"has too few samples for a batch; expected 16; got 15"):
        BatchIterator(memory(15), options(drop_remainder=True, shard_count=2))
    with pytest.raises(SpecError, match=r"epochs must be a whole number; expected 1 or more, or None; got 0"):
        BatchIterator(memory(1), options(), epochs=0)


@pytest.mark.parametrize("threads_of_it", [1, 3])
def test_error_names_the_sample(memory, options, threads, threads_of_it):
    samples = memory(45, broken={20: b"no image", 22: b"", 40: b""})
    iterator = BatchIterator(samples, options(shuffle=False, threads=threads_of_it))
    seen = []
    with pytest.raises(DataError, match=r"^sample 'digit/20': media does not decode; got 8 bytes: Unidentified"):
        seen.extend(batch.position for batch in iterator)
    assert seen == [8, 16]
    assert iterator.get_state()["position"] == 16
    assert threads() == []


class Failing(Memory):
    """Raises an error for one sample."""

    def __init__(self, of, error):
        super().__init__(of._media, of.labels)
        self._error = error

    def media(self, position):
        if position == 5:
            raise self._error
        return super().media(position)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (CorruptionError("sample 'digit/5' is bad", got=3), CorruptionError, r"^sample 'digit/5' is bad; got 3\.$"),
        (
            CorruptionError("no shard", expected=1, got=2, fix="restore it"), CorruptionError,
            r"^sample 'digit/5': no shard; expected 1; got 2\. restore it\.$",
        ),
        (OSError("disk"), PlatformError, r"^sample 'digit/5' cannot be read; got OSError: disk\.$"),
    ],
)  # fmt: skip
def test_errors_keep_their_kind(memory, options, error, kind, message):
    with pytest.raises(kind, match=message) as caught:
        list(BatchIterator(Failing(memory(20), error), options()))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is (None if caught.value is error else error)


class Calling(Memory):
    """Calls something before some samples are read, in the thread that reads them."""

    def __init__(self, of, calls):
        super().__init__(of._media, of.labels)
        self.calls = calls

    def media(self, position):
        self.calls.get(position, bool)()
        return super().media(position)


def test_threads_are_those_asked_for_and_end_with_the_pass(memory, options, threads):
    together = threading.Barrier(3, timeout=20)  # a thread that is idle is given the next part, and no other started
    samples = Calling(memory(45), dict.fromkeys((0, 3, 6), together.wait))
    iterator = BatchIterator(samples, options(threads=3, shuffle=False))
    batches = iter(iterator)
    assert threads() == []  # nothing runs before the first batch is asked for
    next(batches)
    assert len(threads()) == 3
    assert len(list(batches)) == 5
    assert threads() == []


def test_close_ends_threads_and_the_pass(memory, options, threads):
    with BatchIterator(memory(45), options()) as iterator:
        batches = iter(iterator)
        next(batches)
        assert threads()
    assert threads() == []
    iterator.close()
    with pytest.raises(
        SpecError, match=r"this pass over the batches was ended by another one, or by close\. iterate anew"
    ):
        next(batches)
    assert len(list(iterator)) == 5


ENDED = r"^this pass over the batches was ended by another one, or by close\. iterate anew\.$"


@pytest.fixture
def once_waited_for(monkeypatch):
    """A function: of a batch's position and a call, that call, made as soon as somebody waits for the batch."""
    waited, wait = threading.Event(), Pending.wait

    def build(position, call):
        def told(pending):
            if pending.planned.position == position:
                waited.set()
            return wait(pending)

        def called():
            assert waited.wait(20)
            call()

        monkeypatch.setattr(Pending, "wait", told)
        return called

    return build


@pytest.mark.parametrize("row", [3, 43], ids=["more to begin", "nothing to begin"])
def test_closed_while_a_batch_is_waited_for(memory, options, threads, once_waited_for, row):
    start = row // 8 * 8
    samples = Calling(memory(45), {})
    iterator = BatchIterator(samples, options(shuffle=False, threads=1))
    samples.calls[row] = once_waited_for(min(start + 8, 45), iterator.close)
    seen = []
    with pytest.raises(SpecError, match=ENDED):
        seen.extend(batch.position for batch in iterator)
    assert seen == list(range(8, start + 1, 8))
    assert iterator.get_state()["position"] == start


def test_closed_while_a_batch_that_is_not_begun_is_waited_for(memory, options, threads, once_waited_for):
    iterator = BatchIterator(memory(45), options(threads=1))
    batches = iter(iterator)
    next(batches)  # the second and the third are begun
    iterator._pool.submit(once_waited_for(32, iterator.close))
    assert [next(batches).position for _ in range(2)] == [16, 24]
    with pytest.raises(SpecError, match=ENDED):
        next(batches)
    assert iterator.get_state()["position"] == 24


@pytest.mark.parametrize("end", ["new pass", "set_state"])
def test_another_pass_ends_the_one_before(memory, options, threads, end):
    iterator = BatchIterator(memory(45), options())
    old = iter(iterator)
    next(old)
    if end == "new pass":
        assert next(iter(iterator)).position == 16
    else:
        iterator.set_state(iterator.get_state())
    with pytest.raises(SpecError, match="this pass over the batches was ended"):
        next(old)
    assert threads() == []


def test_a_pass_does_not_go_on_in_a_forked_process(memory, options):
    """Its threads are the parent's: the child would wait for ever."""
    iterator = BatchIterator(memory(40), options())
    batches = iter(iterator)
    next(batches)
    child = os.fork()
    if not child:
        code = 1
        try:
            next(batches)
        except SpecError as error:
            whole = list(BatchIterator(memory(40), options()))
            code = 0 if "fork" in str(error) and len(whole) == 5 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(batches)) == 4


def test_garbage_ends_threads(memory, options, threads):
    for batch in BatchIterator(memory(45), options()):
        assert batch.position == 8
        assert threads()
        break
    assert threads() == []


def test_garbage_in_a_cycle_ends_threads(memory, options, threads):
    holder = {"batches": iter(BatchIterator(memory(45), options()))}
    holder["self"] = holder
    next(holder["batches"])
    assert threads()
    del holder
    gc.collect()
    assert threads() == []


def test_prefetch_is_bounded(memory, options):
    """No more samples are read than the batches asked for and those ahead of them have."""
    read, samples = [], memory(100)

    class Counting(Memory):
        def media(self, position):
            read.append(position)
            return super().media(position)

    iterator = BatchIterator(Counting(samples._media, samples.labels), options(batch_size=5, prefetch=3))
    for given, batch in enumerate(iterator, 1):
        assert batch.position == 5 * given
        assert len(read) <= 5 * (given + 3)
    assert len(read) == 100


def test_decoding_goes_on_while_the_consumer_works(memory, options):
    """The batches ahead are decoded without being asked for."""
    ahead = threading.Event()
    samples = memory(100)

    class Watched(Memory):
        def media(self, position):
            if position == 40:  # of the sixth batch
                ahead.set()
            return super().media(position)

    iterator = BatchIterator(Watched(samples._media, samples.labels), options(shuffle=False, prefetch=3))
    batches = iter(iterator)
    for _ in range(3):  # it gets further ahead with each
        next(batches)
    assert ahead.wait(10)


@pytest.fixture
def stored(tmp_path, digits, png):
    """60 digits in a real store, in several shards."""
    store = open_store(tmp_path / "store")
    with SpanWriter(store, "digits", "2026-01-01", [str(i) for i in range(10)], shard_bytes=20_000) as writer:
        for i in range(60):
            writer.add(Sample(f"digit/{i:04d}", png(digits[0][i]), int(digits[1][i]), None))
        ref = writer.commit()
    return store, ref


def test_of_a_store(stored, options, digits):
    samples = Samples(*stored)
    for batch in BatchIterator(samples, options(threads=4, seed=9), epochs=2):
        assert np.array_equal(batch.images[..., 0], digits[0][batch.rows])
        assert np.array_equal(batch.labels, digits[1][batch.rows])


def test_damage_in_a_store_names_the_sample(stored, options, tmp_path, threads):
    shard = sorted((tmp_path / "store").glob("shards/*.tar"))[0]
    content = bytearray(shard.read_bytes())
    content[600] ^= 1  # in the media of the first sample
    shard.write_bytes(bytes(content))
    with pytest.raises(CorruptionError, match=r"^sample 'digit/\d+' in shards/shard-.* is damaged"):
        list(BatchIterator(Samples(*stored), options()))
    assert threads() == []


def test_hints_tell_the_shards_of_this_epoch_and_the_next(memory, options):
    samples = memory(40, shard_ends=[10, 20, 30, 40])
    how = options(window=2, batch_size=5)
    iterator = BatchIterator(samples, how, epochs=2)
    orders = [WindowedOrder(samples.shard_ends, 2, 0, epoch, MANIFEST).shards.tolist() for epoch in (0, 1)]
    for _ in zip(range(5), iterator):
        pass
    assert samples.hints == [orders[0], orders[0] + orders[1]]
    resumed = BatchIterator(samples, how, epochs=2)
    resumed.set_state(iterator.get_state())  # at 25 of 40, in the second window
    list(resumed)
    assert samples.hints[2:] == [orders[0][2:], orders[0][2:] + orders[1], orders[1]]


@pytest.mark.parametrize(("drop", "position"), [(False, 45), (True, 40), (True, 45)])
def test_hints_at_the_end_of_an_epoch_are_of_the_next(memory, options, drop, position):
    samples = memory(45, shard_ends=[9, 18, 27, 36, 45])
    iterator = BatchIterator(samples, options(window=2, drop_remainder=drop), epochs=2)
    iterator.set_state({**iterator.get_state(), "position": position})
    next(iter(iterator))
    order = WindowedOrder(samples.shard_ends, 2, 0, 1, MANIFEST).shards.tolist()
    assert samples.hints == [order]
    iterator.set_state({**iterator.get_state(), "epoch": 1, "position": position})
    assert list(iterator) == []
    assert samples.hints == [order]


@pytest.mark.parametrize("changed", [{"window": 2}, {"window": 2, "drop_remainder": True}])
def test_windowed_batches_resume_from_every_state(memory, options, given, changed):
    samples, how = memory(45, shard_ends=[10, 12, 30, 45]), options(**changed)
    whole = given(samples, how, epochs=2)
    iterator = BatchIterator(samples, how, epochs=2)
    for taken, state in enumerate([iterator.get_state() for _ in iterator], 1):
        assert given(samples, how, 2, state) == whole[taken:]
    with pytest.raises(SpecError, match="state of another iteration"):
        BatchIterator(samples, options()).set_state(iterator.get_state())


def test_without_end(memory, options, given):
    endless = BatchIterator(memory(20), options(), epochs=None)
    found = [batch.digest() for _, batch in zip(range(9), endless)]
    endless.close()
    assert found == [digest for *_, digest in given(memory(20), options(), 3)]
    assert len(list(endless.epoch())) == 3


AUGMENT = [{"name": "flip"}, {"name": "pad_and_crop", "padding": 2}]


@pytest.mark.parametrize(("threads", "prefetch"), [(1, 1), (5, 3)])
def test_augmented_batches_do_not_depend_on_threads(memory, options, given, threads, prefetch):
    how = options(augment=AUGMENT, threads=threads, prefetch=prefetch)
    assert given(memory(61), how, 2) == given(memory(61), options(augment=AUGMENT), 2)


def test_augmented_batches_are_replayed_from_the_lineage(memory, options):
    samples, how = memory(30), options(augment=AUGMENT, seed=4)
    for batch in BatchIterator(samples, how, epochs=2):
        for image, row in zip(batch.images, batch.rows.tolist()):
            told = {"shape": how.shape, "seed": how.seed, "epoch": batch.epoch, "row": row}
            again = replay(how.augment, image=decode(samples.media(row), how.shape), **told)
            assert np.array_equal(again, image)


def test_augmentation_goes_on_in_a_resumed_epoch(memory, options, given):
    samples, how = memory(45), options(augment=[*AUGMENT, {"name": "mixup"}])
    whole = given(samples, how, 2)
    iterator = BatchIterator(samples, how, epochs=2)
    states = [iterator.get_state() for _ in iterator]
    assert given(samples, how, 2, states[3]) == whole[4:]
    assert len({digest for *_, digest in whole}) == len(whole)


def test_a_window_takes_the_whole_image(memory, options, png):
    wide = np.tile(np.arange(64, dtype=np.uint8) * 4, (16, 1))
    samples = memory(16, broken=dict.fromkeys(range(16), png(wide)))
    (batch,) = BatchIterator(samples, options(batch_size=16, augment=[{"name": "resized_crop"}]))
    assert batch.images.shape == (16, 8, 8, 1)
    assert len({image.tobytes() for image in batch.images}) > 8


def test_mixed_batches_tell_shares(memory, options):
    samples = memory(64)
    for batch in BatchIterator(samples, options(augment=[{"name": "cutmix"}])):
        assert batch.mixed is not None
        targets = batch.targets(10)
        assert (targets.shape, targets.dtype) == ((8, 10), np.float32)
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        rows = np.arange(8)
        same = batch.mixed.partners == batch.labels
        np.testing.assert_allclose(targets[rows, batch.labels], np.where(same, 1, batch.mixed.shares), atol=1e-6)
    (plain,) = BatchIterator(samples, options(batch_size=64))
    assert plain.targets(10) is plain.labels


def test_repeated_samples_are_augmented_anew(memory, options):
    """Weighted sampling gives a sample again in an epoch, but never the same pixels by rule."""
    samples = memory(60)
    how = options(batch_size=60, sampling={"classes": {"3": 1}}, augment=[{"name": "noise", "sigma": [5, 20]}])
    (batch,) = BatchIterator(samples, how)
    assert len(set(batch.rows.tolist())) < 60
    assert len({image.tobytes() for image in batch.images}) == 60
