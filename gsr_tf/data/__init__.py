"""Pictures, records and batches."""
