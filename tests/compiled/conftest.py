"""What the tests of compiled code share."""

from __future__ import annotations

import pytest

from airflow_mlplat.compiled.library import library


@pytest.fixture
def compiled() -> None:
    if library() is None:
        pytest.skip("nothing is compiled: scripts/compile says why")
