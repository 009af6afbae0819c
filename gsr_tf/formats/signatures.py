"""How an exported detector can be called: one picture, encoded pictures, a batch as the network sees it.

Pictures of a batch are answered one by one, in the order given: an answer is the same bits alone or in any company.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from gsr_tf.data.aspect import LONGEST
from gsr_tf.data.image_ops import resize
from gsr_tf.inference.module import PICTURE, DetectorModule
from gsr_tf.inference.segmentation import SCORE_SHARE


def signatures(detector: DetectorModule) -> dict[str, Callable]:
    """What a SavedModel offers, by name.

    serving_default: "image" [h, w, 3] uint8 RGB, any size but a sliver -> `DetectorModule.__call__`'s maps.
    encoded: "image_bytes" [n] strings (see `decode`) -> `describe` of each, stacked. For TensorFlow Serving's REST,
        where names that end in `_bytes` stand for base64.
    batch: "images" [n, size, size, 3] uint8 RGB, size as trained -> the maps, [n, size, size, 1] each.
    """
    side = detector.size
    maps = detector.__call__.get_concrete_function().structured_outputs
    answer = {"probability_bytes": tf.string, "score": tf.float32, "width": tf.int32, "height": tf.int32}

    @tf.function(autograph=False, input_signature=[PICTURE])
    def one(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return detector(no_sliver(image, detector))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.map_fn(
            lambda data: describe(one(decode(data))["probability"]),
            image_bytes,
            fn_output_signature={name: tf.TensorSpec([], dtype) for name, dtype in answer.items()},
        )

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8, "images")])
    def batch(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.map_fn(detector, images, fn_output_signature={name: tf.TensorSpec([side, side, 1]) for name in maps})

    return {"serving_default": one, "encoded": encoded, "batch": batch}


def no_sliver(image: tf.Tensor, detector: DetectorModule) -> tf.Tensor:
    """The same picture [h, w, 3]; an error for one that `refuse_sliver` refuses, unless the detector squashes it.

    Few pixels are enough for that: one of 1x500 would be brought to 288x144,000, and take 20 GB.
    """
    size = tf.shape(image)[:2]
    seen, sides = detector._network_size(size), tf.cast(size, tf.float32)
    fits = (tf.reduce_max(sides) <= LONGEST * tf.reduce_min(sides)) | tf.equal(seen[0], seen[1])
    said = f"expected the long side of a picture to be at most {LONGEST:g} times the short one; its height and width:"
    with tf.control_dependencies([tf.debugging.Assert(fits, [said, size])]):
        return tf.identity(image)


def decode(data: tf.Tensor) -> tf.Tensor:
    """A picture file's bytes, scalar string -> [h, w, 3] uint8 RGB.

    JPEG, PNG, BMP of 24 or 32 bits, and a GIF's first frame; alpha is dropped, 16 bits become 8. The pixels are as
    stored: EXIF orientation is not applied. For JPEG and PNG of 8 bits they are Pillow's to the bit, for which a JPEG
    needs the accurate cosine transform (TensorFlow's default is up to 18 levels off).
    """
    image = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(_without_palette(data), channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _without_palette(data: tf.Tensor) -> tf.Tensor:
    """The same bytes; an error for a BMP of colours by number, whose numbers TensorFlow takes for levels of grey."""
    header = tf.io.decode_raw(tf.strings.substr(data, 0, 30), tf.uint8)  # of other formats, whole files may be shorter
    is_bmp = tf.equal(tf.strings.substr(data, 0, 2), b"BM")
    plain = tf.logical_not(is_bmp) | (header[-2] >= 24)
    check = tf.debugging.Assert(plain, ["a BMP with a palette; expected one of 24 or 32 bits a pixel, PNG or JPEG"])
    with tf.control_dependencies([check]):
        return tf.identity(data)


def describe(probability: tf.Tensor) -> dict[str, tf.Tensor]:
    """A map, [h, w, 1] in [0, 1], as an answer.

    Returns:
        "probability_bytes": a PNG of it, 16 bits, 65535 for 1; "score": of the picture, as `Segmentation.score`;
        "width" and "height", int32, pixels.
    """
    flat = tf.reshape(probability, [-1])
    count = tf.maximum(1, tf.cast(tf.round(SCORE_SHARE * tf.cast(tf.size(flat), tf.float64)), tf.int32))
    highest = tf.nn.top_k(flat, count, sorted=False).values
    return {
        "probability_bytes": tf.io.encode_png(tf.cast(tf.round(probability * 65535.0), tf.uint16)),
        "score": tf.cast(tf.reduce_mean(tf.cast(highest, tf.float64)), tf.float32),
        "width": tf.shape(probability)[1],
        "height": tf.shape(probability)[0],
    }


def portable(detector: DetectorModule) -> tf.types.experimental.GenericFunction:
    """`DetectorModule.__call__` for other runtimes: the same maps, from operations that they have and do alike.

    The picture comes to the network's size by `shrink`; resizing it to that size once more, in `__call__`, changes
    nothing.
    """

    @tf.function(autograph=False, input_signature=[PICTURE])
    def maps(image: tf.Tensor) -> dict[str, tf.Tensor]:
        size = tf.shape(image)[:2]
        seen = shrink(image, detector._network_size(size))
        return {name: resize(x, size) for name, x in detector.__call__.python_function(seen).items()}

    return maps


def shrink(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """`image_ops.resize` to whole levels, step by step as TensorFlow's kernel does it.

    Pixels that lie halfway between two levels are common, and a runtime that adds up in another order rounds them
    the other way: by its own resizing a map was up to 4e-4 off.

    Args:
        image: [h, w, 3] uint8.
        size: [2] int32, target height and width.

    Returns:
        [size, 3] float32, whole levels.
    """
    top, bottom, down = _neighbours(tf.shape(image)[0], size[0])
    left, right, across = _neighbours(tf.shape(image)[1], size[1])

    def row(position: tf.Tensor) -> tf.Tensor:
        pixels = tf.gather(image, position, axis=0)
        first, second = (tf.cast(tf.gather(pixels, x, axis=1), tf.float32) for x in (left, right))
        return first + (second - first) * across[:, tf.newaxis]

    upper, lower = row(top), row(bottom)
    return tf.round(upper + (lower - upper) * down[:, tf.newaxis, tf.newaxis])


def _neighbours(length: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The two of `length` pixels that each of `target` lies between, and how far it is from the first."""
    # Adds nothing, but keeps converters from turning a division by a constant into another product.
    divisor = target + tf.minimum(length, 0)
    scale = tf.cast(length, tf.float32) / tf.cast(divisor, tf.float32)
    position = (tf.range(tf.cast(target, tf.float32)) + 0.5) * scale - 0.5
    before = tf.floor(position)
    first = tf.maximum(tf.cast(before, tf.int32), 0)
    second = tf.minimum(tf.cast(tf.math.ceil(position), tf.int32), length - 1)
    return first, second, position - before
