"""Five days forwards, backwards, and four at a time: equal datasets, bit-equal weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs.conftest import Proof

ORDERS = {
    "forwards": ["--max-active-runs", "1"],
    "backwards": ["--max-active-runs", "1", "--run-backwards"],
    "four": ["--max-active-runs", "4"],
}


@pytest.mark.proof("any-order", slow=True)
def test_any_order(proof: Proof, fashion_home: Callable) -> None:
    seen: dict[str, dict[str, dict]] = {}
    for name, options in ORDERS.items():
        home = fashion_home(name, retraining_runs=4 if name == "four" else 1)
        home.backfill(*options)
        seen[name] = {kind: home.digests(kind) for kind in ("dataset", "model")}
        home.stack.stop()
    forwards = seen["forwards"]
    # Five windows and the frozen test set; two frameworks a day.
    for kind, things in (("dataset", 6), ("model", 10)):
        expected = forwards[kind]
        assert len(expected) == things, expected
        for name in ("backwards", "four"):
            equal = sum(seen[name][kind].get(key) == digest for key, digest in expected.items())
            proof.row(
                equal,
                f"of {things} {kind}s equal, {name} against forwards",
                f"{things}",
                equal == things == len(seen[name][kind]),
            )
