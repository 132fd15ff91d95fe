"""JAX gets the batches that numpy gets."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.jax


@pytest.fixture(scope="module")
def found(given):
    return given("jax", "jax")


def test_digests(found, expected):
    assert found["digests"] == {"arrays": expected}


def test_nothing_is_copied(found):
    assert found["shared"] == {"arrays": True}


def test_what_is_computed_later_is_of_the_same_pixels(found):
    assert found["trained"] == [True, "uint8", "int32"]


def test_no_thread_is_left(found):
    assert found["left"] == []
