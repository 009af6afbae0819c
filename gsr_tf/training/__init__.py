"""One run: its loop, checkpoints, validation, summaries and folder."""
