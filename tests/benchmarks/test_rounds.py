"""A run with few contestants and little time: that figures come out, never which."""

from __future__ import annotations

import pytest

from benchmarks.loaders import BARE, HAND, OLD, Table, contestants
from benchmarks.peers import OURS
from benchmarks.rounds import Contestant, Duel, Speeds, duel, measure
from tests.benchmarks.conftest import COUNT

MODES = ("decoded", "antialiased", "augmented", "old", "raw", "checked")


def test_a_small_run(images, needs):
    needs("job-half")
    made = contestants(COUNT, MODES, names=(OURS, "LMDB"))
    said = []
    table = Table(measure(made, rounds=1, seconds=0.05, say=said.append))
    assert len(said) == 1 and said[0].startswith("round 1 of 1")
    for name, mode, environment in [
        (OURS, "decoded", None), (OURS, "decoded", OLD), (OURS, "antialiased", None), (OURS, "augmented", None),
        (OURS, "raw", None), (OURS, "checked", None), (BARE, "decoded", None), (BARE, "decoded", OLD),
        (BARE, "antialiased", None), (BARE, "augmented", None), (HAND, "decoded", None), ("LMDB", "decoded", None),
        ("LMDB", "raw", None),
    ]:  # fmt: skip
        assert table.of(name, mode, environment).median > 0
    assert len(made) == 13
    assert table.ranking("raw") == ["LMDB"]


def test_figures_of_several_rounds():
    ours, old = Contestant(OURS, "decoded", "bench", None), Contestant(OURS, "decoded", OLD, None)
    fast, slow = (Contestant(name, "decoded", "bench", None) for name in ("LMDB", "Grain ArrayRecord"))
    table = Table({
        ours: Speeds([30.0, 10.0, 20.0]), old: Speeds([9.0]), fast: Speeds([10.0, 2.0, 100.0]), slow: Speeds([8.0]),
    })  # fmt: skip
    assert table.of(OURS, "decoded").median == 20.0
    assert table.of(OURS, "decoded").spread == 1.0
    assert table.ranking("decoded") == ["LMDB", "Grain ArrayRecord"]
    assert table.ratio("decoded", "LMDB") == 2.0
    assert table.of(OURS, "decoded", OLD).median == 9.0


def test_a_small_duel(images):
    one, other = (c for c in contestants(COUNT, ("raw",), names=(OURS, "LMDB")) if c.mode == "raw")
    found = duel(one, other, rounds=2, seconds=0.05)
    assert len(found.one) == len(found.other) == 2 and min(found.one + found.other) > 0


def test_a_duels_ratio_is_that_of_its_pairs():
    found = Duel([10.0, 100.0, 30.0], [5.0, 100.0, 10.0])
    assert found.ratio == 2.0
    assert str(found) == "median of 3 pairs, quartiles 1.000 and 3.000; 30 and 10 samples/s"


def test_too_few_images():
    with pytest.raises(ValueError, match="63 images are less than a batch of 64"):
        contestants(63, MODES)
