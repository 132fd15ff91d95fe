"""One file per framework: the same batches in its own types."""
