from __future__ import annotations

import json
import threading

from airflow_mlplat.data.cache.stats import Counts, Stats, total


def test_threads_count_for_themselves_and_are_added_up():
    counts: list[Counts] = []
    stats = Stats(counts, [])

    def work():
        for _ in range(20_000):
            stats.mine.hits += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats.mine.wait_seconds += 0.1234567
    assert total(counts)["hits"] == 80_000
    assert json.loads(json.dumps(total(counts))) == {**vars(Counts()), "hits": 80_000, "wait_seconds": 0.123457}


def test_threads_that_ended_leave_their_counts_to_others():
    counts: list[Counts] = []
    stats, together = Stats(counts, []), threading.Barrier(2)

    def work(number):
        stats.mine.hits += number
        together.wait()

    for number in range(10):
        threads = [threading.Thread(target=work, args=(number,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(counts) == 3  # of this thread, and of two at once
    assert total(counts)["hits"] == 90
