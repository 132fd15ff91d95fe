from __future__ import annotations

import json


def test_list(mlplat, world):
    code, out, _ = mlplat("decisions", "list", "--output", "json")
    rows = json.loads(out)
    assert code == 0 and [row["outcome"] for row in rows] == ["promoted", "promoted"]
    assert rows[0]["challenger"] == world.models[1].digest and rows[0]["champion"] == world.models[0].digest
    assert "better" in mlplat("decisions", "list", "fashion", "--limit", "1")[1]
    assert "No data found" in mlplat("decisions", "list", "other")[1]
