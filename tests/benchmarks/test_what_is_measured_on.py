"""What benchmarks make to measure on, and the memory that work takes."""

import subprocess
import sys

import cv2
import numpy as np

from benchmarks import pictures
from benchmarks.random_model import save_random_model
from gsr_tf.inference.detector import Detector


def test_photographs_have_the_sizes_asked_for_and_weigh_what_photographs_do(tmp_path):
    sizes = [(90, 120), (64, 48), (90, 120)]
    pictures.write_photographs(tmp_path / "made", sizes)
    files = [tmp_path / "made" / f"{number}.jpg" for number in range(3)]
    assert sorted((tmp_path / "made").iterdir()) == files
    assert [cv2.imread(str(file)).shape[:2] for file in files] == sizes
    assert files[0].read_bytes() != files[2].read_bytes()
    assert all(0.1 < file.stat().st_size / (height * width) < 1 for file, (height, width) in zip(files, sizes))


def test_a_random_model_has_the_width_asked_for_and_answers(tmp_path):
    save_random_model(tmp_path / "model", width=0.03, size=32)
    detector = Detector.load(str(tmp_path / "model"))
    assert detector.segment(np.zeros([40, 50, 3], np.uint8)).mask.shape == (40, 50)
    kernels = [variable.shape for variable in detector.module.parameters if variable.shape.rank == 4]
    assert kernels[0] == [3, 3, 3, 2]  # of VGG-16's 64 channels


# Measured from a process that does nothing else: what a process of these tests holds of the libraries' pages changes by
# tens of megabytes as its neighbour, which shares them, begins and ends.
PEAK_WITH_A_CHILD = """
import subprocess, sys
from benchmarks import processes

def work(child):
    return lambda: subprocess.run([sys.executable, "-c", child], check=True)

without = processes.peak_memory(work("import time; time.sleep(.5)"))
print(processes.peak_memory(work("import time; held = b'1' * 200_000_000; time.sleep(1)")) - without)
"""


def test_the_peak_counts_what_children_hold_while_they_live():
    ran = subprocess.run([sys.executable, "-c", PEAK_WITH_A_CHILD], check=True, capture_output=True, text=True)
    assert 195e6 < int(ran.stdout) < 210e6
