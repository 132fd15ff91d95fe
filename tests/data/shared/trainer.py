"""A trainer on a shared stream: writes epoch, position, rows and digest of each batch, then what it counted.

Usage: python trainer.py DOCUMENT, whose `seconds` is a step's time, `kept` how many batches it keeps to look at later,
`pause` after how many batches it waits until there is a file `leave`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from pathlib import Path

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import IteratorOptions
from airflow_mlplat.data.shared import SharedIterator, StreamOptions
from airflow_mlplat.store import Samples, open_store


def wait_for_leave(document):
    while not Path(document["leave"]).exists():
        time.sleep(0.01)


def main(document):
    samples = Samples(open_store(document["store"]), Ref.from_json(document["ref"]))
    options, stream = IteratorOptions(**document["options"]), StreamOptions(**document["stream"])
    kept, changed, count = deque(maxlen=document.get("kept", 1)), 0, 0
    iterator = SharedIterator(samples, options, document["epochs"], stream)
    with Path(document["output"]).open("w", buffering=1) as output:
        for _ in range(document["epochs"]):
            for batch in iterator.epoch():
                digest = batch.digest()
                output.write(json.dumps([batch.epoch, batch.position, batch.rows.tolist(), digest]) + "\n")
                time.sleep(document.get("seconds", 0))
                count += 1
                if count == document.get("pause"):
                    wait_for_leave(document)
                kept.append((batch, digest))
                changed += sum(held.digest() != seen for held, seen in kept)
        iterator.close()
        del batch, kept
        threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        links = [link for link in Path("/proc/self/fd").iterdir() if int(link.name) > 2 and link.is_symlink()]
        files = [str(link.readlink()) for link in links]
        files = [file for file in files if str(stream.directory) in file or "socket" in file]
        output.write(json.dumps({**iterator.stats(), "changed": changed, "threads": threads, "files": files}) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
