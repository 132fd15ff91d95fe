"""Waiting without a worker's slot."""
