"""The other benchmarks, small: that they run and that what they read is right, never how long it takes."""

from __future__ import annotations

import json

from benchmarks import prepare
from benchmarks.cold_cache import COLD, KINDS, PAIR, WARM
from benchmarks.peers import OURS
from tests.benchmarks.conftest import COUNT


def run(folder, *arguments):
    prepare.run("bench", "__main__", *arguments, "--results", folder)
    (found,) = json.loads((folder / "results.json").read_text()).values()
    return {(row["part"], row["name"]): row for row in found["rows"]}


def test_caches_of_a_distant_store(needs, tmp_path):
    needs("bench")
    rows = run(tmp_path, "--only", "cold-cache", "--count", 4 * COUNT, "--rounds", 1)
    assert set(rows) == {(part, name) for part in (COLD, PAIR, WARM) for name in KINDS}
    for (part, name), row in rows.items():
        assert row["median"] > 0
        if part != PAIR or name == OURS:  # fsspec's caches give two processes wrong bytes now and then
            assert row["wrong"] == 0, (part, name)
    assert rows[COLD, OURS]["sent"] == rows[PAIR, OURS]["sent"] == 1
    assert rows[WARM, OURS]["sent"] == rows[COLD, "no network, mapped"]["sent"] == 0


def test_increments(needs, tmp_path):
    needs("bench")
    rows = run(tmp_path, "--only", "increments", "--samples", 2000)
    part = "A dataset version of 2,000 samples"
    assert set(rows) == {(part, "built"), (part, "1 % added"), (part, "opened, first batch")}
    assert "% of building it" in rows[part, "1 % added"]["note"]
