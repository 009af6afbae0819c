"""Data sets as published -> records: one script a set, on one small core.

entries.py      what is to be converted, and what is refused and why
files.py        the files of a folder
pairing.py      which mask belongs to which picture
masks.py        mask files -> K
examples.py     one entry -> one record
shards.py       many entries -> one shard, restartable
writing.py      all shards, over processes -> a records folder
command.py      the flags, messages and exit codes that all scripts share
"""

import os

# TensorFlow only writes files here; what it finds missing for computing is no concern of these commands.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
