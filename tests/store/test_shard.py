"""One shard being written."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from airflow_mlplat.errors import StoreError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.shard import ScratchFile, ShardWriter


def test_put(store):
    shard = ShardWriter(store)
    for key, media in ((b"a", b"first"), (b"b", b"second")):
        shard.add(key, media, 3, tar.member(f"{key.decode()}.bin", media))
    entry = shard.put()
    content = store.verified(layout.shard_path(entry["sha256"]), entry["sha256"])
    assert entry["samples"] == 2
    assert entry["bytes"] == len(content) == 2 * 1024 + 1024
    root = store.backend.root
    index = np.load(root / layout.index_path(entry["index_sha256"]))
    assert index.tolist() == [(512, 5, crc32c(b"first"), 3), (1536, 6, crc32c(b"second"), 3)]
    keys = np.load(root / layout.keys_path(entry["keys_sha256"]))
    assert keys["key"].tolist() == [b"a", b"b"]
    assert keys["sha256"][1].tobytes() == hashlib.sha256(b"second").digest()
    assert list((root / "tmp").iterdir()) == []


def test_discard(store):
    shard = ShardWriter(store)
    shard.add(b"a", b"x", 0, tar.member("a.bin", b"x"))
    shard.discard()
    assert list(store.backend.list("")) == []


def test_full_disk(store, monkeypatch):
    scratch = ScratchFile(store)
    scratch._file.close()
    scratch._file = open("/dev/full", "wb")  # noqa: SIM115, PTH123 - a device that is always full
    with pytest.raises(StoreError, match="cannot be written; got No space left on device"):
        scratch.write(bytes(1 << 20))
    scratch.discard()
    assert list(store.backend.list("")) == []
