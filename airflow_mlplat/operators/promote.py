"""Make a recommended challenger the champion, after a person agreed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mlplat.contract import Ref, digest
from airflow_mlplat.errors import UserError
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.operators.links import ArtifactLink
from airflow_mlplat.operators.task import run_info, task_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class PromoteOperator(BaseOperator):
    """Carry out what a `CompareOperator(promote=False)` recommended; any other decision is left as it is.

    Args:
        decision: Output of the `CompareOperator`. (templated)
    """

    template_fields = ("decision",)
    operator_extra_links = (ArtifactLink(),)

    def __init__(self, *, decision: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision = decision

    def execute(self, context: Context) -> dict[str, Any]:
        """Move the champion in the transaction that checks that it has not moved."""
        from airflow_mlplat.catalog import DecisionInput

        with task_errors():
            hook = JobHook()
            ref = Ref.from_json(self.decision)
            made = hook.catalog.decision_of(ref)
            if made.outcome == "recommended":
                shared = {
                    f.name: getattr(made, f.name) for f in dataclasses.fields(DecisionInput) if hasattr(made, f.name)
                }
                made = hook.catalog.decide(
                    DecisionInput(**{
                        **shared, "key": digest({"promote": made.key}), "outcome": "promoted", "challengers": 0,
                        "run": run_info(context, made.partition), "expected_champion": made.champion, "ref": ref,
                    })
                )  # fmt: skip
            self.log.info("%s of %s: %s, %s", made.name, made.partition, made.outcome, made.reason)
            if made.outcome == "champion-moved":
                raise UserError(
                    f"nothing was promoted: {made.reason}", fix="clear the comparison, so that it is made again"
                )
        return ref.to_json()
