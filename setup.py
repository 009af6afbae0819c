"""Packaging: what gsr_tf needs, as ranges; exact versions with hashes are in requirements/lock.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

# TensorFlow 2.15 with Addons 0.23 is the last pair that fits together (Keras 2).
TENSORFLOW = "tensorflow>=2.15,<2.16"

REQUIRES = [
    TENSORFLOW,
    "tensorflow-addons>=0.23,<0.24",
    "numpy>=1.23.5,<2",
    # opencv-python without its window code: the same module cv2, but it needs no libGL.
    "opencv-python-headless>=4.8,<4.12",
    "absl-py>=1.4,<3",
    "scikit-image>=0.21,<1",
    "scipy>=1.10,<2",
    "pillow>=10",
    "PyWavelets>=1.4,<2",
    "tqdm>=4.65,<5",
    "matplotlib>=3.7,<4",
    # TensorBoard 2.15 imports pkg_resources, which setuptools 82 has no more.
    "setuptools>=68,<81",
]

EXTRAS = {
    "gpu": ["tensorflow[and-cuda]>=2.15,<2.16"],
    "coco": ["pycocotools>=2.0.7,<3"],
    "beam": ["apache-beam>=2.60,<3"],
    "heic": ["pillow-heif>=0.16,<2"],
    "onnx": ["onnx>=1.14,<1.18", "tf2onnx>=1.16,<2", "onnxruntime>=1.16,<2"],
    "web": ["fastapi>=0.110,<1", "uvicorn>=0.29,<1", "prometheus-client>=0.20,<1", "pydantic>=2,<3"],
    "dev": [
        "pytest>=8",
        "pytest-xdist>=3",
        "ruff>=0.6",
        "scikit-learn>=1.3,<2",
        "playwright>=1.40,<2",
        "httpx>=0.27,<1",
    ],
}

VERSION = re.search(r'__version__ = "(.+)"', Path(__file__).with_name("gsr_tf").joinpath("__init__.py").read_text())[1]

setup(
    name="gsr_tf",
    version=VERSION,
    license="Apache-2.0",
    license_files=["LICENSE"],
    description="GSR-Net (Generate, Segment and Refine, AAAI 2020) in TensorFlow/Keras.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.9,<3.12",
    packages=find_packages(include=["gsr_tf", "gsr_tf.*", "data_prep", "data_prep.*"]),
    package_data={"gsr_tf": ["weights/*", "py.typed"], "gsr_tf.web": ["static/*"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["gsr-tf = gsr_tf.cli:main"]},
)
