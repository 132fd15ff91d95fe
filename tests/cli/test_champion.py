from __future__ import annotations

import json


def test_show(mlplat, world):
    code, out, _ = mlplat("champion", "show", "fashion", "--output", "json")
    rows = json.loads(out)
    assert code == 0 and [row["digest"] for row in rows] == [model.digest for model in reversed(world.models)]
    assert mlplat("champion", "show", "fashion@champion", "--output", "json")[1] == out
    decided = json.loads(mlplat("decisions", "list", "--output", "json")[1])
    assert [row["decision"] for row in rows] == [row["digest"] for row in decided]


def test_rollback_is_a_decision_of_its_own(mlplat, world):
    first, second = (model.digest for model in world.models)
    code, out, _ = mlplat("champion", "rollback", "fashion", "--expected", second[:8])
    assert (code, out) == (0, f"fashion@champion is {first[:12]} of 2026-01-01 again, no longer {second[:12]}\n")
    assert world.catalog.alias("fashion").digest == first
    decision = world.catalog.decisions("fashion", limit=1)[0]
    assert decision.outcome == "rolled-back" and decision.run.run_id.startswith("command line, ")
    code, _, err = mlplat("champion", "rollback", "fashion")
    assert code == 64 and f"'fashion' has no champion before {first[:12]}" in err


def test_rollback_of_another_champion_than_expected(mlplat, world):
    code, _, err = mlplat("champion", "rollback", "fashion", "--expected", world.models[0].digest)
    assert code == 64 and "the champion of 'fashion' is another one" in err
    assert world.catalog.alias("fashion").version == 2


def test_rollback_as_json(mlplat, world):
    row = json.loads(mlplat("champion", "rollback", "fashion", "--output", "json")[1])
    assert row["digest"] == world.models[0].digest and row["restores"] == 1


def test_no_champion(mlplat, world):
    code, _, err = mlplat("champion", "show", "zebra")
    assert code == 64 and "'zebra' has no champion; expected one of: fashion@champion" in err
