"""All peers by name: their module of this package, and the environment that it runs in."""

from __future__ import annotations

from importlib import import_module

from benchmarks.peer import Peer

PEERS: dict[str, tuple[str, str]] = {
    "airflow_mlplat": ("ours", "bench"),
    "WebDataset": ("webdataset_tar", "bench"),
    "MosaicML streaming": ("mosaic_mds", "bench"),
    "litdata": ("litdata_chunks", "bench"),
    "Grain ArrayRecord": ("grain_array_record", "bench"),
    "tf.data TFRecord": ("tf_record", "tensorflow"),
    "MXNet RecordIO": ("mxnet_record_io", "mxnet"),
    "torch DataLoader, files": ("torch_files", "bench"),
    "Lance": ("lance_table", "bench"),
    "Parquet": ("parquet_groups", "bench"),
    "Arrow IPC": ("arrow_ipc", "bench"),
    "LMDB": ("lmdb_pages", "bench"),
}
OURS = "airflow_mlplat"


def load(name: str) -> Peer:
    """The peer, in its environment: its libraries are imported here."""
    return import_module(f"benchmarks.peers.{PEERS[name][0]}").PEER
