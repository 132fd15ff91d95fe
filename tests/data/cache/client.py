"""A process that reads through the cache: `client.py URL FOLDER MAX_BYTES ROUNDS SHARD…`. Prints its statistics; exits
with 1 if a shard had other bytes than its SHA-256 says.
"""

from __future__ import annotations

import hashlib
import json
import sys

from airflow_mlplat.data.cache import CachedReader, CacheOptions, ShardCache
from airflow_mlplat.store.backend import open_backend

PIECE = 10_000


def main(url, folder, max_bytes, rounds, *shards):
    with CachedReader(
        open_backend(url), ShardCache(folder, int(max_bytes)), None, CacheOptions(range_bytes=65_536)
    ) as r:
        print("begins", flush=True)
        for _ in range(int(rounds)):
            r.hint(shards)
            for shard in shards:
                content, offset = hashlib.sha256(), 0
                while piece := r.read(shard, offset, PIECE):
                    content.update(piece)
                    offset += len(piece)
                if content.hexdigest() != shard:
                    sys.exit(1)
        print(json.dumps(r.stats()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
