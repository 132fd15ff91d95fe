"""The iterator and the cache beside their peers, on one generated set of images. `python -m benchmarks` runs all."""
