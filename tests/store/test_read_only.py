"""Stores for reading refuse every way of writing, each with the same words."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import ConfigError
from airflow_mlplat.store import Sample, SpanWriter
from airflow_mlplat.store.read_only import ReadOnly
from airflow_mlplat.store.store import Store


class Backend(ReadOnly):
    url = "http://host/store"


@pytest.mark.parametrize(
    "write",
    [
        lambda backend: backend.scratch(),
        lambda backend: backend.put_if_absent("blobs/a", b"1"),
        lambda backend: backend.touch("blobs/a"),
        lambda backend: backend.delete("blobs/a", 0),
        lambda backend: Store(backend).put_blob(b"1"),
        lambda backend: SpanWriter(Store(backend), "pets", "day", ["cat"]).add(Sample("k", b"\x89PNG", 0)),
    ],
)
def test_writing_is_refused(write):
    with pytest.raises(
        ConfigError, match=r"the store http://host/store can only be read. write to the folder that is served there"
    ):
        write(Backend())


def test_nothing_is_local():
    assert Backend().local_path("blobs/a") is None
