"""One number for all batches of a training."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data import Batch
from airflow_mlplat.stages import seen
from airflow_mlplat.stages.seen import Seen
from airflow_mlplat.store.checksum import crc32c


@pytest.fixture
def batches() -> list[Batch]:
    random = np.random.default_rng(1)
    labels = np.arange(4, dtype=np.int64)
    return [Batch(random.integers(0, 256, (4, 3, 3, 1), np.uint8), labels, labels, 0, 4) for _ in range(3)]


def value(batches: list[Batch], start: int = 0) -> int:
    found = Seen(start)
    for batch in batches:
        found.add(batch)
    return found.value


def test_it_is_the_checksum_of_all_bytes(batches):
    content = b"".join(batch.images.tobytes() + batch.labels.tobytes() for batch in batches)
    assert value(batches) == crc32c(content)


def test_order_and_every_pixel_count(batches):
    changed = Batch(batches[0].images.copy(), batches[0].labels, batches[0].rows, 0, 4)
    changed.images[0, 0, 0, 0] ^= 1
    assert len({value(batches), value(batches[::-1]), value([changed, *batches[1:]])}) == 3


def test_a_resumed_training_goes_on(batches):
    assert value(batches[1:], value(batches[:1])) == value(batches)


def test_where_the_checksum_is_slow_there_is_none(batches, monkeypatch):
    monkeypatch.setattr(seen, "extension", lambda: None)
    assert value(batches) is None
    assert Seen(7).stats([7]) == {}


def test_as_told():
    assert Seen(0x1F).stats([0x1F]) == {"batches": "0000001f"}
    assert Seen(0x1F).stats([0x2F, 0x1F]) == {"batches": "0000002f,0000001f"}
