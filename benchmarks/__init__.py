"""Speed and parity, printed as ratios and JSON."""

import gsr_tf  # noqa: F401  quietens TensorFlow before it is imported
