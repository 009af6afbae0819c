"""EXIF-consistency: its network, what two files have in common, its pairs of patches, its step, and that it learns."""

import dataclasses
import io
import math

import cv2
import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image

from gsr_tf.comparators.exif import processing
from gsr_tf.comparators.exif.attributes import ATTRIBUTES, PROCESSING, TAGS, in_common, tag_codes
from gsr_tf.comparators.exif.exif import EXIF, losses, to_range
from gsr_tf.comparators.exif.module import ConsistencyModule, features_of, pair_scorer
from gsr_tf.comparators.exif.network import HEAD, PAIR, TRUNK, PairDense, build_network
from gsr_tf.comparators.exif.pairs import Pairs, pair, pair_stream
from gsr_tf.comparators.exif.photographs import Photographs
from gsr_tf.comparators.exif.processing import Processing, draw, patch, recompressed
from gsr_tf.comparators.exif.settings import Answer, Network, Optimization, Patches
from gsr_tf.comparators.exif.weights import initialize_trunk, stored_variables
from gsr_tf.data.example import encode_example
from gsr_tf.data.records import COLUMNS, FRAME_AFTER, FRAME_BEFORE, RecordsError, open_records, write_index
from gsr_tf.evaluation import metrics
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError, load_npz
from tests.comparators import narrow_resnet, runs

TINY = Network(trunk="tiny", feature_channels=8, fc_channels=(16, 12, 8), same_channels=4)
MODEL = TAGS.index("Model")


def record_folder(folder, files):
    """Records of picture files, without masks: [bytes] -> opened records."""
    folder.mkdir(parents=True)
    columns, shard, position = {name: [] for name in COLUMNS}, folder / "00000-of-00001.tfrecord", FRAME_BEFORE
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for number, data in enumerate(files):
            record = encode_example(data, f"photo {number}")
            writer.write(record)
            width, height = Image.open(io.BytesIO(data)).size if data[:2] == b"\xff\xd8" else (64, 64)
            for name, value in zip(COLUMNS, (0, position, len(record), f"photo {number}", height, width, 0, 0)):
                columns[name].append(value)
            position += len(record) + FRAME_AFTER + FRAME_BEFORE
    size = shard.stat().st_size
    write_index(folder, shards=[{"file": shard.name, "records": len(files), "bytes": size}], columns=columns)
    return open_records(folder, "--target_records")


def jpeg(picture, quality=95, **tags):
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"Make": 271, "Model": 272}[name]] = value
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, exif=exif)
    return file.getvalue()


def pieces(name, side):
    """Tiles of a photograph, [side, side, 3]."""
    photograph = getattr(skimage.data, name)()
    for top in range(0, photograph.shape[0] - side + 1, side):
        for left in range(0, photograph.shape[1] - side + 1, side):
            yield np.ascontiguousarray(photograph[top : top + side, left : left + side])


# -------------------------------------------------------------------------------------------------- the network


def test_the_first_layer_of_a_pair_is_the_concatenations():
    one, other = (tf.random.stateless_uniform([5, 6], [0, seed], -1.0, 1.0) for seed in range(2))
    layer = PairDense(7)
    layer.build([None, 6])
    layer.bias.assign(tf.range(7.0))
    wanted = tf.matmul(tf.concat([one, other], axis=1), layer.kernel) + layer.bias
    np.testing.assert_allclose(layer(one, other), wanted, atol=1e-5)
    np.testing.assert_allclose(layer.first(one)[2] + layer.second(other), layer(tf.repeat(one[2:3], 5, 0), other), 1e-5)


def test_the_whole_network_has_the_papers_sizes():
    """ResNet-50 v2 without its top, 4,096 numbers a patch; 8,192 -> 4,096 -> 2,048 -> 1,024 -> 83; 83 -> 512 -> 1."""
    network = build_network(Network(), 128)
    counts = [
        sum(int(np.prod(v.shape)) for v in network.get_layer(name).trainable_weights) for name in (TRUNK, PAIR, HEAD)
    ]
    dense = lambda *sizes: sum((one + 1) * other for one, other in zip(sizes, sizes[1:]))  # noqa: E731
    trunk = 23_519_360  # of Keras's ResNet50V2
    assert counts == [trunk + dense(2048, 4096), dense(8192, 4096), dense(4096, 2048, 1024, 83, 512, 1)]
    assert len(TAGS) == len(set(TAGS)) == 80 and PROCESSING == ("re-JPEG", "blur", "resize")
    assert len(ATTRIBUTES) == 83 == network.output["attributes"].shape[-1]


def test_the_scores_of_all_pairs_are_the_networks():
    network = build_network(TINY, 16)
    patches = tf.random.stateless_uniform([4, 16, 16, 3], [0, 1], -1.0, 1.0)
    score = pair_scorer(network, network.get_layer(TRUNK)(patches, training=False))
    for number, row in enumerate(score(tf.range(4))):
        logits = network([tf.repeat(patches[number : number + 1], 4, axis=0), patches], training=False)["same"]
        np.testing.assert_allclose(row, tf.sigmoid(logits)[:, 0], atol=1e-6)


def test_a_detector_compares_the_patches_of_the_grid():
    """Each patch by its corner, 33 of them in two passes; a network of equal scores gives an even map."""
    network = build_network(TINY, 16)
    photograph = skimage.data.astronaut()
    corners = np.stack([3 * np.arange(33), 400 - 5 * np.arange(33)], axis=1)
    patches = np.stack([photograph[top : top + 16, left : left + 16] for top, left in corners])
    wanted = network.get_layer(TRUNK)(to_range(tf.constant(patches)), training=False)
    found = features_of(network, tf.constant(photograph), tf.constant(corners, tf.int32), 16)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    module = ConsistencyModule(network, size=16, answer=Answer(patches_across=4))
    picture = skimage.data.astronaut()[100:140, 100:156]
    assert module(tf.constant(picture))["probability"].shape == (40, 56, 1)
    for variable in network.get_layer(HEAD).variables:
        variable.assign(tf.zeros_like(variable))
    np.testing.assert_allclose(module(tf.constant(picture))["probability"], 0.5, atol=1e-4)


def test_weights_by_name_hold_the_moments_and_what_was_known(tmp_path):
    one, other = build_network(TINY, 16), build_network(TINY, 16)
    one.known.assign(tf.cast(tf.range(83) < 3, tf.float32))
    stored = stored_variables(one)
    stored["exif/conv_2_norm/moving_mean"].assign(tf.ones([16]))
    assert {"exif/fc_1/kernel", "exif/same/bias", "exif/known"} <= set(stored) and len(stored) == len(one.variables)
    np.savez(tmp_path / "w.npz", **{name: v.numpy() for name, v in stored.items()})
    load_npz(stored_variables(other), str(tmp_path / "w.npz"), "--initial_weights=w.npz")
    patches = tf.random.stateless_uniform([2, 16, 16, 3], [0, 1], -1.0, 1.0)
    np.testing.assert_array_equal(one([patches] * 2)["same"], other([patches] * 2)["same"])
    assert other.known.numpy().sum() == 3


def test_a_trunk_comes_in_from_keras_own_file(tmp_path, monkeypatch):
    """Its weights' names are Keras's."""
    narrow_resnet.put_in_place(monkeypatch)
    network = build_network(Network(feature_channels=4, fc_channels=(4,), same_channels=2), 32)
    resnet = keras.applications.ResNet50V2(include_top=False, weights=None)
    resnet.save_weights(str(tmp_path / "resnet.h5"))
    initialize_trunk(network, str(tmp_path / "resnet.h5"))
    mine = {v.name: v.numpy() for v in network.get_layer(TRUNK).weights}
    assert all(np.array_equal(mine[v.name], v.numpy()) for v in resnet.weights)
    with pytest.raises(WeightsError, match="--resnet50_weights=nowhere.h5: no such file. --resnet50_weights takes:"):
        initialize_trunk(network, "nowhere.h5")


# -------------------------------------------------------------------------------------------------- attributes


def test_tags_of_files_are_compared_by_value():
    picture = np.zeros([8, 8, 3], np.uint8)
    files = [jpeg(picture, Make="A", Model="1"), jpeg(picture, Make="A", Model="2"), jpeg(picture, Make="A")]
    one, other, without = map(tag_codes, files)
    common, known = in_common(one, other)
    make = TAGS.index("Make")
    assert (common[make], common[MODEL], known[make], known[MODEL], known.sum()) == (1, 0, 1, 1, 2)
    assert in_common(one, without)[1][MODEL] == 0
    assert not tag_codes(b"no picture").any()


def test_tags_within_the_exif_folder_are_read():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x8827] = 400
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    assert np.flatnonzero(tag_codes(file.getvalue())).tolist() == [TAGS.index("ISOSpeedRatings")]


# -------------------------------------------------------------------------------------------------- processing


def test_processing_is_in_common_half_of_the_time():
    random = np.random.default_rng(0)
    drawn = [draw(random, 1.0) for _ in range(2000)]
    for field in range(3):
        equal = [one[field] == other[field] for one, other in drawn]
        assert 0.45 < np.mean(equal) < 0.55
        alone = [one[field] is None or other[field] is None for one, other in drawn]
        assert 0.2 < np.mean(alone) < 0.3
    assert all(one == other == Processing() for one, other in (draw(random, 0.0) for _ in range(10)))
    half = [draw(random, 0.5) for _ in range(2000)]
    assert 0.45 < np.mean([one.blur is other.blur is None for one, other in half]) < 0.55


def test_a_patch_is_processed_by_hand():
    photograph = skimage.data.astronaut()
    even = np.full([64, 64, 3], 100, np.uint8)
    even[:, 32:] = 200
    random = np.random.default_rng(0)
    plain = patch(photograph, 32, Processing(), random)
    assert plain.shape == (32, 32, 3)
    assert any(np.array_equal(plain, w) for row in sliding(photograph, 32, plain) for w in row)
    columns = [patch(even, 48, Processing(blur=(15, 5)), random)[0, :, 0] for _ in range(3)]
    assert all(len(np.unique(x)) > 8 for x in columns)  # the edge of two levels is spread
    small = patch(photograph[:33, :33], 32, Processing(resize=(0.5, 0.5, cv2.INTER_AREA)), random)
    assert small.shape == (32, 32, 3)
    low, high = (patch(photograph[:39, :39], 32, Processing(quality=q), np.random.default_rng(1)) for q in (50, 100))
    exact = patch(photograph[:39, :39], 32, Processing(), np.random.default_rng(1))
    assert np.abs(low - exact.astype(int)).mean() > 3 * np.abs(high - exact.astype(int)).mean()


def test_what_is_drawn_is_the_releases():
    random = np.random.default_rng(0)
    drawn = [one for _ in range(1500) for one in draw(random, 1.0)]
    assert {one.quality for one in drawn} == {None, *range(50, 101, 5)}
    blurs, resizes = ({one[field] for one in drawn} - {None} for field in (1, 2))
    assert {side for side, _ in blurs} == {3, 5, 7, 9, 11, 13, 15} and {sigma for _, sigma in blurs} == {1, 2, 3, 4, 5}
    ratios = {round(ratio, 6) for resize in resizes for ratio in resize[:2]}
    assert ratios == {0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5}
    assert {how for *_, how in resizes} == set(processing.INTERPOLATIONS) and len(processing.INTERPOLATIONS) == 5


@pytest.mark.parametrize("ratios", [(0.5, 1.0), (1.0, 0.5), (1.5, 1.25)])
def test_a_resized_patch_shows_as_much_more_as_it_is_reduced(ratios):
    rows, columns = np.indices((110, 110))
    ramp = np.stack([2 * rows, 2 * columns, 0 * rows], -1).astype(np.uint8)
    found = patch(ramp, 32, Processing(resize=(*ratios, cv2.INTER_LINEAR)), np.random.default_rng(0)).astype(float)
    steps = (found[29, 16, 0] - found[2, 16, 0]) / 27, (found[16, 29, 1] - found[16, 2, 1]) / 27
    np.testing.assert_allclose(steps, 2 / np.array(ratios), rtol=0.05)


def test_blocks_of_a_jpeg_begin_anywhere_in_a_patch(monkeypatch):
    seen = []
    monkeypatch.setattr(processing, "recompressed", lambda found, quality: seen.append((found.shape, quality)) or found)
    for side in (64, 36):
        patch(np.zeros([side, 64, 3], np.uint8), 32, Processing(quality=70), np.random.default_rng(0))
    assert seen == [((39, 39, 3), 70), ((36, 39, 3), 70)]


def sliding(photograph, side, wanted):
    """Windows of a photograph whose first pixel is that of `wanted`."""
    for top, left in np.argwhere((photograph == wanted[0, 0]).all(axis=-1)):
        yield [photograph[top : top + side, left : left + side]]


# -------------------------------------------------------------------------------------------------- pairs


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Records of six photographs of three cameras, and one that is too small."""
    tiles = list(pieces("astronaut", 64))[:6]
    files = [jpeg(tile, Model=f"camera {number % 3}") for number, tile in enumerate(tiles)]
    return record_folder(tmp_path_factory.mktemp("records") / "photographs", [*files, jpeg(tiles[0][:32])])


def test_small_photographs_are_named_and_counted(photographs, capsys):
    found = Photographs(photographs, minimum_side=33, cache_gib=0.0)
    assert found.numbers == [0, 1, 2, 3, 4, 5]
    said = capsys.readouterr().out
    assert "1 of 7 pictures left out, the first photo 6: 64x32 pixels; EXIF-consistency needs at least 33" in said
    with pytest.raises(RecordsError, match="--target_records=.*: 0 pictures of at least 129 pixels a side"):
        Photographs(photographs, minimum_side=129, cache_gib=0.0)


def test_a_damaged_photograph_is_named_once_and_replaced(tmp_path, capsys):
    tiles = list(pieces("astronaut", 64))[:2]
    records = record_folder(tmp_path / "r", [b"no picture", *map(jpeg, tiles)])
    found = Photographs(records, minimum_side=33, cache_gib=1.0)
    for _ in range(2):
        pixels, codes, digest = found.read(0)
        assert np.abs(pixels - tiles[0].astype(int)).mean() < 5 and codes.shape == (80,)
        assert digest == found.digest(1)
    assert capsys.readouterr().out.count("skipped photo 0") == 1
    assert found.read(0, but=digest)[2] == found.read(1, but=digest)[2] == found.digest(2) != digest
    alone = Photographs(
        record_folder(tmp_path / "alone", [b"no picture", *[jpeg(tiles[0])] * 2]), minimum_side=33, cache_gib=1
    )
    with pytest.raises(RecordsError, match="all that can be decoded of its pictures are one; expected another"):
        alone.read(0, but=alone.read(1)[2])


def test_two_photographs_are_two_where_the_next_is_in_the_place_of_one(tmp_path):
    """Even photographs of five levels, two of them damaged, and one twice."""
    files = [jpeg(np.full([64, 64, 3], level, np.uint8)) for level in (40, 80, 120, 160, 200, 40)]
    files[1] = files[3] = b"no picture"
    found = Photographs(record_folder(tmp_path / "r", files), minimum_side=33, cache_gib=1.0)
    settings = Patches(input_size=32, processing_share=0.0)
    pairs = [pair(found, settings, number % 6, number) for number in range(200)]
    levels = [abs(float(one.mean()) - float(other.mean())) for one, other, *_ in pairs]
    assert all((level < 5) == bool(same) for level, (*_, same) in zip(levels, pairs))
    assert 0.4 < np.mean([bool(same) for *_, same in pairs]) < 0.6


def test_pairs_say_what_they_have_in_common(photographs):
    settings = Patches(input_size=32)
    found = Photographs(photographs, minimum_side=33, cache_gib=1.0)
    pairs = [pair(found, settings, number % 6, number) for number in range(400)]
    one, other, common, known, same = (np.stack(x) for x in zip(*pairs))
    assert one.shape == other.shape == (400, 32, 32, 3) and one.dtype == np.uint8
    assert known[:, MODEL].all() and known[:, 80:].all() and known.sum() == 400 * 4
    # Of one photograph in half; of the others one in five has the same camera.
    assert abs(common[:, MODEL].mean() - (0.5 + 0.5 / 5)) < 0.06
    assert abs(common[:, 80:].mean() - 0.75) < 0.05  # not done, or done alike
    assert abs(same.mean() - 0.5 * 0.75**3) < 0.06
    assert (same[:, 0] <= np.min(common[:, [MODEL, 80, 81, 82]], axis=1)).all()


def test_the_stream_goes_on_where_it_stopped(photographs):
    settings = Patches(input_size=32, seed=3)
    whole = list(pair_stream(photographs, settings, batch_size=2).take(4))
    later = list(pair_stream(photographs, settings, batch_size=2, start=2).take(2))
    for one, other in zip(whole[2:], later):
        assert all(np.array_equal(x, y) for x, y in zip(one, other))
    assert not np.array_equal(whole[0].one, whole[1].one)


# -------------------------------------------------------------------------------------------------- the step


def noise(count=4, side=16):
    random = np.random.default_rng(0)
    one, other = random.integers(0, 256, [2, count, side, side, 3]).astype(np.uint8)
    common, known = random.integers(0, 2, [2, count, 83]).astype(np.float32)
    return Pairs(*map(tf.constant, (one, other, common, known, random.integers(0, 2, [count, 1]).astype(np.float32))))


def test_losses_by_hand():
    logits = {"attributes": tf.constant([[0.0, 2.0, 9.0]]), "same": tf.constant([[1.0]])}
    batch = Pairs(None, None, tf.constant([[1.0, 0, 0]]), tf.constant([[1.0, 1, 0]]), tf.constant([[1.0]]))
    found = losses(logits, batch)
    assert float(found["loss/attributes"]) == pytest.approx((math.log(2) + math.log1p(math.exp(2))) / 2)
    assert float(found["loss/same"]) == pytest.approx(math.log1p(math.exp(-1)))
    nothing = losses(logits, batch._replace(known=tf.zeros([1, 3])))
    assert float(nothing["loss/attributes"]) == 0


def test_a_step_moves_every_weight_and_notes_what_was_known():
    net, batch = EXIF(TINY, Optimization(learning_rate=1e-2), 16), noise()
    batch = batch._replace(known=batch.known * tf.cast(tf.range(83) != 5, tf.float32))
    before = {name: v.numpy() for name, v in stored_variables(net.segmenter).items()}
    found = net.train_step(batch)
    still = {name for name, v in stored_variables(net.segmenter).items() if np.array_equal(v, before[name])}
    assert not still
    assert net.segmenter.known.numpy()[5] == 0 and net.segmenter.known.numpy().sum() > 60
    assert set(found) == {"loss/attributes", "loss/same", "loss/segmenter"}
    assert int(net.step) == 1 and net.train_step.experimental_get_tracing_count() == 1
    net.train_step(batch._replace(known=tf.zeros_like(batch.known)))
    assert net.segmenter.known.numpy().max() == 1 == int(net.step) - 1


def test_attributes_learn_nothing_from_same():
    network, batch = build_network(TINY, 16), noise()
    with tf.GradientTape() as tape:
        same = tf.reduce_sum(network([to_range(batch.one), to_range(batch.other)], training=True)["same"])
    gradients = dict(
        zip((v.name for v in network.trainable_variables), tape.gradient(same, network.trainable_variables))
    )
    assert {name for name, gradient in gradients.items() if gradient is not None} == {
        *("same_1/kernel:0", "same_1/bias:0", "same/kernel:0", "same/bias:0")
    }


def test_two_replicas_are_one(two_replicas):
    """As far as it goes: each has moments of its own."""
    with two_replicas.scope():
        net = EXIF(TINY, Optimization(), 16)
    stream = tf.data.Dataset.from_tensor_slices(noise()).batch(4)
    found = net.train_step(next(iter(two_replicas.experimental_distribute_dataset(stream))))
    assert all(math.isfinite(float(value)) for value in found.values()) and net.step.numpy() == 1
    np.testing.assert_array_equal(net.segmenter.known.numpy(), tf.reduce_max(noise().known, axis=0))


def test_of_two_replicas_an_attribute_weighs_as_much_as_of_one(two_replicas):
    """Three are known on the one, one on the other."""
    known = tf.constant([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    batch = noise()._replace(common=tf.eye(2, 3), known=known, same=tf.constant([[0.0], [1.0]]))
    logits = {"attributes": tf.constant([[0.5, -1.0, 2.0], [1.0, -2.0, 0.0]]), "same": tf.constant([[1.0], [-0.5]])}

    def gradients(logits, batch):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = tf.add_n([*losses(logits, batch).values()])
        return tape.gradient(total, logits)

    def share(context):
        mine = lambda x: x[context.replica_id_in_sync_group :][:1]  # noqa: E731
        parts = {name: mine(x) for name, x in logits.items()}
        return parts, batch._replace(**{name: mine(getattr(batch, name)) for name in ("common", "known", "same")})

    def mine():
        return gradients(*share(tf.distribute.get_replica_context()))

    wanted, found = gradients(logits, batch), tf.function(lambda: two_replicas.run(mine))()
    for name, gradient in wanted.items():
        halves = tf.concat(two_replicas.experimental_local_results(found[name]), axis=0) / 2
        np.testing.assert_allclose(halves, gradient, atol=1e-6)


# -------------------------------------------------------------------------------------------------- it learns

SIDE = 48


def camera(picture, number):
    """A file of one of three made cameras: what it does to a picture, and its name in the tags."""
    if number == 1:
        picture = cv2.GaussianBlur(picture, (5, 5), 1.2)
    return jpeg(picture, (98, 90, 40)[number], Model=f"camera {number}")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A network that saw three photographs, in tiles, each taken by all three cameras."""
    tiles = [tile for name in ("astronaut", "coffee", "rocket") for tile in pieces(name, 128)]
    files = [camera(tile, number) for tile in tiles for number in range(3)]
    records = record_folder(tmp_path_factory.mktemp("records") / "cameras", files)
    keras.utils.set_random_seed(0)
    network = Network(trunk="tiny", feature_channels=32, fc_channels=(64, 32), same_channels=16)
    net = EXIF(network, Optimization(learning_rate=5e-3), SIDE)
    for batch in pair_stream(records, Patches(input_size=SIDE, processing_share=0.0), batch_size=48).take(150):
        net.train_step(batch)
    return net.segmenter


@pytest.mark.slow
def test_pairs_of_a_photograph_never_seen_are_told_apart(learnt, tmp_path):
    files = [camera(tile, number) for tile in pieces("chelsea", 128) for number in range(3)]
    settings = Patches(input_size=SIDE, processing_share=0.0, seed=1)
    (batch,) = pair_stream(record_folder(tmp_path / "held", files), settings, batch_size=400).take(1)
    logits = learnt([to_range(batch.one), to_range(batch.other)], training=False)
    found, truth = logits["attributes"][:, MODEL].numpy() > 0, batch.common[:, MODEL].numpy() > 0
    assert (np.mean(found[truth]) + np.mean(~found[~truth])) / 2 > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("comparison", ["dense", "sparse"])
def test_a_splice_of_two_jpeg_qualities_is_found(learnt, comparison):
    photograph = np.ascontiguousarray(skimage.data.chelsea()[:300, :448])
    mask = np.zeros(photograph.shape[:2], bool)
    mask[80:208, 160:304] = True
    low, high = (recompressed(photograph, quality) for quality in (40, 98))
    module = ConsistencyModule(learnt, size=SIDE, answer=Answer(comparison=comparison))
    found = module(tf.constant(np.where(mask[..., np.newaxis], high, low)))["probability"][..., 0].numpy()
    assert metrics.f1(metrics.count(found, mask)).max() > 0.6 > 2.4 * 2 * mask.mean() / (1 + mask.mean())


@pytest.mark.parametrize("trunk", ["tiny", "resnet50"])
def test_bfloat16_keeps_the_losses(trunk, monkeypatch):
    narrow_resnet.put_in_place(monkeypatch)
    network = dataclasses.replace(TINY, trunk=trunk)
    runs.assert_bfloat16_keeps_the_losses(lambda: EXIF(network, Optimization(), 32), noise(side=32), within=0.05)


@pytest.mark.parametrize("trunk", ["tiny", "resnet50"])
def test_the_chief_of_several_workers_reads_alone(two_replicas, trunk, monkeypatch):
    narrow_resnet.put_in_place(monkeypatch)
    network = dataclasses.replace(TINY, trunk=trunk)
    runs.assert_the_chief_reads_alone(lambda: EXIF(network, Optimization(), 32), two_replicas)
