"""A detector that does to its process what a picture's width says."""

import os
import signal
import time

from tests.web.pictures import blotches, encoded

CRASHES, HANGS, SLOW = 33, 34, 35
SECONDS = 2  # that a slow picture takes


def load(*settings):
    from tests.web.conftest import red_detector  # TensorFlow, which the server's own process does without

    return red_detector(behave)


def behave(image):
    from tests.web.conftest import red_and_green

    width = image.shape[1]
    if width == CRASHES:
        os.kill(os.getpid(), signal.SIGSEGV)
    if width in (HANGS, SLOW):
        time.sleep(60 if width == HANGS else SECONDS)
    return red_and_green(image)


def picture(width=50):
    return encoded(blotches(40, width))
