"""What two photographs may have in common: 80 tags of their files, and what was done to them afterwards."""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import ExifTags, Image

# Ours: the paper has as many of those that are common among photographs at Flickr; which ones is not known to us.
_MAIN = """Make Model Orientation XResolution YResolution ResolutionUnit Software YCbCrPositioning Copyright Artist
    ImageWidth ImageLength BitsPerSample Compression PhotometricInterpretation SamplesPerPixel PlanarConfiguration
    WhitePoint PrimaryChromaticities YCbCrCoefficients YCbCrSubSampling ReferenceBlackWhite HostComputer Predictor"""
_PICTURE = """ExposureTime FNumber ExposureProgram ISOSpeedRatings SensitivityType StandardOutputSensitivity
    RecommendedExposureIndex ExifVersion ComponentsConfiguration CompressedBitsPerPixel ShutterSpeedValue ApertureValue
    BrightnessValue ExposureBiasValue MaxApertureValue SubjectDistance MeteringMode LightSource Flash FocalLength
    SubsecTime SubsecTimeOriginal SubsecTimeDigitized FlashPixVersion ColorSpace ExifImageWidth ExifImageHeight
    FocalPlaneXResolution FocalPlaneYResolution FocalPlaneResolutionUnit ExposureIndex SensingMethod FileSource
    SceneType CFAPattern CustomRendered ExposureMode WhiteBalance DigitalZoomRatio FocalLengthIn35mmFilm
    SceneCaptureType GainControl Contrast Saturation Sharpness SubjectDistanceRange LensSpecification LensMake LensModel
    Gamma SelfTimerMode SubjectLocation OffsetTimeOriginal CameraOwnerName CompositeImage FlashEnergy"""
MAIN_TAGS, PICTURE_TAGS = _MAIN.split(), _PICTURE.split()
TAGS = (*MAIN_TAGS, *PICTURE_TAGS)
PROCESSING = ("re-JPEG", "blur", "resize")
ATTRIBUTES = (*TAGS, *PROCESSING)
UNKNOWN = 0


def tag_codes(data: bytes) -> np.ndarray:
    """[80] int32: a number for the value of each of `TAGS`, equal for equal values; 0 where a file has none.

    Args:
        data: of a picture file; one whose tags cannot be read has none.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            exif = picture.getexif()
            folders = ((MAIN_TAGS, exif), (PICTURE_TAGS, exif.get_ifd(ExifTags.IFD.Exif)))
            values = [folder.get(ExifTags.Base[name]) for names, folder in folders for name in names]
    except Exception:  # of damaged tags Pillow raises many kinds
        values = [None] * len(TAGS)
    return np.array([_code(value) for value in values], np.int32)


def _code(value: object) -> int:
    if value is None:
        return UNKNOWN
    return zlib.crc32(repr(value).encode()) // 2 or 1  # 31 bits, and no 0


def in_common(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the codes of two photographs: [n] float32, 1 where they are equal; [n] float32, 1 where both are known."""
    return (one == other).astype(np.float32), ((one != UNKNOWN) & (other != UNKNOWN)).astype(np.float32)
