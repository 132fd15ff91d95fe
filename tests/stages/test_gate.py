"""The gate: its error over many looks, each outcome, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.gate import Contender, decide, level


def contender(name: str, wins: int = 0, losses: int = 0, n: int = 1000) -> Contender:
    """Right where the base (the last 900 of 1000) is, but for `wins` more and `losses` fewer."""
    correct = np.arange(n) >= 100
    correct[:wins] = True
    correct[n - losses :] = losses == 0
    return Contender(name * 64, correct)


BASE = contender("0")


def test_levels_sum_to_alpha():
    spent = sum(level(0.05, look) for look in range(1, 200_001))
    assert 0.0499 < spent < 0.05
    assert level(0.05, 1) == pytest.approx(0.030396, abs=1e-6)


def test_without_a_champion_the_most_accurate_is_promoted():
    verdict = decide([contender("a", 5), contender("b", 9), contender("c", 9)], None)
    assert (verdict.outcome, verdict.challenger, verdict.looks_spent) == ("promoted", "b" * 64, 0)
    assert verdict.reason == "no champion yet; the best challenger has accuracy 0.9090"


def test_a_significantly_better_challenger_is_promoted():
    verdict = decide([contender("a", 20, 5)], BASE)
    assert (verdict.outcome, verdict.challenger, verdict.looks_spent) == ("promoted", "a" * 64, 1)
    assert verdict.reason == (
        "better than the champion: accuracy 0.9150 against 0.9000; of 25 samples where they differ the challenger is "
        "right on 20; p = 0.00204, level 0.0304 at look 1"
    )
    (test,) = verdict.tests
    assert test.interval[0] < test.difference == 0.015 < test.interval[1]


def test_one_that_is_not_is_rejected():
    verdict = decide([contender("a", 20, 15)], BASE)
    assert verdict.outcome == "rejected"
    assert verdict.reason.startswith("not shown to be better than the champion: accuracy 0.9050 against 0.9000")


@pytest.mark.parametrize(("wins", "looks", "outcome"), [(5, 0, "undecided"), (6, 0, "promoted"), (6, 1, "undecided")])
def test_undecided_when_no_outcome_could_be_significant(wins, looks, outcome):
    # 2^-5 = 0.0313 > 0.0304 = level of look 1; 2^-6 = 0.0156 > 0.0076 = level of look 2
    verdict = decide([contender("a", wins)], BASE, looks=looks)
    assert verdict.outcome == outcome
    if outcome == "undecided":
        assert verdict.reason.startswith("the test set is too small to tell: ")


def test_the_champion_itself_is_rejected():
    verdict = decide([contender("0")], BASE)
    assert (verdict.outcome, verdict.reason[:19]) == ("rejected", "it is the champion:")


def test_each_challenger_takes_a_look_of_its_own():
    verdict = decide([contender("a", 9, 1), contender("b", 9, 1)], BASE, looks=0)
    assert [(test.look, test.outcome) for test in verdict.tests] == [(1, "promoted"), (2, "rejected")]
    assert [test.level for test in verdict.tests] == [level(0.05, 1), level(0.05, 2)]


def test_of_several_significant_ones_the_most_accurate_wins_and_ties_go_by_digest():
    verdict = decide([contender("d", 40), contender("c", 50), contender("b", 50)], BASE)
    assert verdict.challenger == "b" * 64
    assert verdict.looks_spent == 3


def test_a_verdict_is_plain_json():
    document = decide([contender("a", 20, 5)], BASE).to_json()
    assert set(document) == {"outcome", "reason", "challenger", "looks_spent", "tests"}
    assert document["tests"][0]["wins"] == 20


@pytest.mark.parametrize(
    ("challengers", "options", "told"),
    [
        ([], {}, "nothing to compare; expected one challenger or more; got 0."),
        ([BASE], {"alpha": 1}, "alpha must be a probability; expected above 0, below 1; got 1."),
        ([BASE], {"alpha": True}, "alpha must be a probability"),
        ([BASE], {"looks": -1}, "looks must be a whole number; expected 0 or more; got -1."),
        ([contender("a", n=10)], {}, "contenders were not measured on the same samples; got [10, 1000] samples."),
    ],
)
def test_what_is_refused(challengers, options, told):
    with pytest.raises(SpecError, match=re.escape(told)):
        decide(challengers, BASE, **options)


def test_challengers_that_are_no_better_are_seldom_promoted():
    """300 test sets, 20 null challengers each; at alpha 0.05, 15 promotions are expected at most."""
    random, n, wrongly = np.random.RandomState(7), 1000, 0
    for _ in range(300):
        champion = Contender("0" * 64, random.random_sample(n) < 0.9)
        for look in range(20):
            flips = random.random_sample(n) < 0.2
            correct = np.where(flips, random.random_sample(n) < 0.9, champion.correct)
            # Exchangeable with the champion: neither is better in expectation.
            if decide([Contender("1" * 64, correct)], champion, looks=look).outcome == "promoted":
                wrongly += 1
                break
    assert wrongly <= 15
