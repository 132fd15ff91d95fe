"""What is compared with what, whoever asks and however often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_mlplat.contract import Ref, digest
from airflow_mlplat.errors import SpecError
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.operators.task import as_ref


@dataclass(frozen=True)
class Comparison:
    """What is compared with what.

    Args:
        name: Of the model.
        alias: Of the place that is fought for.
        challengers: References of predictions.
        holdout: The dataset version that all of them predict.
        partition: For which the challengers were trained.
        champion: The model that holds the place now.
        options: What else another comparison would differ in: alpha, whether to promote.
    """

    name: str
    alias: str
    challengers: list[Ref]
    holdout: Ref
    partition: str
    champion: Ref | None
    options: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """The same whenever the same comparison is asked for, whoever is champion then."""
        return digest(
            {
                "name": self.name,
                "alias": self.alias,
                "partition": self.partition,
                "holdout": self.holdout.digest,
                "challengers": sorted(ref.digest for ref in self.challengers),
                "options": list(self.options),
            }
        )

    @classmethod
    def of(cls, hook: JobHook, partition: str, challengers: Any, champion: str, *options: Any) -> Comparison:
        """As an operator's arguments and the catalog have it now.

        Raises:
            SpecError: Challengers that are no predictions, on different datasets, of another name than the
                champion's, trained on what they are tested on, or none at all; or a champion that is no `name@alias`.
        """
        many = challengers if isinstance(challengers, Sequence) and not isinstance(challengers, str) else [challengers]
        refs = [as_ref(value, "predictions", hook, partition) for value in many]
        holdouts = {hook.store.manifest(ref)["dataset"] for ref in refs}
        if len(holdouts) != 1:
            raise SpecError(
                "challengers were not measured on one test set",
                expected="predictions of one dataset version",
                got=f"{len(refs)} predictions of {len(holdouts)} datasets",
            )
        name, at, alias = champion.partition("@")
        if not (name and at and alias):
            raise SpecError("champion is no alias", expected="a name like 'fashion@champion'", got=repr(champion))
        others = sorted({ref.name for ref in refs} - {name})
        if others:
            # A slip of the pen would else found an alias of its own, where nobody has to be beaten.
            raise SpecError(
                "champion is another model's alias",
                expected=f"'{others[0]}@{alias}', of the challenger",
                got=repr(champion),
                fix="correct champion, or train the challenger with model=" + repr(name),
            )
        holdout = _parent(hook, refs[0], "dataset")
        for ref in refs:
            _check_unseen(hook, ref, holdout)
        row = hook.catalog.alias(name, alias)
        holder = hook.catalog.artifact(row.digest).ref if row else None
        return cls(name, alias, refs, holdout, partition, holder, options)


def _check_unseen(hook: JobHook, predictions: Ref, holdout: Ref) -> None:
    """Fail on a challenger that was trained on a span of its test set: it may have learnt that by heart."""
    model = _parent(hook, predictions, "model")
    seen = {digest for ref in _parents(hook, model, "dataset") for digest in _spans(hook, ref)}
    shared = sorted(seen & _spans(hook, holdout))
    if shared:
        raise SpecError(
            f"{model} was trained on samples that it is tested on",
            expected=f"a test set without them, not {holdout}",
            got=f"{len(shared)} spans in both, such as {shared[0][:12]}",
            fix="bridge the test set as a dataset of its own",
        )


def _spans(hook: JobHook, dataset: Ref) -> set[str]:
    return {ref.digest for ref in _parents(hook, dataset, "span")}


def _parents(hook: JobHook, ref: Ref, kind: str) -> list[Ref]:
    parents = map(Ref.from_json, hook.store.manifest(ref)["parents"])
    return [parent for parent in parents if parent.kind == kind]


def _parent(hook: JobHook, ref: Ref, kind: str) -> Ref:
    (parent,) = _parents(hook, ref, kind)
    return parent
