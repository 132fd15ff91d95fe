"""Copy one partition of a source into the store as a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mlplat.bridges import Source
from airflow_mlplat.hooks.assets import span_asset
from airflow_mlplat.hooks.bridge import BridgeHook
from airflow_mlplat.hooks.partition import resolve_partition
from airflow_mlplat.operators.links import ArtifactLink
from airflow_mlplat.operators.task import run_info, task_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class BridgeOperator(BaseOperator):
    """Bridge a partition; a partition whose source has not changed is not read again.

    Runs in the worker, where the source's connection is known, in constant memory. Emits an event of
    `span_asset(dataset)` for the partition. Returns the span's reference.

    Args:
        source: Where the records live, for instance a `SqlSource`.
        dataset: Name of the dataset that the span belongs to.
        max_bad_fraction: Fail when more than this part of the records is bad, 0 to 1.
        allow_empty: Commit an empty span when the source has no record for the partition, instead of failing.
        media_conn_id: Connection with the credentials of the object store that holds the media.
        partition: Overrides what the run says, `2026-01-31`. (templated)
    """

    template_fields = ("partition",)
    operator_extra_links = (ArtifactLink(),)

    def __init__(
        self,
        *,
        source: Source,
        dataset: str,
        max_bad_fraction: float = 0.01,
        allow_empty: bool = False,
        media_conn_id: str | None = None,
        partition: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["outlets"] = [*(kwargs.get("outlets") or []), span_asset(dataset)]
        super().__init__(**kwargs)
        self.source = source
        self.dataset = dataset
        self.max_bad_fraction = max_bad_fraction
        self.allow_empty = allow_empty
        self.media_conn_id = media_conn_id
        self.partition = partition

    def execute(self, context: Context) -> dict[str, Any]:
        """Read, write, and commit the span with its watermark."""
        with task_errors():
            partition = resolve_partition(context, self.partition)
            bridged = BridgeHook(self.media_conn_id).bridge(
                self.source,
                self.dataset,
                run_info(context, partition),
                max_bad_fraction=self.max_bad_fraction,
                allow_empty=self.allow_empty,
            )
        self.log.info(
            "%s %s: %d samples, bad: %s",
            "Reused" if bridged.reused else "Bridged",
            bridged.ref,
            bridged.samples,
            bridged.quarantined or "none",
        )
        context["outlet_events"][span_asset(self.dataset)].add_partitions(partition)
        return bridged.ref.to_json()
