"""Packaging: what gsr_tf needs, as ranges; exact versions with hashes are in requirements/."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

# Two worlds, one code. On Python 3.11 the original's neighbours: TensorFlow 2.15, the last that TensorFlow Addons fits.
# On newer Pythons today's TensorFlow; its Keras 2 is the package tf_keras.
OLD, NEW = "python_version < '3.12'", "python_version >= '3.12'"
# Addons has wheels for these machines only, and nothing needs it: `gsr_tf.data.augment.projective` does without.
ADDONS = f"{OLD} and (sys_platform == 'darwin' or platform_machine == 'x86_64' or platform_machine == 'AMD64')"

REQUIRES = [
    f"tensorflow>=2.15,<2.16; {OLD}",
    f"tensorflow-addons>=0.23,<0.24; {ADDONS}",
    f"numpy>=1.26,<2; {OLD}",
    f"tensorflow>=2.21,<2.22; {NEW}",
    f"tf_keras>=2.21,<2.22; {NEW}",
    f"numpy>=2.1,<3; {NEW}",
    # opencv-python without its window code: the same module cv2, but it needs no libGL. From 4.12 on it wants NumPy 2.
    f"opencv-python-headless>=4.8,<4.12; {OLD}",
    f"opencv-python-headless>=4.12,<6; {NEW}",
    "absl-py>=1.4,<3",
    "scikit-image>=0.22,<1",
    "scipy>=1.11,<2",
    "pillow>=12",
    "PyWavelets>=1.4,<2",
    "google-crc32c>=1.5,<2",  # TFRecords' checksum
    "tqdm>=4.65,<5",
    "matplotlib>=3.7,<4",
    "tensorboard>=2.15,<3",
    # TensorBoard imports pkg_resources, which setuptools 82 has no more.
    "setuptools>=68,<81",
]

EXTRAS = {
    "gpu": [f"tensorflow[and-cuda]>=2.15,<2.16; {OLD}", f"tensorflow[and-cuda]>=2.21,<2.22; {NEW}"],
    "coco": ["pycocotools>=2.0.7,<3"],
    "beam": ["apache-beam>=2.60,<3"],
    "heic": ["pillow-heif>=0.16,<2"],
    # From 1.18 on onnx needs a newer ml_dtypes than TensorFlow 2.15 allows.
    "onnx": [f"onnx>=1.14,<1.18; {OLD}", f"onnx>=1.19,<2; {NEW}", "tf2onnx>=1.16,<2", "onnxruntime>=1.16,<2"],
    "web": [
        "fastapi>=0.110,<1",
        "uvicorn>=0.29,<1",
        "prometheus-client>=0.20,<1",
        "pydantic>=2,<3",
        "pillow-heif>=0.16,<2",
    ],
    "dev": [
        "pytest>=8",
        "pytest-xdist>=3",
        "ruff>=0.6",
        "scikit-learn>=1.3,<2",
        "playwright>=1.40,<2",
        "httpx>=0.27,<1",
        "build>=1.2,<2",
        f"ai-edge-litert>=2,<3; {NEW}",
        f"backports.strenum<1.3; {NEW}",  # ai-edge-litert asks for it; 1.3 installs on old Pythons alone
    ],
    "docs": ["mkdocs>=1.6,<2", "mkdocstrings[python]>=0.27,<2"],
}

VERSION = re.search(r'__version__ = "(.+)"', Path(__file__).with_name("gsr_tf").joinpath("__init__.py").read_text())[1]


class BuildWithFlags(build_py):
    """Puts the folder flags/ beside the modules, as gsr_tf/flags, where --flagfile=NAME finds it."""

    def run(self) -> None:
        """Copies the modules, then the flagfiles; an editable install has them in the checkout."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("flags", Path(self.build_lib) / "gsr_tf" / "flags", dirs_exist_ok=True)


setup(
    name="gsr_tf",
    version=VERSION,
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE", "gsr_tf/weights/LICENSE.md"],
    description="GSR-Net (Generate, Segment and Refine, AAAI 2020) in TensorFlow/Keras.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["gsr_tf", "gsr_tf.*", "data_prep", "data_prep.*"]),
    package_data={"gsr_tf": ["weights/*", "py.typed"], "gsr_tf.web": ["static/*"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    cmdclass={"build_py": BuildWithFlags},
    entry_points={"console_scripts": ["gsr-tf = gsr_tf.cli:main"]},
)
