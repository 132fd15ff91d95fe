"""Decoded batches beside the bare loop and the peers: see benchmarks/README.md."""

from __future__ import annotations

import pytest

from benchmarks.loaders import BARE, OLD, TORCH, Table, contestants
from benchmarks.peers import OURS, PEERS
from benchmarks.rounds import Duel, duel, measure
from tests.proofs.conftest import Proof

IMAGES, ROUNDS, PAIRS, SECONDS = 4000, 5, 21, 1.5
NEAREST = 2
"""So many of the fastest peers are measured in pairs: which one is the best may be too close to tell."""


@pytest.mark.proof("decode-speed", slow=True)
def test_decode_speed(proof: Proof) -> None:
    made = contestants(IMAGES, ("decoded", "augmented", "old"))
    by_name = {(c.name, c.mode, c.environment): c for c in made}
    table = Table(measure([c for c in made if c.mode == "decoded" and c.environment != OLD], ROUNDS, SECONDS))
    ranking = table.ranking("decoded")
    print("\n".join(f"{name}: {table.of(name, 'decoded').median:.0f} samples/s" for name in ranking))

    def beside(other: str, mode: str = "decoded", environment: str = "bench") -> Duel:
        ours = by_name[OURS, mode, environment]
        it = by_name[other, mode, environment if other == BARE else PEERS[other][1]]
        return duel(ours, it, PAIRS, SECONDS)

    found = {name: beside(name) for name in {*ranking[:NEAREST], TORCH}}
    best = min(found, key=lambda name: found[name].ratio)
    for it, least, what in (
        (beside(BARE), 0.95, "of the bare loop, two threads each"),
        (found[best], 1.15, f"of the best peer, {best}"),
        (found[TORCH], 1.7, "of torch's DataLoader with two processes"),
        (beside(BARE, environment=OLD), 0.9, "of the bare loop on Python 3.9 with numpy 1.19"),
        (beside(BARE, "augmented"), 0.9, "of the bare loop with the same four augmentations"),
    ):
        proof.row(it.ratio, what, f">= {least}", it.ratio >= least, str(it))
