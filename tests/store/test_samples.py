"""Reading samples: what was written comes back, over spans and datasets, and damage is told."""

from __future__ import annotations

import gc
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlplat.contract import Ref, canonical_json
from airflow_mlplat.errors import CorruptionError, NotFoundError, SpecError
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from airflow_mlplat.store.ranges import ShardRanges

keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)
rows = st.tuples(st.binary(max_size=40), st.sampled_from([None, 0, 1]), st.sampled_from([None, {}, {"é": [1.5, None]}]))


def build(store, refs, drops, classes=("cat", "dog"), samples=None):
    """A dataset manifest like the one of the dataset stage; drops: one list of row numbers a span."""
    files, spans = {}, []
    for number, (ref, dropped) in enumerate(zip(refs, drops)):
        count = store.manifest(ref)["samples"]
        name = f"drops-{number}.json" if dropped else None
        if name:
            listed = [{"row": row, "key": "?", "reason": "undecodable"} for row in dropped]
            files[name] = store.put_blob(canonical_json(listed))
        kept = {"samples": count - len(dropped), "dropped": len(dropped), "drops": name}
        spans.append({"partition": "p", "digest": ref.digest, **kept})
    return store.put_manifest(
        {
            "format": 1,
            "kind": "dataset",
            "name": "pets",
            "files": files,
            "parents": [ref.to_json() for ref in refs],
            "classes": list(classes),
            "samples": sum(span["samples"] for span in spans) if samples is None else samples,
            "label_counts": [],
            "spans": spans,
            "dropped": {},
        }
    )


def test_span(store, span, samples):
    read = Samples(store, span)
    assert len(read) == 20
    assert read.ref == span
    assert read.classes == ["cat", "dog"]
    assert read.labels.dtype == np.int64
    assert read.labels.tolist() == [-1 if s.label is None else s.label for s in samples]
    assert [read.key(i) for i in range(20)] == [s.key for s in samples]
    assert [key.decode() for key in read.keys().tolist()] == [s.key for s in samples]
    assert [read.media(i) for i in range(20)] == [s.media for s in samples]
    assert [read.metadata(i) for i in range(20)] == [s.metadata for s in samples]
    for array in (read.labels, read.keys(), read.shard_ends, read.span_ends):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


@pytest.mark.parametrize("position", [-1, 20])
def test_position_out_of_range(store, span, position):
    read = Samples(store, span)
    for method in (read.media, read.key, read.metadata):
        with pytest.raises(IndexError, match=f"row {position} of 20 samples"):
            method(position)


@settings(max_examples=40)
@given(table=st.dictionaries(keys, rows, max_size=12))
def test_anything_comes_back(table, tmp_path_factory):
    store = open_store(tmp_path_factory.getbasetemp() / "any")
    ordered = [Sample(key, *table[key]) for key in sorted(table, key=str.encode)]
    with SpanWriter(store, "any", "p", ["a", "b"], shard_bytes=4096) as writer:
        for sample in ordered:
            writer.add(sample)
        read = Samples(store, writer.commit())
    labels = [-1 if label is None else label for label in read.labels.tolist()]
    found = [
        Sample(read.key(i), read.media(i), None if labels[i] == -1 else labels[i], read.metadata(i))
        for i in range(len(read))
    ]
    assert found == ordered


def test_dataset_of_several_spans_with_drops(store, write, samples):
    second = [Sample(s.key, s.media + b"!", 0) for s in samples[:5]]
    refs = [write(), write("2026-01-02", second), write("2026-01-03", [])]
    read = Samples(store, build(store, refs, [[0, 7, 8, 19], [4], []]))
    expected = [s for i, s in enumerate(samples) if i not in (0, 7, 8, 19)] + second[:4]
    assert len(read) == len(expected) == 20
    assert [read.key(i) for i in range(20)] == [s.key for s in expected]
    assert [read.media(i) for i in range(20)] == [s.media for s in expected]
    assert [read.metadata(i) for i in range(20)] == [s.metadata for s in expected]
    assert read.labels.tolist() == [-1 if s.label is None else s.label for s in expected]


def test_where_shards_and_spans_end(store, write, samples):
    refs = [write(), write("2026-01-02", samples[:5]), write("2026-01-03", [])]
    read = Samples(store, build(store, refs, [[0, 7, 8, 19], [0, 1, 2, 3, 4], []]))
    sizes = [shard["samples"] for ref in refs for shard in store.manifest(ref)["shards"]]
    assert len(sizes) > 3
    kept = np.delete(np.repeat(np.arange(len(sizes)), sizes), [0, 7, 8, 19, 20, 21, 22, 23, 24])
    assert read.shard_ends.dtype == read.span_ends.dtype == np.int64
    assert read.shard_ends.tolist() == np.cumsum(np.bincount(kept, minlength=len(sizes))).tolist()
    assert read.span_ends.tolist() == [16, 16, 16]
    assert read.partitions == ["2026-01-01", "2026-01-02", "2026-01-03"]


@settings(max_examples=60)
@given(dropped=st.sets(st.integers(0, 19)), chosen=st.lists(st.integers(0, 19), max_size=100))
def test_labels_at_rows(dropped, chosen, tmp_path_factory):
    """Few rows are looked up one by one, many by shard: both as all labels at once."""
    store = open_store(tmp_path_factory.getbasetemp() / "labels")
    with SpanWriter(store, "pets", "p", ["a", "b", "c"], shard_bytes=8000) as writer:
        for i in range(20):
            writer.add(Sample(f"{i:02d}", b"x" * 100, (0, 1, 2, None)[i % 4]))
        span = writer.commit()
    read = Samples(store, build(store, [span], [sorted(dropped)], classes=("c", "a")))
    expected = [(1, -1, 0, -1)[i % 4] for i in range(20) if i not in dropped]
    assert read.labels.tolist() == expected
    assert len(read.shard_ends) == 3
    for times in (1, 30):
        rows = np.array([row for row in chosen if row < len(expected)] * times, np.int64)
        found = read.labels_at(rows)
        assert (found.dtype, found.tolist()) == (np.int64, [expected[row] for row in rows.tolist()])


@pytest.mark.parametrize("times", [1, 50])
@pytest.mark.parametrize("row", [-1, 20])
def test_labels_at_rows_out_of_range(store, span, row, times):
    with pytest.raises(IndexError, match=f"row {row} of 20 samples"):
        Samples(store, span).labels_at(np.array([0, row] * times))


def test_no_samples(store, write):
    for ref in (write(rows=[]), build(store, [write(rows=[])], [[]])):
        read = Samples(store, ref)
        assert (len(read), read.shard_ends.tolist(), read.span_ends.tolist()) == (0, [], [0])
        assert (read.labels.tolist(), read.labels_at(np.empty(0, np.int64)).tolist(), list(read.media_of([]))) == (
            [],
            [],
            [],
        )
        assert read.keys().tolist() == []


def test_opening_reads_manifests_alone(store, write, samples):
    """What is damaged in one shard is told when that shard is used, and not before."""
    refs = [write(), write("2026-01-02", [Sample("z", b"other", 1)])]
    made = build(store, refs, [[3], []])
    folder = store.backend.root / "shards"
    for shard in store.manifest(refs[0])["shards"][1:]:
        (folder / f"index-{shard['index_sha256']}.idx.npy").unlink()
        (folder / f"keys-{shard['keys_sha256']}.keys.npy").unlink()
    read = Samples(store, made)
    assert (len(read), read.media(0), read.key(0)) == (20, samples[0].media, "k/000.x")
    assert (read.media(19), read.key(19), read.labels_at(np.array([19])).tolist()) == (b"other", "z", [1])
    for use in (read.media, read.metadata, read.key, lambda row: read.labels, lambda row: read.keys()):
        with pytest.raises(CorruptionError, match=r"shards/(index|keys)-[0-9a-f]{64}\..* is missing from the store"):
            use(18)


def test_a_reader_of_ones_own(store, span, samples):
    asked = []

    class Reader:
        def read(self, shard, offset, size):
            asked.append((shard, offset, size))
            return store.backend.read_range(f"shards/shard-{shard}.tar", offset, size)

    read = Samples(store, span, reader=Reader())
    assert read.media(0) == samples[0].media
    assert asked == [(store.manifest(span)["shards"][0]["sha256"], 512, len(samples[0].media))]


def test_bulk_and_unchecked(store, write, samples, flip):
    span = write(rows=samples[:3])
    read = Samples(store, span)
    assert list(read.media_of([2, 0])) == [samples[2].media, samples[0].media]
    flip("shards/*.tar", 512)
    assert read.media(0, check=False) != samples[0].media
    assert list(read.media_of([0], check=False)) == [read.media(0, check=False)]
    with pytest.raises(CorruptionError, match=r"'k/000\.x'"):
        list(read.media_of([1, 0]))


@pytest.fixture(params=["compiled", "not compiled"])
def either_way(request, monkeypatch):
    """Many samples are read by what is compiled, if it is, or without it."""
    if request.param == "not compiled":
        monkeypatch.setattr("airflow_mlplat.store.ranges.pieces", lambda *given: None)


@pytest.mark.usefixtures("either_way")
def test_damage_among_many_rows(store, write, samples, flip, monkeypatch):
    """So many that they are read together."""
    again: list = []
    monkeypatch.setattr(ShardRanges, "recheck", lambda self, shard: again.append(shard))
    span, rows = write(rows=samples[:3]), np.tile([2, 1, 0], 60)
    assert list(Samples(store, span).media_of(rows)) == [samples[row].media for row in rows]
    assert not again, "what is right is read once"
    flip("shards/*.tar", 512)
    found = Samples(store, span).media_of(rows)
    assert [next(found), next(found)] == [samples[2].media, samples[1].media]
    with pytest.raises(CorruptionError, match=r"'k/000\.x'.* is damaged; expected CRC-32C"):
        next(found)
    assert len(list(Samples(store, span).media_of(rows, check=False))) == 180


def test_every_row_dropped(store, write, samples):
    read = Samples(store, build(store, [write(rows=samples[:3])], [[0, 1, 2]]))
    assert len(read) == len(read.keys()) == 0


def test_classes_of_a_dataset_are_matched_by_name(store, write, samples):
    refs = [write(), write("2026-01-02", classes=("dog", "cat")), write("2026-01-03", classes=("cow", "dog"))]
    read = Samples(store, build(store, refs, [[], [], []], classes=("dog", "cat", "bird")))
    assert read.labels[:3].tolist() == [1, 0, -1]
    assert read.labels[20:23].tolist() == [0, 1, -1]
    assert read.labels[40:43].tolist() == [-1, 0, -1]


def test_from_many_threads(store, span, samples):
    read = Samples(store, span)
    order = np.random.RandomState(0).permutation(np.repeat(np.arange(20), 50)).tolist()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read.media, order)) == [samples[i].media for i in order]


def test_maps_end_with_the_last_reference(store, span):
    """At once, not when the garbage collector happens to look for cycles."""
    gc.collect()
    gc.disable()
    try:
        read = Samples(store, span)
        assert (len(read.labels), read.key(0), len(read.media(0))) == (20, "k/000.x", 8)
        assert len(list(read.media_of(np.repeat(np.arange(20), 60)))) == 1200
        assert str(store.backend.root) in Path("/proc/self/maps").read_text()
        gone = weakref.ref(read)
        del read
        assert gone() is None
        assert str(store.backend.root) not in Path("/proc/self/maps").read_text()
    finally:
        gc.enable()


def test_from_a_store_that_cannot_be_mapped(store, span, samples, monkeypatch):
    monkeypatch.setattr(type(store.backend), "local_path", lambda self, path: None)
    read = Samples(store, span)
    assert [read.media(i) for i in range(20)] == [s.media for s in samples]
    assert [read.metadata(i) for i in range(20)] == [s.metadata for s in samples]


def test_damaged_media(store, write, samples, flip):
    span = write(rows=samples[:3])
    path = flip("shards/*.tar", 512)
    message = rf"sample 'k/000.x' in {path} of file:///.* is damaged; expected CRC-32C [0-9a-f]{{8}} of 8 bytes; got"
    with pytest.raises(CorruptionError, match=message):
        Samples(store, span).media(0)
    assert Samples(store, span).media(1) == samples[1].media


def test_truncated_shard(store, write, samples):
    span = write(rows=samples[:3])
    path = next(store.backend.root.glob("shards/*.tar"))
    path.write_bytes(path.read_bytes()[:700])
    read = Samples(store, span)
    assert read.media(0) == samples[0].media
    with pytest.raises(CorruptionError, match=r"'k/001.x'.* got 00000000 of 0 bytes"):
        read.media(1)


@pytest.mark.parametrize("case", [(2048, "damaged tar header"), (2560, "Expecting value")], ids=["header", "content"])
def test_damaged_metadata(store, write, samples, flip, case):
    span = write(rows=samples[:2])
    path = flip("shards/*.tar", case[0])
    with pytest.raises(CorruptionError, match=rf"metadata of sample 'k/001\.x' in {path} .* damaged; got {case[1]}"):
        Samples(store, span).metadata(1)


@pytest.mark.parametrize("pattern", ["shards/*.idx.npy", "shards/*.keys.npy"])
def test_damaged_sidecar(store, span, flip, pattern):
    path = flip(pattern)
    with pytest.raises(CorruptionError, match=f"{path} of the store file:///.* is damaged; expected SHA-256"):
        Samples(store, span).verify()
    (store.backend.root / path).unlink()
    with pytest.raises(CorruptionError, match=f"{path} is missing from the store"):
        Samples(store, span).verify()


def test_dataset_that_does_not_add_up(store, span):
    with pytest.raises(CorruptionError, match="has another number of samples; expected 7; got 20"):
        Samples(store, build(store, [span], [[]], samples=7))
    told = "drops rows that its span of 2026-01-01 has not; expected rows below 20; got 3 … 20"
    with pytest.raises(CorruptionError, match=told):
        Samples(store, build(store, [span], [[3, 20]])).media(0)
    refs = build(store, [span], [[3, 4]]), build(store, [span], [[3]])
    first, other = (store.manifest(ref) for ref in refs)
    short = store.put_manifest({**first, "files": {"drops-0.json": other["files"]["drops-0.json"]}})
    told = "rows dropped from the span of 2026-01-01 has another length; expected 2; got 1"
    with pytest.raises(CorruptionError, match=told):
        Samples(store, short).media(0)
    part = {**first["spans"][0], "dropped": 3}
    told = "the span of 2026-01-01 has another number of samples; expected 18; got 17"
    with pytest.raises(CorruptionError, match=told):
        Samples(store, store.put_manifest({**first, "spans": [part]}))
    part = {**first["spans"][0], "digest": "0" * 64}
    with pytest.raises(CorruptionError, match=r"its parents are not its spans; expected 0{64}; got"):
        Samples(store, store.put_manifest({**first, "spans": [part]}))


def test_samples_of_a_path(store, span):
    with pytest.raises(
        SpecError, match=r"samples are read from a store; expected what open_store gave; got '/a/path'\."
    ):
        Samples("/a/path", span)


def test_only_spans_and_datasets(store):
    with pytest.raises(
        SpecError, match=r"only spans and datasets have samples; expected span \| dataset; got model:m@"
    ):
        Samples(store, Ref("model", "m", "0" * 64))
    with pytest.raises(NotFoundError, match=r"span:pets@000000000000 is not in the store file:///"):
        Samples(store, Ref("span", "pets", "0" * 64))


def test_a_reader_is_told_which_shards_will_be_read(store, span):
    class Hinted:
        def hint(self, shards):
            hints.append(list(shards))

        def read(self, shard, offset, size):
            raise AssertionError("nothing is read")

    hints: list = []
    read = Samples(store, span, Hinted())
    shards = [shard["sha256"] for shard in store.manifest(span)["shards"]]
    read.will_read(np.arange(len(shards))[::-1])
    assert hints == [shards[::-1]]
    Samples(store, span).will_read(np.arange(len(shards)))  # the store's own reader needs no hint


@pytest.mark.parametrize("mended", [True, False])
def test_a_reader_may_mend_its_copy(store, span, samples, mended):
    class Damaged:
        def __init__(self):
            self.own, self.damaged = ShardRanges(store.backend), True

        def recheck(self, shard):
            self.damaged = not mended

        def read(self, shard, offset, size):
            content = self.own.read(shard, offset, size)
            return bytes([content[0] ^ 1]) + content[1:] if self.damaged else content

    for read in (lambda given: given.media(0), lambda given: next(given.media_of([0]))):
        given = Samples(store, span, Damaged())
        if mended:
            assert read(given) == samples[0].media
        else:
            with pytest.raises(CorruptionError, match="is damaged; expected CRC-32C"):
                read(given)


def test_media_of_many_rows_are_those_of_each(store, write):
    """More rows than are looked up one by one: a shard at a time, over gaps, in the order asked for."""
    refs = [write(f"2026-01-0{day}") for day in (1, 2)]
    read = Samples(store, build(store, refs, [[3, 4], [0]]))
    rows = np.random.RandomState(0).permutation(np.tile(np.arange(len(read)), 60))
    assert len(rows) > 8 * len(read.shard_ends)
    assert list(read.media_of(rows)) == [read.media(int(row)) for row in rows]
    for outside in (-1, len(read)):
        with pytest.raises(IndexError, match=f"row {outside} of {len(read)} samples"):
            next(read.media_of(np.append(rows, outside)))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64, np.uint64])
def test_rows_as_numpys_integers(store, span, samples, kind):
    """Offsets must not be reckoned in their few bits."""
    read = Samples(store, span)
    for row in range(20):
        given = kind(row)
        found = read.media(given), read.key(given), read.metadata(given)
        assert found == (read.media(row), read.key(row), samples[row].metadata)
    rows = np.arange(20, dtype=kind)
    assert list(read.media_of(rows)) == list(read.media_of(range(20))) == [sample.media for sample in samples]
    assert read.labels_at(rows).tolist() == read.labels.tolist()


@pytest.mark.parametrize("rows", [[0.5], np.ones(3, bool), [[1, 2]], 1, ["1"], None])
def test_rows_that_are_no_whole_numbers(store, span, rows):
    read = Samples(store, span)
    for method in (read.media_of, read.labels_at):
        with pytest.raises(SpecError, match=r"rows are no list of whole numbers; expected int64 \(m,\)"):
            method(rows)
        with pytest.raises(IndexError, match=f"row {len(read)} of"):
            method([0, len(read)])
    with pytest.raises(TypeError, match="integer"):
        read.media("1")


@pytest.mark.parametrize(
    ("files", "use"),
    [
        ("index-*", lambda read: read.media(19)),
        ("index-*", lambda read: list(read.media_of(np.arange(20)))),
        ("index-*", lambda read: read.labels_at([19])),
        ("index-*", lambda read: read.metadata(19)),
        ("keys-*", lambda read: read.key(19)),
        ("keys-*", lambda read: read.keys()),
        ("keys-*", lambda read: read.verify()),
        ("index-*", lambda read: read.verify()),
    ],
)
def test_sidecars_that_are_cut_off_while_they_are_open(store, span, files, use):
    """They would end the process, or be zeros."""
    read = Samples(store, span)
    assert len(list(read.media_of(np.arange(20)))) == len(read.keys()) == 20
    assert read.key(19)
    for path in store.backend.root.glob(f"shards/{files}"):
        path.chmod(0o644)
        os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(CorruptionError, match=r"has lost its end; expected|is damaged; expected SHA-256"):
        use(read)


def test_verify_reads_again_what_is_open(store, span):
    read = Samples(store, span)
    read.verify()
    assert read.labels[0] == 0
    path = next(store.backend.root.glob("shards/index-*"))
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x05")
    with pytest.raises(CorruptionError, match=r"is damaged; expected SHA-256"):
        read.verify()


def test_metadata_of_a_shard_that_is_cut_off(store, write, samples):
    span = write(rows=samples[:3])
    path = next(store.backend.root.glob("shards/*.tar"))
    for size in (0, 512 + len(samples[0].media), 900):
        path.chmod(0o644)
        os.truncate(path, size)
        with pytest.raises(CorruptionError, match=r"damaged|lost its end"):
            Samples(store, span).metadata(2)
