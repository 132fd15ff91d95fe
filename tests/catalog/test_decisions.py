from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_mlplat.errors import NotFoundError, SpecError

RACE = """
import sys
from airflow_mlplat.catalog import DecisionInput, RunInfo, open_catalog
url, challenger, champion = sys.argv[1:]
catalog = open_catalog(url)
run = RunInfo("dag", "run", "compare", -1, "2026-01-02")
decision = DecisionInput("key-" + challenger, "fashion", "promoted", "better", challenger, champion, "2026-01-02", run)
print("ready", flush=True)
sys.stdin.readline()
print(catalog.decide(decision).outcome)
"""


@pytest.mark.parametrize("count", [16])
def test_of_many_promotions_at_once_one_wins_and_none_is_lost(url, catalog, make, count):
    champion = make.model(0).digest
    make.promote(champion)
    challengers = [make.model(version, "2026-01-02").digest for version in range(1, count + 1)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RACE, url, challenger, champion],
            stdin=pipe, stdout=pipe, stderr=pipe, text=True,
        )
        for challenger in challengers
    ]  # fmt: skip
    assert {process.stdout.readline() for process in processes} == {"ready\n"}
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=120) for process in processes]
    said = [out.strip() for out, _ in outcomes]
    assert sorted(said) == ["champion-moved"] * (count - 1) + ["promoted"], outcomes
    winner = challengers[said.index("promoted")]
    assert catalog.alias("fashion").digest == winner and catalog.alias("fashion").version == 2
    recorded = {row.challenger: row for row in catalog.decisions("fashion") if row.champion == champion}
    assert {digest: row.outcome for digest, row in recorded.items()} == dict(zip(challengers, said, strict=True))
    moved = {row.reason for row in recorded.values() if row.outcome == "champion-moved"}
    assert moved == {f"champion moved from {champion[:12]} to {winner[:12]}; compare again"}


def test_first_promotion_and_what_is_recorded(catalog, make):
    model, holdout = make.model(1).digest, make.dataset(1).digest
    ref, _ = make.thing("decision", "fashion")
    options = {"key": "k", "holdout": holdout, "challengers": 3, "document": {"p": 0.01}, "ref": ref, "comparison": "c"}
    row = make.promote(model, **options)
    assert (row.outcome, row.reason, row.node) == ("promoted", "better", f"decision:{ref.digest}")
    assert (row.challenger, row.champion, row.holdout, row.challengers) == (model, None, holdout, 3)
    assert row.document == {"p": 0.01} and row.run == make.run(task="compare")
    assert catalog.decisions() == catalog.decisions("fashion") == [row] and catalog.decisions("other") == []
    assert catalog.decision("k") == catalog.decision_of(ref) == catalog.compared("c") == row


def test_same_key_again_is_the_same_decision(catalog, make):
    one, two = make.model(1).digest, make.model(2).digest
    first = make.promote(one, key="k")
    assert make.promote(two, one, key="k") == first
    assert catalog.alias("fashion").digest == one and len(catalog.decisions()) == 1


@pytest.mark.parametrize("expected", [None, "0" * 64])
def test_champion_that_moved(catalog, make, expected):
    one, two = make.model(1).digest, make.model(2).digest
    make.promote(one)
    row = make.promote(two, expected)
    assert row.outcome == "champion-moved"
    before = "none" if expected is None else "0" * 12
    assert row.reason == f"champion moved from {before} to {one[:12]}; compare again"
    assert catalog.alias("fashion").digest == one


def test_later_champion_stays(catalog, make):
    late, early = make.model(1, "2026-01-05").digest, make.model(2, "2026-01-03").digest
    make.promote(late, None, "2026-01-05")
    for expected in (late, None):  # comparing again would not help
        row = make.promote(early, expected, "2026-01-03")
        assert row.outcome == "rejected"
        assert row.reason == (
            f"champion {late[:12]} belongs to the later partition 2026-01-05; a model of 2026-01-03 does not replace it"
        )
    assert catalog.alias("fashion").digest == late
    assert make.promote(early, late, "2026-01-05").outcome == "promoted"  # the same partition may


@pytest.mark.parametrize("outcome", ["promoted", "recommended", "rejected", "undecided"])
def test_against_a_later_champion_nothing_is_spent_and_nothing_lasts(catalog, make, outcome):
    first, late, early = (make.model(number).digest for number in range(3))
    make.promote(first, None, "2026-01-01")
    make.promote(late, first, "2026-01-05")
    options = {"holdout": "h", "challengers": 2, "comparison": "c"}
    row = make.promote(early, late, "2026-01-03", outcome=outcome, **options)
    assert (row.outcome, row.challengers) == ("rejected", 0)
    assert catalog.looks("fashion", "h") == 0
    assert catalog.compared("c") is None
    catalog.rollback("fashion", expected=late, run=make.run())
    assert make.promote(early, first, "2026-01-03", outcome=outcome, **options).outcome == outcome
    assert catalog.compared("c").outcome == outcome


@pytest.mark.parametrize("outcome", ["rejected", "undecided", "recommended"])
def test_other_verdicts_move_nothing(catalog, make, outcome):
    model = make.model(1).digest
    assert make.promote(model, outcome=outcome).outcome == outcome
    assert catalog.alias("fashion") is None


def test_recommendation_and_what_becomes_of_it(catalog, make):
    one, two = make.model(1).digest, make.model(2).digest
    refs = [make.thing("decision", "fashion", number=number)[0] for number in (1, 2)]
    make.promote(one, outcome="recommended", ref=refs[0], comparison="one")
    make.promote(two, outcome="recommended", ref=refs[1], comparison="two")
    assert make.promote(one, ref=refs[0], comparison="one", challengers=0).outcome == "promoted"
    assert make.promote(two, ref=refs[1], comparison="two", challengers=0).outcome == "champion-moved"
    assert [catalog.decision_of(ref).outcome for ref in refs] == ["promoted", "champion-moved"]
    assert catalog.compared("one").outcome == "promoted"
    assert catalog.compared("two") is None  # to be made again, with the new champion
    assert make.promote(two, one, outcome="recommended", comparison="two").outcome == "recommended"
    assert catalog.compared("two").champion == one


def test_what_a_decision_must_say(catalog, make):
    with pytest.raises(
        SpecError, match=r"unknown outcome of a decision; expected promoted \| recommended .*; got 'won'"
    ):
        make.decision("0" * 64, outcome="won")
    with pytest.raises(SpecError, match="a promotion of 'fashion' names no challenger"):
        make.decision(None)
    with pytest.raises(SpecError, match="number of challengers is negative; expected 0 or more; got -1"):
        make.decision("0" * 64, challengers=-1)
    with pytest.raises(NotFoundError, match="no model has a digest that begins with 0000"):
        make.promote("0" * 64)
    with pytest.raises(NotFoundError, match="no decision was made on decision:fashion@"):
        catalog.decision_of(make.thing("decision", "fashion")[0])
    assert catalog.decisions() == []


def test_looks_count_challengers_on_one_holdout(catalog, make):
    model = make.model(1).digest
    assert catalog.looks("fashion", "holdout") == 0
    make.promote(model, key="k", holdout="holdout", challengers=2, outcome="rejected")
    make.promote(model, key="k", holdout="holdout", challengers=2, outcome="rejected")  # again: no new look
    make.promote(model, holdout="holdout", challengers=3, outcome="undecided")
    make.promote(model, holdout="another", challengers=7, outcome="rejected")
    assert catalog.looks("fashion", "holdout") == 5
    assert catalog.looks("other", "holdout") == 0


def test_all_aliases_of_a_name_share_the_looks_and_the_lock(catalog, make, monkeypatch):
    one, two, three = (make.model(number).digest for number in (1, 2, 3))
    subjects, writing = [], catalog._session.writing
    monkeypatch.setattr(catalog._session, "writing", lambda subject: (subjects.append(subject), writing(subject))[1])
    make.promote(one, holdout="h", challengers=2)
    make.promote(two, holdout="h", challengers=3, alias="canary")
    make.promote(three, one)
    catalog.rollback("fashion", expected=three, run=make.run())
    assert catalog.looks("fashion", "h") == 5
    assert subjects == ["alias/fashion"] * 4


def test_rollbacks_go_back_one_by_one(catalog, make):
    models = [make.model(version).digest for version in range(4)]
    for before, model in zip([None, *models], models[:3], strict=False):
        make.promote(model, before)
    row = catalog.rollback("fashion", expected=models[2], run=make.run())
    assert (row.digest, row.version, row.restores) == (models[1], 4, 2)
    assert catalog.alias("fashion") == row
    decision = catalog.decisions("fashion")[0]
    assert (decision.outcome, decision.challenger, decision.champion) == ("rolled-back", models[1], models[2])
    assert decision.reason == f"rolled back from {models[2][:12]} to {models[1][:12]}" and decision.key == row.decision
    assert catalog.rollback("fashion", expected=models[1][:8], run=make.run()).digest == models[0]
    with pytest.raises(NotFoundError, match=f"'fashion' has no champion before {models[0][:12]}"):
        catalog.rollback("fashion", expected=models[0], run=make.run())
    assert make.promote(models[3], models[0]).outcome == "promoted"
    assert catalog.rollback("fashion", expected=models[3], run=make.run()).digest == models[0]
    assert [place.version for place in catalog.history("fashion")] == [1, 2, 3, 4, 5, 6, 7]


def test_rollback_needs_the_champion_that_is_expected(catalog, make):
    with pytest.raises(NotFoundError, match=r"'fashion' has no champion\. promote a model first"):
        catalog.rollback("fashion", expected="0" * 64, run=make.run())
    model = make.model(1).digest
    make.promote(model)
    for wrong in ("0" * 64, "", "not hex"):
        with pytest.raises(
            NotFoundError, match=f"the champion of 'fashion' is another one; expected {wrong}; got {model}"
        ):
            catalog.rollback("fashion", expected=wrong, run=make.run())


def test_decisions_newest_first_and_limited(catalog, make):
    model = make.model(1).digest
    keys = [make.promote(model, outcome="rejected", key=f"k{number}").key for number in range(3)]
    assert [row.key for row in catalog.decisions(limit=2)] == keys[:0:-1]


def test_a_look_at_the_test_set_in_between_spoils_a_comparison(catalog, make):
    holdout = make.dataset(1).digest
    first, second = make.model(1).digest, make.model(2).digest
    make.promote(first, key="a", holdout=holdout, challengers=2, looks=0)
    late = make.promote(second, key="b", expected=first, holdout=holdout, looks=0, comparison="c")
    assert late.outcome == "champion-moved"
    assert late.reason == "2 others were tested on this test set meanwhile; compare again"
    assert catalog.compared("c") is None
    assert catalog.looks("fashion", holdout) == 3
    assert make.promote(second, key="d", expected=first, holdout=holdout, looks=3).outcome == "promoted"
