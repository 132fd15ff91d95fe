from __future__ import annotations

import pytest

from airflow_mlplat.data.cache import CacheOptions
from airflow_mlplat.errors import SpecError


@pytest.mark.parametrize("name", ["connections", "range_bytes", "together"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_what_is_no_option(name, value):
    with pytest.raises(SpecError, match=rf"{name} must be a whole number; expected 1 or more; got {value!r}"):
        CacheOptions(**{name: value})


def test_nothing_ahead():
    assert CacheOptions(ahead=0).ahead == 0
    with pytest.raises(SpecError, match="ahead must be a whole number; expected 0 or more; got -1"):
        CacheOptions(ahead=-1)
