import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.comparators import methods
from gsr_tf.comparators.method import MethodError
from gsr_tf.data.pictures import PictureError, PictureTooLarge
from gsr_tf.formats import saved_model
from gsr_tf.inference import looking, resolution
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.looking import maps_at
from gsr_tf.inference.module import STRIDE, DetectorModule
from gsr_tf.inference.resolution import ResolutionError, describe, parse_scales
from gsr_tf.inference.tiling import Layout


def detector(segmenter, metadata=None, **settings):
    return Detector(DetectorModule(segmenter, **settings), name="small", metadata=metadata or {})


PICTURE = skimage.data.astronaut()[:150, :300]


@pytest.mark.parametrize("mode", ["squash", "crop"])
def test_a_scale_of_the_whole_is_another_size_trained_on(segmenter, mode):
    scaled = detector(segmenter, size=64, resize_mode=mode).maps(PICTURE, scales=[1.5])
    larger = detector(segmenter, size=96, resize_mode=mode).maps(PICTURE)
    other = detector(segmenter, size=90, resize_mode=mode).maps(PICTURE)
    for name, values in larger.items():
        # OpenCV rounds bilinear interpolation otherwise than the graph: some pixels are a level apart.
        np.testing.assert_allclose(scaled[name], values, atol=0.12 * np.ptp(values))
        assert np.abs(scaled[name] - values).mean() < 0.2 * np.abs(other[name] - values).mean()


@pytest.mark.parametrize("size", [112, 288, 300])
def test_sizes_are_whole_strides_from_the_size_trained_on(segmenter, size):
    module = DetectorModule(segmenter, size=size, resize_mode="crop")
    drawn = np.random.default_rng(0).integers(300, 5000, [40, 2]).tolist()
    for picture in ([560, 716], [546, 724], [400, 600], [600, 400], [1, 20], [13, 13], *drawn):
        seen = module.network_size(picture).numpy()
        assert seen.min() == size and not ((seen - size) % STRIDE).any()
        np.testing.assert_allclose(seen, size * np.array(picture) / min(picture), atol=STRIDE / 2)
        np.testing.assert_array_equal(module.network_size(seen), seen)  # what `portable` relies upon


def test_features_lie_elsewhere_where_a_side_is_another_by_the_stride(segmenter):
    module = DetectorModule(segmenter)
    picture = np.random.default_rng(0).integers(0, 256, [64, 640, 3]).astype(np.uint8)
    moments = module.moments(picture)
    long, shorter, displaced = (
        module.window(picture[:, :width], moments)["probability"].numpy()[:, :300] for width in (640, 632, 633)
    )
    np.testing.assert_allclose(shorter, long, atol=1e-6)
    assert np.abs(displaced - long).mean() > 0.1 * long.std()


def test_scaled_sizes_are_whole_strides_from_the_size_trained_on(segmenter, monkeypatch):
    seen = []
    monkeypatch.setattr(looking, "native", lambda module, picture: seen.append(picture.shape[:2]) or {})
    module = DetectorModule(segmenter, size=300, resize_mode="crop")
    for scale in (0.1, 0.75, 1.35):
        maps_at(module, np.zeros([200, 300, 3], np.uint8), "whole", [scale])
    assert seen == [(28, 44), (228, 340), (404, 612)]


def test_a_scale_of_the_picture_is_a_resized_picture(segmenter):
    small = detector(segmenter)
    half = small.maps(PICTURE, resolution="tile", scales=[0.5])["probability"]
    pixels = tf.cast(tf.round(tf.image.resize(PICTURE, [75, 150])), tf.uint8).numpy()
    expected = tf.image.resize(small.maps(pixels, resolution="tile")["probability"][..., np.newaxis], [150, 300])
    np.testing.assert_allclose(half, expected[..., 0], atol=0.12 * np.ptp(half))


@pytest.mark.parametrize("way", resolution.RESOLUTIONS)
def test_maps_are_averaged_over_scales(segmenter, way):
    small = detector(segmenter, size=48)
    one, two, both = (small.maps(PICTURE, resolution=way, scales=s) for s in ([1.0], [0.7], [1.0, 0.7]))
    for name, values in both.items():
        np.testing.assert_allclose(values, (one[name] + two[name]) / 2, atol=1e-7)
    assert np.abs(one["probability"] - two["probability"]).max() > 1e-5


def test_a_long_picture_is_seen_whole_at_every_scale(segmenter, monkeypatch):
    long = np.tile(PICTURE[:30], (1, 2, 1))  # 30x600; at 1.5 times a short side of 48 longer than a window
    small = detector(segmenter, size=48, resize_mode="crop")
    expected = detector(segmenter, size=72, resize_mode="crop").maps(long)["probability"]
    monkeypatch.setattr(looking, "tile", None)
    found = small.maps(long, scales=[1.5])["probability"]
    np.testing.assert_allclose(found, expected, atol=0.12 * np.ptp(expected))


def test_of_the_whole_no_more_pixels_are_seen_at_once_than_a_window_has(segmenter, monkeypatch):
    monkeypatch.setattr(looking, "LAYOUT", Layout(side=72))
    monkeypatch.setattr(looking, "native", lambda module, picture: {"native": np.ones(picture.shape[:2])})
    monkeypatch.setattr(looking, "tile", lambda module, picture: {"tile": np.ones(picture.shape[:2])})
    small = DetectorModule(segmenter, size=48)
    assert [*maps_at(small, PICTURE, "whole", [1.5]), *maps_at(small, PICTURE, "whole", [1.7])] == ["native", "tile"]
    assert [*maps_at(small, PICTURE[:60, :60], "tile", [0.5])] == ["tile"]


@pytest.mark.parametrize("shape", [(20, 1000), (1, 21), (300, 12)])
def test_a_sliver_is_refused_where_its_short_side_would_be_brought_to_the_networks(segmenter, shape):
    sliver = np.zeros([*shape, 3], np.uint8)
    with pytest.raises(
        PictureError, match=f"^{shape[1]}x{shape[0]} pixels; expected the long side .* at most 20 times"
    ):
        detector(segmenter, size=48, resize_mode="crop").segment(sliver)
    assert detector(segmenter, size=48).segment(sliver).map.shape == shape
    assert detector(segmenter, size=48, resize_mode="crop").segment(sliver, resolution="tile").map.shape == shape


def test_a_model_has_scales_of_its_own_for_whole_pictures(segmenter):
    plain, several = detector(segmenter, size=48), detector(segmenter, size=48, metadata={"scales": [0.5, 1.0]})
    for own, asked in (
        (several.segment(PICTURE), plain.segment(PICTURE, scales=[0.5, 1.0])),
        (several.segment(PICTURE, scales=[1.0]), plain.segment(PICTURE)),
        (several.segment(PICTURE, resolution="tile"), plain.segment(PICTURE, resolution="tile")),
    ):
        np.testing.assert_array_equal(own.map, asked.map)
    assert np.abs(several.segment(PICTURE).map - plain.segment(PICTURE).map).max() > 1e-5


def test_segment_passes_them_on(segmenter):
    small = detector(segmenter, size=48)
    found = small.segment(PICTURE, resolution="tile", scales=[0.5, 1])
    np.testing.assert_array_equal(found.map, small.maps(PICTURE, resolution="tile", scales=[0.5, 1])["probability"])
    assert np.abs(found.map - small.segment(PICTURE).map).max() > 1e-5


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"resolution": "tiles"}, "--resolution=tiles: expected one of whole, tile"),
        ({"scales": []}, "--scales=: expected one or more"),
        ({"scales": [1, 0]}, "--scales=1,0: expected .* from 0.1 to 4"),
        ({"scales": [9]}, "--scales=9: "),
        ({"scales": [float("nan")]}, "--scales=nan: "),
        ({"scales": [1, 1]}, "different factors"),
    ],
)
def test_what_cannot_be_is_refused(segmenter, settings, message):
    with pytest.raises(ResolutionError, match=message):
        detector(segmenter).maps(PICTURE, **settings)


def test_a_scaled_picture_of_too_many_pixels_is_refused(segmenter, monkeypatch):
    monkeypatch.setattr(looking, "MAX_PIXELS", 60_000)
    small = detector(segmenter)
    assert small.maps(PICTURE, resolution="tile", scales=[1.1])
    with pytest.raises(PictureTooLarge, match="--scales=1.2: 360x180 pixels, more than the limit of 60,000"):
        small.maps(PICTURE, resolution="tile", scales=[1.2])


@pytest.mark.parametrize("on_gpu", [False, True])
def test_without_memory_for_its_tensor_a_picture_ends_in_an_error(segmenter, monkeypatch, on_gpu):
    """And not the process, which `tf.constant` ends where it gets the first of its two copies alone."""
    monkeypatch.setattr(looking, "go_together", lambda module: on_gpu)
    monkeypatch.setattr("gsr_tf.inference.module.can_have", lambda size: size < 2 * PICTURE.nbytes)
    small = detector(segmenter, size=64)
    with pytest.raises(MemoryError, match="135,000 bytes"):
        small.maps(PICTURE)
    assert small.maps(PICTURE[:-1])["probability"].shape == (149, 300)


def test_a_model_without_windows_says_what_to_do():
    plain = Detector(lambda picture: {"probability": tf.zeros([*picture.shape[:2], 1])}, name="old", metadata={})
    assert plain.maps(PICTURE)["probability"].shape == PICTURE.shape[:2]
    for settings in ({"resolution": "tile"}, {"scales": [1, 2]}):
        with pytest.raises(ResolutionError, match="export it again"):
            plain.maps(PICTURE, **settings)


def test_words_to_scales():
    assert parse_scales(None) is None and parse_scales(["1"]) == (1.0,) and parse_scales(["2", "0.5"]) == (0.5, 2.0)
    with pytest.raises(ResolutionError, match="--scales=1,x: expected numbers"):
        parse_scales(["1", "x"])


@pytest.fixture(name="saved", scope="module")
def _saved(segmenter, tmp_path_factory):
    """The folder of a detector with scales of its own."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    saved_model.save(DetectorModule(segmenter, size=48), folder, {"scales": [0.5, 1.0]})
    return folder


@pytest.mark.slow
def test_what_was_saved_sees_the_same_and_is_named_by_how_it_looks(saved, segmenter):
    network, path = DetectorModule(segmenter, size=48), str(saved)
    plain, tiled = (
        methods.from_flags(path, None, **how)
        for how in ({"scales": (1.0,)}, {"resolution": "tile", "scales": (1.0, 4.0)})
    )
    assert (plain.name, tiled.name) == ("model", "model tile 1,4")
    assert tiled.fingerprint == plain.fingerprint + " tile 1,4"
    expected = maps_at(network, PICTURE, "tile", (1.0, 4.0))["probability"]  # 1,200 pixels wide: in windows
    np.testing.assert_allclose(tiled(PICTURE), expected, atol=1e-6)


@pytest.mark.slow
def test_what_was_saved_keeps_its_own_scales(saved, segmenter):
    path = str(saved)
    own, one = methods.from_flags(path, None), methods.from_flags(path, None, scales=[1.0])
    assert (own.name, one.name) == ("model 0.5,1", "model")
    expected = detector(segmenter, size=48).maps(PICTURE, scales=[0.5, 1.0])["probability"]
    np.testing.assert_allclose(own(PICTURE), expected, atol=1e-6)
    assert np.abs(own(PICTURE) - one(PICTURE)).max() > 1e-5


def test_scores_in_another_precision_are_another_methods(segmenter, monkeypatch):
    small = detector(segmenter, size=48)
    monkeypatch.setattr(Detector, "load", lambda path: small)
    usual = methods.from_flags("small", None)
    small.precision = "bfloat16"
    other = methods.from_flags("small", None)
    assert (usual.name, other.name) == ("small", "small bfloat16")
    assert usual.fingerprint != other.fingerprint


def test_another_method_sees_pictures_in_its_own_way():
    assert describe("whole", [1]) == "" and describe("whole", [2]) == " 2"
    assert describe("tile", [1], "bfloat16") == " tile bfloat16"
    with pytest.raises(MethodError, match="--method=noi sees pictures as they are"):
        methods.from_flags(None, "noi", resolution="tile")
    with pytest.raises(MethodError, match="--precision are a model's"):
        methods.from_flags(None, "noi", precision="bfloat16")
