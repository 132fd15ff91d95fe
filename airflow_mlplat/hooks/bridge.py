"""From a source, through its connection, into this installation's store and catalog."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.hook import BaseHook

from airflow_mlplat.bridges import Bridged, Previous, Source
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.hooks.sources import media_filesystem, source_client

if TYPE_CHECKING:
    from airflow_mlplat.catalog import RunInfo


class BridgeHook(BaseHook):
    """All I/O of a `BridgeOperator`.

    Args:
        media_conn_id: Connection with the credentials of the object store that holds the media.
    """

    def __init__(self, media_conn_id: str | None = None) -> None:
        super().__init__()
        self.media_conn_id = media_conn_id

    def bridge(self, source: Source, dataset: str, run: RunInfo, **limits: Any) -> Bridged:
        """Bridge the run's partition, and make the span the partition's current one, with its watermark.

        Args:
            source: Where the records live.
            dataset: Name of the dataset.
            run: The task instance; its partition is bridged.
            limits: `max_bad_fraction` and `allow_empty`, as `airflow_mlplat.bridges.bridge` takes them.

        Raises:
            UserError: What `airflow_mlplat.bridges.bridge` says.
            PlatformError: The source, the store or the catalog fails.
        """
        from airflow_mlplat.bridges import bridge

        installation = JobHook()
        row = installation.catalog.current_span(dataset, run.partition)
        bridged = bridge(
            source,
            source_client(source),
            installation.store,
            dataset=dataset,
            partition=run.partition,
            previous=Previous(row.ref, row.fingerprint) if row and row.fingerprint else None,
            filesystem=media_filesystem(self.media_conn_id),
            log=logging.getLogger(__name__),
            **limits,
        )
        installation.catalog.commit_span(
            bridged.ref,
            run.partition,
            bridged.document,
            watermark=bridged.watermark,
            fingerprint=bridged.fingerprint,
            source=source.describe(),
            run=run,
        )
        return bridged
