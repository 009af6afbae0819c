"""What `data_prep.check` finds in a set, and draws of it."""
