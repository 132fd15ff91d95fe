"""Options are checked once, and say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data import IteratorOptions
from airflow_mlplat.errors import SpecError


def test_defaults_and_lists_of_json():
    assert IteratorOptions(shape=[28, 28, 1]) == IteratorOptions()
    assert IteratorOptions(seed=-(2**80)).seed < 0


def test_whole_numbers_of_numpy_are_pythons():
    options = IteratorOptions(batch_size=np.int64(8), threads=np.uint8(3))
    assert options == IteratorOptions(batch_size=8, threads=3)
    assert type(options.batch_size) is int  # for JSON


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 0}, r"batch_size must be a whole number; expected 1 or more; got 0\."),
        ({"batch_size": "8"}, r"batch_size must be a whole number; expected 1 or more; got '8'\."),
        ({"threads": 1.5}, r"threads must be a whole number; expected 1 or more; got 1\.5\."),
        ({"keep_bytes": -1}, r"keep_bytes must be a whole number; expected 0 or more; got -1\."),
        ({"keep_bytes": "1G"}, r"keep_bytes must be a whole number; expected 0 or more; got '1G'\."),
        ({"prefetch": True}, r"prefetch must be a whole number; expected 1 or more; got True\."),
        ({"shuffle": 1}, r"shuffle must be said; expected True \| False; got 1\."),
        ({"drop_remainder": "no"}, r"drop_remainder must be said; expected True \| False; got 'no'\."),
        ({"shape": (8.0, 8, 1)}, r"shape is no image's; .*; got \(8\.0, 8, 1\)"),
        ({"shape": 5}, r"shape is no image's; .*; got 5\."),
        ({"decoder": ["exact"]}, r"decoder is not known; .*; got \['exact'\]"),
        ({"shard_count": 0}, r"shard_count must be a whole number; expected 1 or more; got 0\."),
        ({"seed": None}, r"seed must be a whole number; expected any; got None\."),
        ({"shard_index": -1}, r"shard_index must be a whole number; expected 0 or more; got -1\."),
        ({"shard_index": 2, "shard_count": 2}, r"shard_index outside its ranks; expected 0 … 1; got 2\."),
        ({"shape": (28, 28)}, r"shape is no image's; expected \(height, width, 1 or 3\); got \(28, 28\)\."),
        ({"shape": (28, 28, 4)}, r"shape is no image's; expected \(height, width, 1 or 3\); got \(28, 28, 4\)\."),
        ({"shape": (0, 28, 1)}, r"shape is no image's; expected \(height, width, 1 or 3\); got \(0, 28, 1\)\."),
        ({"shape": (10_001, 10_000, 3)}, r"shape is too large; expected at most 100000000 pixels; got 10001 x 10000\."),
        ({"resize": "sharp"}, r"resize names no filter; expected nearest \| box \| bilinear \| .*; got 'sharp'\."),
        ({"decoder": "turbo"}, r"decoder is not known; expected exact \| fast \| opencv \| pillow; got 'turbo'\."),
    ],
)
def test_refuses(changed, message):
    with pytest.raises(SpecError, match=message):
        IteratorOptions(**changed)
