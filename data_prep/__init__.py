"""Data sets as published -> records: one script a set, on one small core.

reading/        files as people have them -> entries: found, paired with their masks, listed, decoded
writing/        entries -> records: examples, shards that can be gone on from, worker processes, clusters
inspecting/     what can be said of a picture and its masks, and drawn of a set
command.py      the flags, messages and exit codes that all scripts share
published.py    what the scripts of published sets share
catalogue.py    all published sets, and which of them a folder holds
layouts.py      which pictures a path of any known layout holds
"""

import os

# TensorFlow only writes files here; what it finds missing for computing is no concern of these commands.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
