"""View models of the lists."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_mlplat.catalog import AliasRow, ArtifactRow, DecisionRow, EvaluationRow, RunInfo
from airflow_mlplat.contract import Ref
from airflow_mlplat.ui import pages

NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)
MODEL, OTHER, TEST_SET, SPAN = (part * 32 for part in ("ab", "cd", "ef", "01"))


def artifact(kind, digest=MODEL, name="fashion", **document):
    return ArtifactRow(Ref(kind, name, digest), "2026-01-31", document, NOW, None)


def evaluation(digest, model=MODEL, dataset=TEST_SET, **metrics):
    return EvaluationRow(
        Ref("evaluation", "fashion", digest * 64), model, Ref("dataset", "fashion-test", dataset), metrics, NOW
    )


def alias(name="fashion", digest=MODEL, alias="champion"):
    return AliasRow(name, alias, digest, "2026-01-31", 1, NOW, "key")


def test_of_several_evaluations_on_one_test_dataset_the_newest_counts():
    rows = [
        evaluation("3", accuracy=0.75, interval=[0.5, 1.0]),
        evaluation("2", dataset=SPAN, accuracy=0.5),
        evaluation("1", accuracy=0.25),
        evaluation("0", model=OTHER, accuracy=0.0),
    ]
    found = pages.accuracies(rows)
    assert [(one.value, one.interval) for one in found[MODEL]] == [(0.75, (0.5, 1.0)), (0.5, None)]
    assert [one.value for one in found[OTHER]] == [0.0]


def test_an_evaluation_without_an_accuracy_shows_none():
    assert pages.accuracies([evaluation("1", loss=0.5)]) == {}


def test_models_carry_their_aliases():
    one, other = pages.models([artifact("model", framework="mxnet"), artifact("model", OTHER)], [alias()], [])
    assert (one.framework, one.aliases) == ("mxnet", ["champion"])
    assert (other.framework, other.aliases) == ("", [])


def test_every_name_has_a_place():
    known = pages.models([artifact("model")], [alias()], [])
    places = pages.places(["zoo", "fashion"], [alias(alias="shadow"), alias()], known)
    assert [(place.name, place.alias) for place in places] == [
        ("fashion", "champion"), ("fashion", "shadow"), ("zoo", "champion")
    ]  # fmt: skip
    assert places[0].model is known[0]
    assert places[2].model is None


def test_counts_are_sorted_and_without_zeros():
    assert pages.counts({"b": 1, "a": 1, "c": 5, "d": 0}) == [("c", 5), ("a", 1), ("b", 1)]
    assert pages.counts(None) == []


def test_a_dataset_knows_what_its_spans_left_out():
    part = {"partition": "2026-01-31", "digest": SPAN, "samples": 8, "dropped": 2, "drops": None}
    row = artifact(
        "dataset", spans=[part, {**part, "digest": OTHER}], dropped={"truncated": 4}, samples=16,
        classes=["coat", "bag"], label_counts=[10, 6],
    )  # fmt: skip
    spans = {SPAN: artifact("span", SPAN, samples=10, quarantined={"missing-media": 3})}
    made = pages.dataset(row, spans)
    assert made.labels == [("coat", 10), ("bag", 6)]
    assert made.quarantined == [("missing-media", 3)]
    assert [(span.samples, span.kept, span.dropped) for span in made.spans] == [(10, 8, 2), (None, 8, 2)]


def test_a_bare_manifest_is_shown_as_far_as_it_goes():
    made = pages.dataset(artifact("dataset"), {})
    assert (made.samples, made.labels, made.spans, made.dropped) == (None, [], [], [])
    assert pages.span(artifact("span")).samples is None


def decision_row(node, document):
    return DecisionRow(
        "key", node, "fashion", "champion", "rejected", "worse", "2026-01-31", MODEL, OTHER, TEST_SET, 1, None,
        document, RunInfo("dag", "run", "compare", 3, "2026-01-31"), NOW,
    )  # fmt: skip


def test_a_decision_shows_its_numbers_once():
    row = decision_row(f"decision:{SPAN}", {"outcome": "rejected", "kind": "decision", "alpha": 0.05, "tests": []})
    (made,) = pages.decisions([row])
    assert made.numbers == {"alpha": 0.05, "tests": []}
    assert made.manifest == SPAN
    assert made.run == "dag / run / compare[3]"


def test_a_rollback_has_no_manifest():
    (made,) = pages.decisions([decision_row("decision:key", {})])
    assert made.manifest is None


def test_a_task_that_is_not_mapped_has_no_index():
    assert pages.run(RunInfo("dag", "run", "train")) == "dag / run / train"
