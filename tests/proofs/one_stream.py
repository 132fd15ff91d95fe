"""What a framework is given of a dataset. Run in the framework's own environment; prints one JSON document.

Usage: python one_stream.py FRAMEWORK STORE REFERENCE OPTIONS [STATE BATCHES]

With a STATE it goes on from there by the framework's first adapter, for so many BATCHES of one epoch, 0 for all.
"""

from __future__ import annotations

import json
import platform
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions, batch_digest
from airflow_mlplat.store import Samples, open_store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data" / "adapters"))
import digests

EPOCHS = 2


def as_arrays(framework, pairs):
    as_numpy = digests.AS_NUMPY.get(framework, np.asarray)
    for images, labels in pairs:
        yield as_numpy(images), as_numpy(labels)


def of_samples(images, labels):
    return [batch_digest(images[i : i + 1], labels[i : i + 1]) for i in range(len(labels))]


def whole(framework, samples, options):
    """Digests of both epochs' batches, of every adapter, and of what is left after them."""
    found = {}
    for name, way in getattr(digests, f"ways_{framework}")().items():
        one_pass = way(BatchIterator(samples, options, EPOCHS))
        passes = (as_arrays(framework, one_pass()) for _ in range(EPOCHS + 1))
        found[name] = [[batch_digest(*batch) for batch in batches] for batches in passes]
    return found


def part(framework, samples, options, state, batches):
    """Digests of samples from a state on, and the state after them."""
    way = next(iter(getattr(digests, f"ways_{framework}")().values()))
    with BatchIterator(samples, options, EPOCHS) as iterator:
        iterator.set_state(state)
        given = islice(as_arrays(framework, way(iterator)()), batches or None)
        found = [digest for batch in given for digest in of_samples(*batch)]
        return {"samples": found, "state": iterator.get_state()}


def main(framework, url, ref, options, *state_and_batches):
    samples = Samples(open_store(url), Ref.from_json(json.loads(ref)))
    given = (framework, samples, IteratorOptions(**json.loads(options)))
    found = part(*given, *map(json.loads, state_and_batches)) if state_and_batches else whole(*given)
    print(json.dumps({"python": platform.python_version(), "numpy": np.__version__, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
