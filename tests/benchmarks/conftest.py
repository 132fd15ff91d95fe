"""What the benchmarks' tests share: a small set of images, and a skip where an environment is absent."""

from __future__ import annotations

import pytest

from benchmarks import prepare

COUNT = 64
"""Images: one batch."""


@pytest.fixture(scope="session")
def needs():
    """A function that skips the test unless these environments are there."""

    def check(*environments):
        for name in environments:
            if not prepare.python(name).exists():
                pytest.skip(f"needs .venvs/{name}, which `scripts/setup {name}` makes; not in the job half")

    return check


@pytest.fixture(scope="session")
def images(needs):
    """The folder of a set of `COUNT` images."""
    needs("bench")
    return prepare.images(COUNT)
