"""What the tests of augmentation share."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import strategies as st

from airflow_mlplat.data.augment import OPERATIONS
from airflow_mlplat.data.augment.parameters import Choice, Interval, Number


def make_picture(height, width, channels):
    """uint8 (height, width, channels) with slopes and edges, the same everywhere."""
    y, x, c = np.ogrid[:height, :width, :channels]
    return ((y * 5 + x * 3 + c * 70 + (x // 7 + y // 5) % 2 * 90) % 256).astype(np.uint8)


@pytest.fixture(scope="session")
def picture():
    """A function that makes an image of (height, width, channels)."""
    return make_picture


@pytest.fixture(scope="session")
def digest():
    """A function that gives 16 hex digits for arrays, with their shapes."""

    def run(*arrays):
        found = hashlib.sha256()
        for array in arrays:
            found.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:16]

    return run


@pytest.fixture(scope="session")
def images():
    """A strategy for images of any size, 1 x 1 among them."""
    return st.builds(make_picture, st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))


def values(parameter):
    """A strategy for what a parameter may be."""
    if isinstance(parameter, Choice):
        return st.sampled_from(parameter.words)
    if isinstance(parameter, Number):
        return st.floats(parameter.low, parameter.high)
    if isinstance(parameter, Interval):
        return st.tuples(*[st.floats(parameter.low, parameter.high)] * 2).map(sorted)
    return st.integers(parameter.low, min(parameter.high, 50))


@pytest.fixture(scope="session")
def steps():
    """A strategy for one step on samples that keeps their shape, with any parameters."""
    keeping = {name: operation for name, operation in OPERATIONS.items() if name != "crop"}

    def one(name):
        return st.fixed_dictionaries(
            {"name": st.just(name), **{key: values(kind) for key, kind in keeping[name].parameters.items()}}
        )

    return st.sampled_from(sorted(keeping)).flatmap(one)
