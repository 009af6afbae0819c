"""Entries -> records: examples, shards, workers, clusters."""
