"""Stage `compare`: challengers and champion through the gate, on their predictions of one test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.evaluate import metrics, put_evaluation
from airflow_mlplat.stages.gate import Contender, Verdict, check_numbers, decide
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.params import FromParams
from airflow_mlplat.stages.predictions import Predictions, load_predictions


@dataclass(frozen=True)
class CompareOptions(FromParams):
    """How the gate decides.

    Args:
        alpha: Probability of a false promotion over all looks at the test set.
        looks: Earlier looks at it.
    """

    alpha: float = 0.05
    looks: int = 0

    def __post_init__(self) -> None:
        check_numbers(self.alpha, self.looks)


def run(job: Job) -> Outcome:
    """Decide between the inputs `challengers` and `champion`, each predictions of the same dataset.

    Outputs are `decision`, and `evaluation-0` … of the challengers, `evaluation-champion` of the champion.
    """
    options = CompareOptions.from_params(job.spec.params)
    refs = {f"{i}": ref for i, ref in enumerate(job.inputs("challengers"))}
    if job.inputs("champion"):
        refs["champion"] = job.input("champion")
    loaded = {role: load_predictions(job.store, ref) for role, ref in refs.items()}
    _check_same_samples(loaded)
    found = {role: metrics(predictions) for role, predictions in loaded.items()}
    contenders = {role: Contender(p.model, p.labelled().correct()) for role, p in loaded.items()}
    champion = contenders.pop("champion", None)
    verdict = decide(list(contenders.values()), champion, options.alpha, options.looks)
    job.log.info("%s: %s", verdict.outcome, verdict.reason)
    evaluations = {f"evaluation-{role}": put_evaluation(job.store, refs[role], found[role]) for role in refs}
    numbers = _numbers(options, verdict, loaded)
    decision = job.store.put_manifest(
        {
            "format": 1,
            "kind": "decision",
            "name": job.spec.name,
            **numbers,
            "files": {},
            "parents": [ref.to_json() for ref in refs.values()],
        }
    )
    return Outcome({"decision": decision, **evaluations}, numbers)


def _numbers(options: CompareOptions, verdict: Verdict, loaded: dict[str, Predictions]) -> dict[str, Any]:
    champion, any_of_them = loaded.get("champion"), next(iter(loaded.values()))
    return {
        **verdict.to_json(),
        "champion": champion.model if champion else None,
        "holdout": any_of_them.dataset,
        "samples": len(any_of_them.labelled().labels),
        "alpha": options.alpha,
        "looks": options.looks,
    }


def _check_same_samples(loaded: dict[str, Predictions]) -> None:
    """Whether the test is paired: every model predicted the same samples, with the same classes and labels.

    Raises:
        SpecError: It is not, or there are no challengers.
    """
    if set(loaded) <= {"champion"}:
        raise SpecError("nothing to compare", expected="predictions of one challenger or more", got="none")
    first = loaded["0"]
    for role, other in loaded.items():
        if other.dataset != first.dataset:
            raise SpecError(
                f"predictions of contender {role} are of another test set",
                expected=f"dataset {first.dataset[:12]}",
                got=other.dataset[:12],
                fix="predict the same dataset version with every model",
            )
        same = np.array_equal(other.keys, first.keys) and np.array_equal(other.labels, first.labels)
        if not same or other.classes != first.classes:
            raise SpecError(
                f"predictions of contender {role} do not pair with the first's",
                expected="equal keys, labels and classes",
                got="different ones",
            )
