"""What is kept changes no byte: not in any order, for any rank, from any state; it only saves decoding."""

from __future__ import annotations

import threading
from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlplat.data import BatchIterator, Subset, filling, kept
from airflow_mlplat.data.kept import MOST_BYTES, Kept, default_bytes
from airflow_mlplat.errors import DataError
from tests.data.conftest import Memory

ENOUGH = 1 << 20
AUGMENTS = {
    "none": (),
    "flip": ({"name": "flip"},),
    "pad_and_crop": ({"name": "pad_and_crop", "padding": 2},),
    "rotate": ({"name": "rotate", "degrees": 20},),
    "translate": ({"name": "translate", "share": 0.2},),
    "colour": ({"name": "colour", "brightness": 0.4, "contrast": 0.4},),
    "blur": ({"name": "blur"},),
    "noise": ({"name": "noise", "sigma": [5, 20]},),
    "erase": ({"name": "erase"},),
    "several": ({"name": "flip"}, {"name": "noise", "sigma": [5, 20]}, {"name": "erase"}),
    "mixed": ({"name": "flip"}, {"name": "mixup"}),
    "cut": ({"name": "cutmix"},),
    "of whole images": ({"name": "resized_crop"}, {"name": "flip"}),
}


class Counting(Memory):
    """Counts how often each sample is read."""

    def __init__(self, of):
        super().__init__(of._media, of.labels, shard_ends=of.shard_ends, span_ends=of.span_ends)
        self.reads = Counter()

    def media(self, position):
        self.reads[position] += 1
        return super().media(position)


def looked_at(batch):
    """All that a batch tells; then its pixels are spoilt, as a consumer may do."""
    mixed = None if batch.mixed is None else (batch.mixed.partners.tolist(), batch.mixed.shares.tolist())
    found = batch.epoch, batch.position, batch.rows.tolist(), batch.digest(), mixed
    batch.images[...] = 77
    batch.labels[...] = 5
    return found


def passes(samples, how, epochs=3, state=None):
    iterator = BatchIterator(samples, how, epochs)
    if state:
        iterator.set_state({**iterator.get_state(), **state})
    return [looked_at(batch) for batch in iterator]


@st.composite
def settings_of_an_iterator(draw):
    """Options, of all kinds that a batch's bytes or their making may depend on."""
    kind = draw(st.sampled_from(["as stored", "shuffled", "windowed", "balanced", "replay"]))
    ranks = draw(st.integers(1, 3))
    return {
        "shuffle": kind != "as stored",
        "window": 2 if kind == "windowed" else 0,
        "sampling": {"balanced": {"classes": "balanced"}, "replay": {"newest_span": 0.5}}.get(kind),
        "shard_count": ranks,
        "shard_index": draw(st.integers(0, ranks - 1)),
        "batch_size": draw(st.integers(1, 13)),
        "drop_remainder": draw(st.booleans()),
        "shape": draw(st.sampled_from([(8, 8, 1), (6, 10, 3)])),
        "fit": draw(st.sampled_from(["stretch", "crop", "pad"])),
        "threads": draw(st.integers(1, 4)),
        "prefetch": draw(st.integers(1, 5)),
        "augment": AUGMENTS[draw(st.sampled_from(sorted(AUGMENTS)))],
        "seed": draw(st.integers(0, 3)),
    }


@settings(max_examples=60)
@given(
    how=settings_of_an_iterator(),
    state=st.fixed_dictionaries({"epoch": st.integers(0, 1), "position": st.integers(0, 40)}),
    part=st.booleans(),
    small=st.sampled_from([0, ENOUGH]),
)
def test_batches_are_the_same_byte_by_byte(memory, options, *, how, state, part, small):
    count = 45 if part else 40
    samples = memory(count, shard_ends=[10, 22, count], span_ends=[25, count])
    samples.labels[::7] = -1
    if part:
        samples = Subset(samples, np.arange(1, 41))
    anew = passes(samples, options(**how, keep_bytes=0), state=state)
    with patch.object(filling, "SMALL_BYTES", small):
        assert passes(samples, options(**how, keep_bytes=ENOUGH), state=state) == anew


@pytest.mark.parametrize(
    ("changed", "epochs", "reads"),
    [
        ({}, 3, 1),
        ({"augment": AUGMENTS["several"]}, 3, 1),
        ({"augment": AUGMENTS["mixed"]}, 3, 1),
        ({"keep_bytes": None}, 3, 1),
        ({"keep_bytes": 50 * 64}, 3, 1),
        ({"keep_bytes": 50 * 64 - 1}, 3, 3),
        ({"keep_bytes": 0}, 3, 3),
        ({"augment": AUGMENTS["of whole images"]}, 3, 3),
        ({}, 1, 1),
    ],
)
def test_a_sample_is_decoded_once_if_all_fit(memory, options, changed, epochs, reads):
    samples = Counting(memory(50))
    passes(samples, options(**{"keep_bytes": ENOUGH, **changed}), epochs)
    assert samples.reads == dict.fromkeys(range(50), reads)


def test_epoch_by_epoch_and_after_a_step_back(memory, options):
    samples = Counting(memory(50))
    iterator = BatchIterator(samples, options(), None)
    start = iterator.get_state()
    first = [looked_at(batch) for batch in iterator.epoch()]
    for _ in iterator.epoch():
        pass
    iterator.set_state(start)
    assert [looked_at(batch) for batch in iterator.epoch()] == first
    assert set(samples.reads.values()) == {1}


@pytest.mark.parametrize(("epochs", "keeps"), [(1, False), (2, True), (None, True)])
def test_one_epoch_keeps_nothing(options, epochs, keeps):
    assert (Kept.of(50, options(), epochs) is not None) == keeps


@pytest.mark.parametrize("keep_bytes", [0, ENOUGH])
@pytest.mark.parametrize("small", [0, ENOUGH])
def test_a_bad_sample_is_told_where_it_comes(memory, options, monkeypatch, keep_bytes, small):
    """One that the first epoch left out comes among samples that are kept."""
    monkeypatch.setattr(filling, "SMALL_BYTES", small)
    how = options(batch_size=9, drop_remainder=True, keep_bytes=keep_bytes)
    whole = [set(rows) for _, _, rows, *_ in passes(memory(44), how, 2)]
    (row, *_) = set(range(44)) - set.union(*whole[:4])
    bad = next(number for number, rows in enumerate(whole) if row in rows)
    samples, seen = memory(44, broken={row: b"no image"}), []
    iterator = BatchIterator(samples, how, 3)
    for _ in range(2):  # and again when it is tried again
        with pytest.raises(DataError, match=rf"^sample 'digit/{row}': media does not decode"):
            seen.extend(batch.rows.tolist() for batch in iterator)
    assert list(map(set, seen)) == whole[:bad]
    assert iterator.get_state()["epoch"] == 1


def test_shards_that_are_kept_are_not_read_ahead(memory, options):
    samples = memory(40, shard_ends=[10, 20, 30, 40])
    for _ in BatchIterator(samples, options(window=2), epochs=3):
        pass
    first, then, second, *later = samples.hints
    assert sorted(first) == [0, 1, 2, 3]
    assert sorted(then) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert set(second) <= set(then[2:4])  # of the window that is still being decoded when the next epoch begins
    assert later == [[], []]
    samples.hints.clear()
    for _ in BatchIterator(samples, options(window=2, keep_bytes=0), epochs=3):
        pass
    assert all(samples.hints)


def test_shards_that_lack_samples():
    of = Kept(10, (1, 1, 1))
    ends = np.array([3, 3, 6, 10])
    assert of.incomplete(ends).tolist() == [True, False, True, True]
    for row in (0, 1, 2, 6, 7, 8):
        of.put(row, np.zeros((1, 1, 1), np.uint8))
    assert of.incomplete(ends).tolist() == [False, False, True, True]


def test_images_are_there_from_when_they_were_put():
    of = Kept(5, (2, 3, 1))
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    rows, out = np.array([3, 1, 3]), np.zeros((3, 2, 3, 1), np.uint8)
    of.put(3, image)
    assert of.get(1) is None
    assert np.array_equal(of.get(3), image)
    assert not of.has(rows)
    assert not of.copy(rows, out)
    assert not out.any()
    of.put(1, image + 10)
    image[...] = 0
    assert of.copy(rows, out)
    assert out[:, 0, 0, 0].tolist() == [0, 10, 0]
    assert out[:, 1, 2, 0].tolist() == [5, 15, 5]
    assert of.copy(rows[:0], out[:0])


def test_labels_are_asked_for_once():
    of, asked = Kept(6, (1, 1, 1)), []

    def look_up(rows):
        asked.append(rows.tolist())
        return rows - 1  # -1: a missing one

    for rows in ([0, 2], [2, 0, 2], [0, 5], [5]):
        assert of.labels_at(np.array(rows), look_up).tolist() == [row - 1 for row in rows]
    assert asked == [[0, 2], [0, 5]]


def test_threads_that_put_and_copy_at_once():
    """Whoever sees that an image is there sees all of it, though another thread puts the same again."""
    of = Kept(8, (64, 64, 3))
    whole = [np.full((64, 64, 3), row + 1, np.uint8) for row in range(8)]
    begin, wrong = threading.Barrier(3), []

    def put():
        begin.wait()
        for _ in range(50):
            for row, image in enumerate(whole):
                of.put(row, image)

    def copy():
        begin.wait()
        out = np.empty((8, 64, 64, 3), np.uint8)
        for _ in range(200):
            if of.copy(np.arange(8), out) and not np.array_equal(out, whole):
                wrong.append(out.copy())

    threads = [threading.Thread(target=work) for work in (put, put, copy)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert of.has(np.arange(8))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([], MOST_BYTES),
        (["max\n"], MOST_BYTES),
        ([f"{512 << 20}\n"], 64 << 20),
        (["9223372036854771712", f"{1 << 30}"], 128 << 20),
    ],
)
def test_the_default_is_a_part_of_what_a_container_may_have(tmp_path, monkeypatch, limits, expected):
    paths = [tmp_path / str(number) for number in range(2)]
    for path, text in zip(paths, limits):
        path.write_text(text)
    monkeypatch.setattr(kept, "_LIMITS", tuple(map(str, paths)))
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 1 << 24, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert default_bytes() == expected
