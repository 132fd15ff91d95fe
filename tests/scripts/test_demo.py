"""What the demo prints; `make prove K=demo` runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

DAY = "2026-01-01"


def model(framework: str, digest: str) -> dict:
    rest = {"accuracy": 0.9, "interval": [0.88, 0.92], "alias": "fashion@champion"}
    return {"partition": DAY, "framework": framework, "digest": digest * 64, **rest}


@pytest.mark.parametrize(("challenger", "row"), [("b" * 64, "tensorflow"), ("a" * 64, "mxnet"), (None, "mxnet")])
def test_a_days_decision_stands_beside_the_model_that_it_is_about(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, challenger: str | None, row: str
) -> None:
    monkeypatch.syspath_prepend(str(root / "scripts"))
    for name in ("demo", "fashion", "stack"):  # of this folder, and not left for others
        monkeypatch.delitem(sys.modules, name, raising=False)
    import demo

    decision = {"partition": DAY, "outcome": "promoted", "reason": "better", "challenger": challenger}
    tables = {"datasets": [], "models": [model("tensorflow", "b"), model("mxnet", "a")], "decisions": [decision]}
    monkeypatch.setattr(demo, "DAYS", [DAY])
    stack = SimpleNamespace(cli=lambda _, table, *rest, check: SimpleNamespace(stdout=json.dumps(tables[table])))
    assert demo.report(stack)
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "promoted: better" in line]
    assert row in told
