"""Raw samples on one core beside the peers, of a set that no processor's caches hold: see benchmarks/README.md."""

from __future__ import annotations

import pytest

from benchmarks.loaders import Table, contestants
from benchmarks.peers import OURS
from benchmarks.rounds import duel, measure
from tests.proofs.conftest import Proof

IMAGES, ROUNDS, PAIRS, SECONDS = 20_000, 5, 21, 1.0
NEAREST = 2
"""So many of the fastest peers are measured in pairs: which one is the best may be too close to tell."""


@pytest.mark.proof("raw-speed", slow=True)
def test_raw_speed(proof: Proof) -> None:
    made = contestants(IMAGES, ("raw", "checked"))
    by_name = {(c.name, c.mode): c for c in made}
    table = Table(measure([c for c in made if c.mode == "raw"], ROUNDS, SECONDS))
    ranking = table.ranking("raw")
    print("\n".join(f"{name}: {table.of(name, 'raw').median:.0f} samples/s" for name in ranking))
    ours = by_name[OURS, "raw"]
    found = {name: duel(ours, by_name[name, "raw"], PAIRS, SECONDS) for name in ranking[:NEAREST]}
    best = min(found, key=lambda name: found[name].ratio)
    checked = duel(by_name[OURS, "checked"], ours, PAIRS, SECONDS)
    for it, least, what in (
        (found[best], 1.1, f"of the best peer, {best}; checksums not looked at"),
        (checked, 0.65, "of unchecked, with every CRC-32C compared"),
    ):
        proof.row(it.ratio, what, f">= {least}", it.ratio >= least, str(it))
