from __future__ import annotations

import json
import os
import random
from itertools import chain

import pytest

from airflow_mlplat.bridges import Previous, WebDatasetSource, bridge
from airflow_mlplat.errors import DataError, SourceChangedError, SourceError, SpecError
from airflow_mlplat.store import Samples
from tests.bridges.suite import DAY, OTHER, SourceSuite, Stocked
from tests.bridges.tars import PACKINGS, sample, write_tar

CLASSES = ("shirt", "coat")


def source(paths, **changes):
    return WebDatasetSource(str(paths), **{"label": "cls", "classes": CLASSES, **changes})


def labels(path, *members, **changes):
    write_tar(path, members)
    return [record.label for record in source(path, **changes).records(None, DAY)]


class TestWebDatasetSource(SourceSuite):
    media = tuple("{folder}/2026-01-31-0.tar:" + place for place in ("2560+17", "4608+17"))
    watermark = None

    @pytest.fixture
    def stocked(self, tmp_path):
        write_tar(tmp_path / f"{DAY}-0.tar", [*sample(1, 0, by="ann"), *sample(2, by="ann")])
        write_tar(tmp_path / f"{OTHER}-0.tar", sample(3, 1, by="bob"))
        return Stocked(source(tmp_path / "{partition}-*.tar"), None)


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_bridge_takes_them_in_key_order(tmp_path, store, packing):
    rows = [sample(f"photos/{i:03}", i % 2, by=f"ann {i}") for i in range(60)]
    random.Random(1).shuffle(rows)
    write_tar(tmp_path / "0.tar", chain(*rows[:40]), packing)
    write_tar(tmp_path / "1.tar", chain(*rows[40:]))
    bridged = bridge(source(tmp_path / "*.tar"), None, store, dataset="photos", partition=DAY)
    samples = Samples(store, bridged.ref)
    assert [samples.key(i) for i in range(60)] == [f"photos/{i:03}" for i in range(60)]
    assert [int(label) for label in samples.labels] == [i % 2 for i in range(60)]
    for i in (0, 17, 59):
        assert samples.media(i) == f"\x89PNG a photo of photos/{i:03}".encode("latin-1")
        assert samples.metadata(i) == {"by": f"ann {i}"}
    again = bridge(
        source(tmp_path / "*.tar"), None, store, dataset="photos", partition=DAY,
        previous=Previous(bridged.ref, bridged.fingerprint),
    )  # fmt: skip
    assert again.reused and again.ref == bridged.ref


def test_what_is_bad_is_set_aside_with_its_reason(tmp_path, store):
    members = [
        *sample("good", 0),
        *sample("unlabelled"),
        *sample("alien", "hat"),
        *sample("beyond", 2),
        ("blind.cls", b"0"),
        *sample("void", 0, media=b""),
        ("json.json", b"{"),
        *sample("twice", 0),
        *sample("o" * 90 + "/" + "o" * 60 + "/" + "o" * 60, 0),
        ("\udcff.png", b"1"),
        *sample("late", 1),
        *sample("twice", 0),
    ]
    with pytest.MonkeyPatch.context() as patch:  # as GNU tar writes any bytes of a name
        patch.setattr("tarfile.ENCODING", "utf-8")
        write_tar(tmp_path / "0.tar", members)
    write_tar(tmp_path / "1.tar", sample("late", 1))
    bridged = bridge(source(tmp_path / "?.tar"), None, store, dataset="photos", partition=DAY, max_bad_fraction=1)
    samples = Samples(store, bridged.ref)
    assert [(samples.key(i), int(samples.labels[i])) for i in range(2)] == [("good", 0), ("unlabelled", -1)]
    lines = store.blob(bridged.document["files"]["quarantine.jsonl"]).splitlines()
    assert sorted((row["reason"], row["key"][:10]) for row in map(json.loads, lines)) == [
        ("bad key", ""),
        ("bad key", ""),
        ("duplicate key", "late"),
        ("duplicate key", "late"),
        ("duplicate key", "twice"),
        ("duplicate key", "twice"),
        ("empty media", "void"),
        ("label outside the class list", "alien"),
        ("label outside the class list", "beyond"),
        ("malformed row", ""),
        ("missing media", "blind"),
    ]
    (row,) = (row for row in map(json.loads, lines) if row["reason"] == "malformed row")
    assert row["detail"] == "sample 'json' of 0.tar: its json is none, or too deep, or has no valid Unicode"
    with pytest.raises(DataError, match=r"has too many bad records; expected at most 0\.01 of them; got 11 of 13"):
        bridge(source(tmp_path / "?.tar"), None, store, dataset="photos", partition=DAY)


def test_a_span_does_not_depend_on_where_its_tar_files_lie(tmp_path, store):
    spans = set()
    for folder in "abcd":
        (tmp_path / folder).mkdir()
        bad = [("x.json", b"{"), ("y.json", b"{"), *sample("twice", 0), *sample("twice", "hat")]
        write_tar(tmp_path / folder / "0.tar", [*sample(1, 0), *bad])
        paths = tmp_path / folder / "*.tar"
        spans.add(bridge(source(paths), None, store, dataset="photos", partition=DAY, max_bad_fraction=1).ref)
    assert len(spans) == 1


def test_a_cut_shard_commits_nothing(tmp_path, store):
    write_tar(tmp_path / "0.tar", sample(1, 0))
    path = write_tar(tmp_path / "1.tar", sample(2, 0))
    os.truncate(path, 1500)
    with pytest.raises(SourceError, match=r"1\.tar' is cut off at byte 1500"):
        bridge(source(tmp_path / "*.tar"), None, store, dataset="photos", partition=DAY)
    assert list((tmp_path / "store").rglob("*.json")) == []


@pytest.mark.parametrize("packing", ["", "gz"])
def test_a_shard_that_is_written_again_meanwhile_commits_nothing(tmp_path, store, packing, monkeypatch):
    from airflow_mlplat.bridges.members import TarMembers

    path = write_tar(tmp_path / "0.tar", sample(1, 0, media=b"before"), packing)
    read = TarMembers.read

    def and_write(self, location):
        content = read(self, location)
        write_tar(path, sample(1, 0, media=b"after!"), packing)
        os.utime(path, (1, 1))
        return content

    monkeypatch.setattr(TarMembers, "read", and_write)
    with pytest.raises(SourceChangedError, match="media of partition 2026-01-31 of photos changed while it was read"):
        bridge(source(path), None, store, dataset="photos", partition=DAY)
    assert list((tmp_path / "store").rglob("*.json")) == []


def test_whole_numbers_are_places_where_no_class_is_a_number(tmp_path):
    assert labels(tmp_path / "a.tar", *sample(1, 1), *sample(2, "shirt"), *sample(3, 2)) == ["coat", "shirt", 2]
    numbered = labels(tmp_path / "b.tar", *sample(1, 1), *sample(2, 7), classes=(3, 1, 7))
    assert numbered == [1, 7]  # values themselves


def test_labels_of_the_json(tmp_path):
    members = [*sample(1, 0, kind="coat"), *sample(2, 0, kind=0), *sample(3, 0)]
    assert labels(tmp_path / "a.tar", *members, label="json:kind") == ["coat", "shirt", None]
    assert labels(tmp_path / "a.tar", *members, label=None, classes=None) == [None] * 3


def test_paths(tmp_path):
    for name in ("a/0.tar", "a/1.tar", "b[1].tar"):
        write_tar(tmp_path / name, sample(name[0], 0))
    (tmp_path / "c.tar").symlink_to(tmp_path / "a/0.tar")
    every = WebDatasetSource((f"{tmp_path}/**/*.tar", f"{tmp_path}/a/0.tar", f"{tmp_path}/b[1].tar"))
    assert [os.path.relpath(path, tmp_path) for path in every.files(DAY)] == ["a/0.tar", "a/1.tar", "b[1].tar"]
    missing = WebDatasetSource((f"{tmp_path}/a/0.tar", f"{tmp_path}/none.tar"))
    assert missing.count(None, DAY) == 0
    with pytest.raises(SourceError, match=r"none\.tar' does not exist\. see that it is there"):
        list(missing.records(None, DAY))
    assert WebDatasetSource(f"{tmp_path}/z*.tar").files(DAY) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paths": ()}, "WebDatasetSource has no paths; expected local tar files"),
        ({"paths": ""}, "WebDatasetSource has no paths"),
        ({"paths": "s3://photos/0.tar"}, "has no paths; expected local tar files; got 's3://photos/0.tar'"),
        ({"extensions": "jpg"}, r"media has no extensions; expected such as \(\"jpg\", \"png\"\); got 'jpg'"),
        ({"label": "kind"}, r"label says no place of a label; expected cls or json:FIELD; got 'kind'"),
        ({"label": "json:"}, "label says no place of a label"),
        ({"classes": None}, "classes is not a list of label values"),
    ],
)
def test_options_are_checked(changes, message):
    with pytest.raises(SpecError, match=message):
        WebDatasetSource(**{"paths": "0.tar", "label": "cls", "classes": CLASSES, **changes})


def test_other_media(tmp_path):
    write_tar(tmp_path / "0.tar", [*sample("a", 0, b"seg", "seg.png"), *sample("b", 0)])
    found = list(source(tmp_path / "0.tar", extensions=["SEG.png"]).records(None, DAY))
    assert [bool(record.media) for record in found] == [True, False]
