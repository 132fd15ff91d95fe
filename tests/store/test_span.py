"""Writing spans: golden bytes, order, the cut rule, and that a crash leaves nothing visible."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import SpecError
from airflow_mlplat.store import Sample, Samples, SpanWriter, check_store, collect_garbage, open_store

WRITER = """
import sys
from airflow_mlplat.store import Sample, SpanWriter, open_store
with SpanWriter(open_store(sys.argv[1]), "pets", "2026-01-01", ["cat"], shard_bytes=20_000) as writer:
    writer.quarantine("q", "unreadable")
    for i in range(int(sys.argv[2])):
        writer.add(Sample(f"{i:06d}", bytes([i % 256]) * 5000, 0))
        print(i, flush=True)
    print(writer.commit().digest)
"""


def test_golden_digest(write, samples):
    """Across machines, Python and numpy versions; a change here is a change of format."""
    assert write().digest == "d05b19f4e71068948865cea39f6abf90fe56771a56460ec479cdbdd7a35aa411"


def test_manifest(store, samples):
    with SpanWriter(store, "pets", "2026-01-01", ["cat", "dog"]) as writer:
        for sample in samples:
            writer.add(sample)
        writer.quarantine("zz", "unreadable", "no such file")
        writer.quarantine("\ud800", "unreadable")
        ref = writer.commit()
    assert ref == Ref("span", "pets", ref.digest)
    manifest = store.manifest(ref)
    assert manifest["partition"] == "2026-01-01"
    assert manifest["classes"] == ["cat", "dog"]
    assert manifest["samples"] == 20
    assert manifest["quarantined"] == {"unreadable": 2}
    lines = store.blob(manifest["files"]["quarantine.jsonl"]).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"key": "zz", "reason": "unreadable", "detail": "no such file"},
        {"key": "\\ud800", "reason": "unreadable", "detail": ""},
    ]
    assert list((store.backend.root / "tmp").iterdir()) == []


def test_without_quarantine_there_is_no_file(store, span):
    assert store.manifest(span)["files"] == {}


def test_no_samples_at_all(store, write):
    ref = write(rows=[])
    assert store.manifest(ref)["shards"] == []
    assert len(Samples(store, ref)) == 0
    assert Samples(store, ref).keys().tolist() == []


def test_others_read_the_shards(store, span):
    names = []
    for path in sorted(store.backend.root.glob("shards/*.tar")):
        listed = subprocess.run(["tar", "tf", str(path)], capture_output=True, text=True, check=True)
        assert listed.stderr == ""
        names += listed.stdout.splitlines()
        with tarfile.open(path) as file:
            assert file.getnames() == listed.stdout.splitlines()
            assert all(info.mtime == info.uid == info.gid == 0 for info in file)
    assert sorted(names) == sorted(
        [f"k/{i:03d}%2Ex.png" for i in range(20)] + [f"k/{i:03d}%2Ex.json" for i in range(1, 20, 2)]
    )


def test_where_shards_end(store):
    rows = [Sample(f"{i}", bytes(500), 0) for i in range(7)]  # 1024 bytes each in a tar
    for shard_bytes, expected in [(1, [1] * 7), (2047, [1] * 7), (2048, [2, 2, 2, 1]), (3100, [3, 3, 1]), (10**6, [7])]:
        with SpanWriter(store, "pets", "p", ["cat"], shard_bytes=shard_bytes) as writer:
            for sample in rows:
                writer.add(sample)
            manifest = store.manifest(writer.commit())
        assert [shard["samples"] for shard in manifest["shards"]] == expected


def test_relabeled_samples_share_their_shards(store, write, samples):
    before = store.manifest(write())
    after = store.manifest(write(rows=[Sample(s.key, s.media, 1, s.metadata) for s in samples]))
    assert [s["sha256"] for s in before["shards"]] == [s["sha256"] for s in after["shards"]]
    assert before["shards"] != after["shards"]
    assert check_store(store).problems == []


@pytest.mark.parametrize(
    "sample, message",
    [
        (
            Sample("a", b"x"),
            r"out of order; expected a key after 'b', by bytes of UTF-8; got 'a'. sort the samples by key",
        ),
        (Sample("b", b"x"), "got 'b'"),
        (Sample("Z", b"x"), "got 'Z'"),
        (Sample("c", b"x", 2), r"label of sample 'c' names no class; expected 0 … 1 or None; got 2"),
        (Sample("c", b"x", -1), "got -1"),
        (Sample("c", b"x", True), "got True"),
        (Sample("c", b"x", 0.5), "got 0.5"),
        (Sample("c", "x"), "media of sample 'c' cannot be stored; expected bytes"),
        (Sample("", b"x"), "a sample's key cannot be stored"),
        (Sample("c", b"x", 0, {"a": object()}), "document is not plain JSON"),
        (Sample("c", b"x", 0, {"a": "\ud800"}), "document is not plain JSON; got .*surrogates not allowed"),
    ],
)
def test_wrong_sample_is_refused_and_changes_nothing(store, sample, message):
    digests = []
    for broken in (True, False):
        with SpanWriter(store, "pets", "p", ["cat", "dog"]) as writer:
            writer.add(Sample("b", b"x", 1))
            if broken:
                with pytest.raises(SpecError, match=message):
                    writer.add(sample)
            writer.add(Sample("d", b"x", np.int64(1)))
            digests.append(writer.commit().digest)
    assert digests[0] == digests[1]


def test_order_is_of_bytes_not_of_utf16(store):
    with SpanWriter(store, "pets", "p", ["cat"]) as writer:
        writer.add(Sample("\uffff", b"x"))
        writer.add(Sample("\U00010000", b"x"))
        assert Samples(store, writer.commit()).key(1) == "\U00010000"


def test_wrong_options(store):
    with pytest.raises(SpecError, match="shard_bytes must be a whole number; expected 1 or more; got 0"):
        SpanWriter(store, "pets", "p", ["cat"], shard_bytes=0)
    with pytest.raises(SpecError, match="classes of 'pets' repeat"):
        SpanWriter(store, "pets", "p", ["cat", "cat"])
    with pytest.raises(SpecError, match=r"a span is of a partition; expected its key, such as 2026-01-31; got ''"):
        SpanWriter(store, "pets", "", ["cat"])
    with pytest.raises(SpecError, match=r"that is no name for a dataset or a model; expected .*; got '\.\./x'"):
        SpanWriter(store, "../x", "p", ["cat"])
    for classes in ("cat", {"cat", "dog"}, [""], [3], None):
        with pytest.raises(SpecError, match=r'classes are no list of names; expected such as \["cat", "dog"\]; got'):
            SpanWriter(store, "pets", "p", classes)


def test_closed(store, write):
    with SpanWriter(store, "pets", "p", ["cat"]) as writer:
        writer.add(Sample("a", b"x"))
        writer.commit()
        for call in (writer.commit, lambda: writer.add(Sample("b", b"x")), lambda: writer.quarantine("b", "r")):
            with pytest.raises(SpecError, match="span writer of 'pets' p is closed"):
                call()


def test_an_exception_leaves_no_trace(store, samples):
    with pytest.raises(RuntimeError), SpanWriter(store, "pets", "p", ["cat", "dog"]) as writer:
        writer.quarantine("a", "r")
        writer.add(samples[0])
        raise RuntimeError
    assert list(store.backend.list("")) == []


def test_killed_in_mid_write(tmp_path):
    store = open_store(tmp_path)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    for kill_after in (0, 3, 17):
        with subprocess.Popen([*command, "100000"], stdout=subprocess.PIPE, text=True) as process:
            while process.stdout.readline().strip() != str(kill_after):
                pass
            process.kill()
    left = [entry.path for entry in store.backend.list("")]
    assert any(path.startswith("tmp/") for path in left)
    assert any(path.startswith("shards/") for path in left)
    assert list(store.manifests("span")) == []
    assert check_store(store).problems == []
    assert collect_garbage(store, grace_seconds=0).files == len(left)
    assert list(store.backend.list("")) == []
    digests = {subprocess.check_output([*command, "20"], text=True).split()[-1] for _ in range(2)}
    assert len(digests) == 1
    (found,) = store.manifests("span")
    assert found[0] in digests
    assert check_store(store).problems == []
