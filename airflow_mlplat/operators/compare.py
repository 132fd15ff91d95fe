"""Compare challengers with the champion at the gate, and promote the winner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import JobResult, JobSpec, Ref, digest
from airflow_mlplat.errors import PlatformError, SpecError
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.hooks.partition import resolve_partition
from airflow_mlplat.operators.comparison import Comparison
from airflow_mlplat.operators.job import JobOperator
from airflow_mlplat.operators.predict import predict_spec
from airflow_mlplat.operators.task import run_info, task_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mlplat.catalog import DecisionRow, RunInfo

MAX_COMPARISONS = 5
"""So often may the champion move under one comparison before the task gives up and leaves it to its retries."""


class CompareOperator(JobOperator):
    """Exact paired McNemar test of each challenger against the champion on one frozen test set.

    The winner becomes champion in the transaction that checks that the champion has not moved meanwhile; if it has,
    the comparison is made again with the new one. A comparison that was decided before is not made again. Predicts
    with the champion first, where it has not seen this test set yet. Returns the decision's reference; the XComs
    `outcome` and `summary` hold the decision in words.

    Args:
        challengers: Outputs of `PredictOperator`, all on the same dataset version. (templated)
        champion: The alias to win, `fashion@champion`. (templated)
        alpha: Probability of a false promotion over all comparisons on this test set together, 0 to 1.
        promote: False only recommends, and leaves the promotion to a `PromoteOperator`. (templated)
    """

    template_fields = (*JobOperator.template_fields, "challengers", "champion", "promote")

    def __init__(
        self, *, challengers: Any, champion: str, alpha: float = 0.05, promote: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.challengers = challengers
        self.champion = champion
        self.alpha = alpha
        self.promote = promote

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the decision that was made before, or make it."""
        with task_errors():
            if not isinstance(self.promote, bool):
                raise SpecError(
                    "promote is no truth value",
                    expected="True or False",
                    got=repr(self.promote),
                    fix="templates render to text; give the DAG render_template_as_native_obj=True",
                )
            hook = JobHook()
            comparison = self.comparison(hook, resolve_partition(context, self.partition))
            decided = hook.catalog.compared(comparison.key)
            if decided is not None:
                self.log.info("Reused the decision of an earlier run")
                return self.tell(context, decided)
        return super().execute(context)

    def comparison(self, hook: JobHook, partition: str) -> Comparison:
        """What the arguments and the catalog say now."""
        return Comparison.of(hook, partition, self.challengers, self.champion, self.alpha, self.promote)

    def spec(self, hook: JobHook, partition: str) -> JobSpec:
        """The `compare` stage, or first `predict` for a champion that has not seen the test set."""
        comparison = self.comparison(hook, partition)
        against: list[Ref] = []
        if comparison.champion is not None:
            predictions = hook.catalog.predictions(comparison.champion.digest, comparison.holdout.digest)
            if predictions is None:
                return predict_spec(hook, self.where, comparison.champion, comparison.holdout)
            against = [predictions]
        looks = hook.catalog.looks(comparison.name, comparison.holdout.digest)
        return hook.spec(
            "compare",
            comparison.name,
            where=self.where,
            params={"alpha": self.alpha, "looks": looks},
            inputs={"challengers": comparison.challengers, "champion": against},
        )

    def finish(
        self, context: Context, hook: JobHook, spec: JobSpec, result: JobResult, partition: str
    ) -> dict[str, Any]:
        """Decide by what the gate found; go round again after a prediction, or when the champion moved."""
        run = run_info(context, partition)
        hook.record(spec, result, run)
        if spec.stage == "predict":
            return self.execute(context)
        decided = self.decide(hook, spec, result, run)
        if decided.outcome != "champion-moved":
            return self.tell(context, decided)
        self.log.info("Comparing again: %s", decided.reason)
        made = hook.catalog.decisions(decided.name)
        moved = [row for row in made if row.comparison == decided.comparison and row.run.run_id == run.run_id]
        if len(moved) >= MAX_COMPARISONS:
            raise PlatformError("the champion moved during every comparison", got=f"{len(moved)} comparisons")
        return self.execute(context)

    def decide(self, hook: JobHook, spec: JobSpec, result: JobResult, run: RunInfo) -> DecisionRow:
        """Record the gate's verdict and, when it says so and still holds, move the champion."""
        from airflow_mlplat.catalog import DecisionInput

        comparison, ref = self.comparison(hook, run.partition), result.outputs["decision"]
        others = [row.alias for row in hook.catalog.aliases() if row.name == comparison.name]
        if others and comparison.alias not in others:
            self.log.warning("%s is a new alias of a model that has: %s", self.champion, ", ".join(others))
        document = hook.store.manifest(ref)
        outcome = document["outcome"]
        if outcome == "promoted" and not self.promote:
            outcome = "recommended"
        return hook.catalog.decide(
            DecisionInput(
                # One job may serve comparisons for several partitions.
                key=digest({"job": result.job_key, "comparison": comparison.key}),
                name=comparison.name,
                alias=comparison.alias,
                outcome=outcome,
                reason=document["reason"],
                challenger=document["challenger"],
                expected_champion=document["champion"],
                partition=run.partition,
                run=run,
                holdout=comparison.holdout.digest,
                challengers=document["looks_spent"],
                looks=spec.params["looks"],
                document=document,
                ref=ref,
                comparison=comparison.key,
            )
        )

    def tell(self, context: Context, decided: DecisionRow) -> dict[str, Any]:
        """Log the decision and hand it on."""
        summary = f"{decided.name} of {decided.partition}: {decided.outcome}, {decided.reason}"
        self.log.info("%s", summary)
        context["ti"].xcom_push("outcome", decided.outcome)
        context["ti"].xcom_push("summary", summary)
        return Ref("decision", decided.name, decided.node.removeprefix("decision:")).to_json()
