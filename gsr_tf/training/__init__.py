"""Losses, the training loop, checkpoints and summaries."""
