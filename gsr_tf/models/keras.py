"""Keras 2: the package tf_keras beside today's TensorFlow, whose own Keras is 3, and TensorFlow 2.15's own.

Imported by its own name, so that a program that uses Keras 3 and this package in one process keeps both: no
environment variable decides.
"""

try:
    import tf_keras as keras
except ImportError:
    from tensorflow import keras as keras

__all__ = ["keras"]
