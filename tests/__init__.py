import gsr_tf  # noqa: F401  quietens TensorFlow before it is imported
