"""The former name of `python -m gsr_tf.tables`, kept for one release."""

import sys

from gsr_tf import tables

if __name__ == "__main__":
    print("python -m gsr_tf.benchmark is called python -m gsr_tf.tables now", file=sys.stderr)
    sys.exit(tables.main())
