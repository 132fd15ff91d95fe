"""Images that are too large are refused before they are unpacked."""

from __future__ import annotations

import pytest

from airflow_mlplat.data.decoders.size import MAX_PIXELS, check_size
from airflow_mlplat.errors import DataError


def test_size():
    check_size((MAX_PIXELS // 1000, 1000))
    with pytest.raises(DataError, match="image is too large; expected at most 100000000 pixels; got 100001 x 1000"):
        check_size((MAX_PIXELS // 1000 + 1, 1000))
