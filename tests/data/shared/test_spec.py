"""A stream's identity is of what its bytes depend on; a spec is read as it was written; wrong options are told."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import IteratorOptions, Subset
from airflow_mlplat.data.cache import HostCache
from airflow_mlplat.data.shared import StreamOptions, spec
from airflow_mlplat.data.shared.spec import StreamSpec
from airflow_mlplat.errors import SpecError

REF = Ref("dataset", "digits", "ab" * 32)


def spec_of(tmp_path, ref=REF, rows=None, options=IteratorOptions(), **stream):  # noqa: B008  # frozen
    return StreamSpec(ref, options, StreamOptions(tmp_path, **{"store": "/store", **stream}), rows)


OTHER = [
    {"ref": Ref("dataset", "digits", "cd" * 32)},
    {"rows": np.arange(3)},
    {"rows": np.arange(4)},
    *(
        {"options": IteratorOptions(**changed)}
        for changed in (
            {"batch_size": 65}, {"shape": (28, 28, 3)}, {"seed": 1}, {"shuffle": False}, {"shard_count": 2},
            {"shard_index": 1, "shard_count": 2}, {"drop_remainder": True}, {"resize": "box"}, {"decoder": "pillow"},
            {"window": 2}, {"fit": "crop"}, {"augment": ({"name": "flip", "probability": 0.5},)},
        )
    ),
]  # fmt: skip


def test_other_bytes_have_another_identity(tmp_path, monkeypatch):
    found = [spec_of(tmp_path), *(spec_of(tmp_path, **changed) for changed in OTHER)]
    assert len({one.identity for one in found}) == len({one.folder for one in found}) == len(OTHER) + 1
    before = found[0].identity
    for name, value in (("__version__", "9"), ("PROTOCOL", 9)):
        with monkeypatch.context() as patched:
            patched.setattr(spec, name, value)
            assert spec_of(tmp_path).identity != before


def test_the_same_bytes_have_the_same_identity(tmp_path):
    same = [
        spec_of(tmp_path),
        spec_of(tmp_path, options=IteratorOptions(threads=7, prefetch=9, keep_bytes=0)),
        spec_of(tmp_path, store="file:///elsewhere", window=3, patience_seconds=1, consumers=4),
    ]
    assert len({one.identity for one in same}) == 1
    assert same[0].folder == tmp_path / f"stream-{same[0].identity[:16]}"


def test_paths_are_those_of_whoever_asks(tmp_path, monkeypatch):
    """The server works in another folder."""
    monkeypatch.chdir(tmp_path)
    stream = StreamOptions(Path("streams"), "mlplat/store", HostCache(Path("cache"), 7))
    assert (stream.directory, stream.cache.folder) == (tmp_path / "streams", tmp_path / "cache")
    assert stream.store == str(tmp_path / "mlplat/store")
    assert StreamOptions(tmp_path, "~/store").store == str(Path.home() / "store")  # as `open_store` takes it
    for url in ("s3://bucket/store", "https://host/store", "file:///store"):
        assert StreamOptions(tmp_path, url).store == url


@pytest.mark.parametrize("rows", [None, np.arange(0, 9, 2)])
def test_saved_and_loaded(tmp_path, rows):
    options = IteratorOptions(batch_size=3, shape=(9, 8, 3), augment=({"name": "flip", "probability": 0.5},))
    cache = HostCache(tmp_path / "cache", 7)
    saved = spec_of(tmp_path, rows=rows, options=options, cache=cache, consumers=3, patience_seconds=1.5)
    saved.folder.mkdir()
    saved.save()
    loaded = StreamSpec.load(saved.folder)
    assert (loaded.identity, loaded.ref, loaded.options) == (saved.identity, saved.ref, options)
    assert dataclasses.astuple(loaded.stream) == dataclasses.astuple(saved.stream)
    assert rows is None or loaded.rows.tolist() == rows.tolist()


def test_of_samples(samples, tmp_path):
    how, stream = IteratorOptions(), StreamOptions(tmp_path, "/store")
    whole = StreamSpec.of(samples, how, stream)
    assert (whole.ref, whole.options, whole.stream, whole.rows) == (samples.ref, how, stream, None)
    part = Subset(samples, np.arange(5, 50))
    assert StreamSpec.of(part, how, stream).rows.tolist() == list(range(5, 50))
    of_part = StreamSpec.of(Subset(part, np.array([0, 3, 44])), how, stream)
    assert (of_part.rows.tolist(), of_part.rows.dtype) == ([5, 8, 49], np.int64)
    assert of_part.identity == StreamSpec.of(Subset(samples, np.array([5, 8, 49])), how, stream).identity


def test_opened(span, samples, tmp_path):
    store, ref = span
    whole, part = spec_of(tmp_path, ref, store=store), spec_of(tmp_path, ref, np.arange(5, 50), store=store)
    assert len(whole.samples()) == 200
    assert (len(part.samples()), part.samples().key(0)) == (45, samples.key(5))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"consumers": 0}, r"consumers must be a whole number; expected 1 to 1000000000; got 0\."),
        ({"consumers": 1.5}, r"consumers must be a whole number"),
        ({"window": True}, r"window must be a whole number; expected 1 to 1000000000; got True\."),
        ({"patience_seconds": -1}, r"patience_seconds must be a number; expected 0 to 1000000000; got -1\."),
        ({"silence_seconds": float("inf")}, r"silence_seconds must be a number; expected 2 to 1000000000; got inf\."),
        ({"patience_seconds": float("nan")}, r"patience_seconds must be a number"),
        ({"silence_seconds": 1}, r"silence_seconds must be a number; expected 2 to 1000000000; got 1\."),
        ({"idle_seconds": "3"}, r"idle_seconds must be a number; expected 0 to 1000000000; got '3'\."),
    ],
)
def test_wrong_options(tmp_path, changed, message):
    with pytest.raises(SpecError, match=message):
        StreamOptions(tmp_path, "/store", **changed)


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"{}", json.dumps({"rows": True}).encode()])
def test_no_spec(tmp_path, content):
    if content is not None:
        (tmp_path / spec.SPEC).write_bytes(content)
    with pytest.raises(SpecError, match=r"spec\.json is no spec of a stream; got \w+Error: "):
        StreamSpec.load(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"directory": None}, "directory of a stream is wrong; expected a path; got None"),
        ({"directory": ""}, "directory of a stream is wrong; expected a path; got ''"),
        ({"store": 1}, "store of a stream is wrong; expected a path; got 1"),
        ({"cache": "folder"}, r"cache of a stream is wrong; expected HostCache\(…\) or None; got 'folder'"),
    ],
)
def test_places_that_are_none(stream, changed, message):
    with pytest.raises(SpecError, match=message):
        stream(**changed)
