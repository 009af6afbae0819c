import dataclasses
import shutil
from collections import Counter

import cv2
import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.augment.retouching import Retouching
from gsr_tf.data.augmentation import augment, finish
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.example import parse_example
from gsr_tf.data.image_ops import resize, to_network_range
from gsr_tf.data.loading import Loader
from gsr_tf.data.pictures import PictureError, encode_png
from gsr_tf.data.pipeline import compose, readable, source_pairs, training_stream
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.randomness import visit
from gsr_tf.data.records import RecordsError, open_records
from tests import tiny
from tests.files import damage_record

SQUASH = Preparation(input_size=32, seed=3)
PAIRS = 7


def take(sources, targets, preparation, count, start=0, batch_size=1):
    """The first batches of a stream from `start`, as NumPy."""
    stream = training_stream(sources, targets, preparation, batch_size=batch_size, start=start)
    return [Batch(*(x if x is None else x.numpy() for x in batch)) for batch in stream.take(count)]


@pytest.fixture(scope="module")
def stream(sources, targets):
    """Two epochs, one pair a batch."""
    return take(sources, targets, SQUASH, 2 * PAIRS)


@pytest.fixture(scope="module")
def unflipped(sources, targets):
    return take(sources, targets, dataclasses.replace(SQUASH, flip=False), 2 * PAIRS)


def equal(one, other):
    return all(np.array_equal(x, y) for x, y in zip(one, other) if x is not None)


def pictures(batches, *names):
    """What each batch shows, as something that can be counted."""
    return [b"".join(getattr(batch, name).tobytes() for name in names) for batch in batches]


@pytest.mark.parametrize("mode", ["squash", "crop"])
def test_batches_have_static_shapes(sources, targets, mode):
    prepared = dataclasses.replace(SQUASH, resize_mode=mode)
    spec = training_stream(sources, targets, prepared, batch_size=2).element_spec
    assert [x.shape.as_list() for x in spec[:4]] == [[2, 32, 32, channels] for channels in (3, 1, 3, 3)]


def test_the_same_seed_gives_the_same_stream(stream, sources, targets):
    assert all(map(equal, stream, take(sources, targets, SQUASH, 2 * PAIRS)))


def test_another_seed_gives_another_stream(stream, sources, targets):
    other = take(sources, targets, dataclasses.replace(SQUASH, seed=4), PAIRS)
    assert pictures(other, "s") != pictures(stream[:PAIRS], "s")


def test_a_stream_started_late_goes_on_where_the_other_was(stream, sources, targets):
    resumed = take(sources, targets, SQUASH, 2, start=5, batch_size=2)
    for number, batch in enumerate(resumed):
        first, second = stream[10 + 2 * number : 12 + 2 * number]
        assert equal(batch[:4], [np.concatenate(pair) for pair in zip(first[:4], second[:4])])


def test_workers_have_their_rows_of_each_batch(stream, sources, targets):
    """Three workers of one replica, and two of two, in batches of six and of four."""
    for workers, replicas, size in ((3, 1, 6), (2, 2, 4)):
        rows = np.arange(14 // size * size).reshape(-1, workers, replicas, size // workers // replicas)[1:]
        for worker in range(workers):
            share = tf.distribute.InputContext(workers, worker, workers * replicas)
            own = training_stream(sources, targets, SQUASH, batch_size=size, start=1, share=share)
            assert own.cardinality() == tf.data.INFINITE_CARDINALITY  # else workers ask one another at every step
            expected = rows[:, worker].reshape(-1, rows.shape[-1])
            for batch, numbers in zip(own.take(len(expected)), expected):
                whole = [np.concatenate([stream[number][layer] for number in numbers]) for layer in range(4)]
                assert equal([x.numpy() for x in batch[:4]], whole)


def test_an_epoch_visits_every_pair_once_and_the_next_in_another_order(unflipped):
    visits = pictures(unflipped, "s", "k")
    first, second = visits[:PAIRS], visits[PAIRS:]
    assert len(set(first)) == PAIRS
    assert set(second) == set(first)
    assert second != first


@pytest.mark.parametrize("count", [20, 1000])
def test_orders_are_others_in_every_epoch_and_for_every_seed(count):
    """TensorFlow's shuffle alone has one order every 256 epochs, and for seeds that are 32 apart."""
    order = tf.function(
        lambda epoch, seed: tf.map_fn(lambda i: visit(epoch * count + i, count, seed, 0), tf.range(20, dtype=tf.int64))
    )
    drawn = [(epoch, 0) for epoch in (0, 1, 256, 512, 1024)] + [(0, seed) for seed in (1, 32, 64, 8192)]
    orders = {tuple(order(tf.constant(epoch, tf.int64), seed).numpy()) for epoch, seed in drawn}
    assert len(orders) == len(drawn) and all(len(set(one)) == 20 for one in orders)


def test_every_target_is_visited_once_an_epoch(unflipped):
    visits = pictures(unflipped, "t")
    assert len(set(visits[:6])) == len(set(visits)) == 6


def test_a_picture_never_meets_itself(sources):
    alone = dataclasses.replace(SQUASH, flip=False)
    batches = take(sources, sources, alone, 5 * PAIRS)
    assert all(not np.array_equal(batch.s, batch.t) for batch in batches)
    assert set(pictures(batches, "t")) == set(pictures(batches, "s"))


def test_nor_does_it_in_other_records_under_another_name(tmp_path, sources):
    """The same files in another order, among others."""
    others = tiny.write_records(tmp_path / "others", [*tiny.authentic()[:1], *tiny.manipulated()[::-1]])
    for target_size in (0, 32):
        alone = dataclasses.replace(SQUASH, flip=False, target_size=target_size)
        batches = take(sources, others, alone, 10 * PAIRS)
        assert all(batch.k.any() and not np.array_equal(batch.s, batch.t) for batch in batches)
        assert len(set(pictures(batches, "t"))) == 7


SLIVER = tiny.Example(np.full((8, 400, 3), 90, np.uint8), (np.ones((8, 400), bool),))


@pytest.fixture(scope="module")
def with_sliver(tmp_path_factory):
    """Records of three S, between which there is one, the second, that cannot be loaded in crop mode."""
    first, *others = tiny.manipulated()[:3]
    return tiny.write_records(tmp_path_factory.mktemp("records") / "r", [first, SLIVER, *others])


def test_nor_where_the_next_picture_is_in_the_place_of_one(with_sliver):
    batches = take(with_sliver, with_sliver, CROP, 100)
    assert all(batch.k.any() and not np.array_equal(batch.m, batch.s) for batch in batches)


def test_a_copy_move_pastes_within_the_picture_that_is_in_the_place_of_one(tmp_path):
    """S's place is taken by the next picture with a mask; T's would be by the one before that."""
    grey = [np.full((48, 64, 3), level, np.uint8) for level in (50, 100, 150)]
    mask = (tiny.square(0, (48, 64)),)
    examples = [tiny.Example(grey[0], mask), SLIVER, tiny.Example(grey[1]), tiny.Example(grey[2], mask)]
    records = tiny.write_records(tmp_path / "r", examples)
    batches = take(records, records, dataclasses.replace(CROP, flip=True, copy_move_share=1.0), 40)
    assert all(np.array_equal(batch.s, batch.t) for batch in batches)
    assert len(set(pictures(batches, "s"))) == 2


def test_a_picture_meets_all_others_alike(sources):
    (batch,) = take(sources, sources, dataclasses.replace(SQUASH, flip=False), 1, batch_size=1400)
    met = Counter((s.tobytes(), t.tobytes()) for s, t in zip(batch.s, batch.t))
    visits = Counter(s.tobytes() for s in batch.s)
    assert len(met) == 6 * 5 and all(0.12 < count / visits[s] < 0.28 for (s, _), count in met.items())


def is_own_picture(batch):
    """Whether T is S or its mirror image."""
    return any(np.array_equal(batch.t, s) for s in (batch.s, batch.s[:, :, ::-1]))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_copy_move_pastes_within_one_picture(sources, share):
    batches = take(sources, sources, dataclasses.replace(SQUASH, copy_move_share=share), 60)
    own = [is_own_picture(batch) for batch in batches]
    assert np.mean(own) == pytest.approx(share, abs=0.2 if 0 < share < 1 else 0)
    assert all(pasted_elsewhere(batch) for batch, moved in zip(batches, own) if moved)


def pasted_elsewhere(batch):
    """Whether M differs from T where K is, as it does not where a region is pasted where it was."""
    return not np.array_equal(batch.m * batch.k, batch.t * batch.k)


@pytest.mark.parametrize("short_side", [32, 33, 48])
def test_a_copy_move_whose_window_is_where_ss_is_is_mirrored(sources, short_side):
    windows = dataclasses.replace(SQUASH, resize_mode="crop", short_side=short_side, copy_move_share=1.0)
    batches = take(sources, sources, windows, 40)
    assert all(map(pasted_elsewhere, batches))


def test_what_is_validated_on_has_regions_and_their_own_tones(sources):
    changes = {"retouching": Retouching(authentic_share=0.5), "gamma": 2.0, "shape_share": 0.5, "copy_move_share": 0.5}
    changes |= {"paste_scale": (0.5, 0.5), "paste_rotation": 60.0}
    still = dataclasses.replace(SQUASH, **changes).unmoved()
    plain = dataclasses.replace(SQUASH, flip=False)
    assert all(map(equal, take(sources, sources, still, 10), take(sources, sources, plain, 10)))
    assert all(batch.k.any() for batch in take(sources, sources, still, PAIRS))


def test_copy_moves_need_one_set_of_pictures(sources, targets):
    with pytest.raises(RecordsError, match=f"{targets.path}: --copy_move_share=0.1 .*expected the records of"):
        training_stream(sources, targets, dataclasses.replace(SQUASH, copy_move_share=0.1), batch_size=1)


def test_m_is_copy_pasted_from_what_is_shown(stream):
    for batch in stream:
        assert 0 < batch.k.mean() < 0.5
        np.testing.assert_array_equal(batch.m, copy_paste(batch.s, batch.k, batch.t))


def test_an_example_is_the_same_inside_tf_data():
    example, target = tiny.manipulated()[1], tiny.tile(8)
    for preparation in (SQUASH, dataclasses.replace(SQUASH, resize_mode="crop")):
        source, t = loaded(example, target, preparation)
        stream = tf.data.Dataset.from_tensors((source, t, np.int64(12)))
        stream = stream.map(lambda *x, p=preparation: augment(*x, p)).batch(1)
        (mapped,) = stream.map(lambda *x, p=preparation: compose(*x, p))
        assert equal([x[0] for x in mapped[:4]], composed(example, target, preparation, i=12)[:4])


def mirrored(shown, unmirrored):
    """Whether a picture is the other's mirror image, and not the other."""
    assert np.array_equal(shown, unmirrored) != np.array_equal(shown, unmirrored[:, :, ::-1])
    return not np.array_equal(shown, unmirrored)


def test_flips(stream, unflipped):
    source = [mirrored(a.s, b.s) for a, b in zip(stream, unflipped)]
    target = [mirrored(a.t, b.t) for a, b in zip(stream, unflipped)]
    assert source == [mirrored(a.k, b.k) for a, b in zip(stream, unflipped)]
    assert {(s, t) for s, t in zip(source, target)} == {(s, t) for s in (False, True) for t in (False, True)}


def test_about_half_of_the_elements_are_flipped(sources, targets):
    tiny_batches = take(sources, targets, dataclasses.replace(SQUASH, input_size=16), 1, batch_size=400)[0]
    plain = take(sources, targets, dataclasses.replace(SQUASH, input_size=16, flip=False), 1, batch_size=400)[0]
    for flipped in ((tiny_batches[n] != plain[n]).any(axis=(1, 2, 3)).mean() for n in (0, 2)):
        assert 0.4 < flipped < 0.6


class Memory:
    """Records of one example that were never written."""

    path = "memory"

    def __init__(self, example):
        self._serialized = tiny.serialized("a tile", example)

    def __len__(self):
        return 1

    def example(self, _):
        return parse_example(self._serialized)


def loaded(example, target, preparation, number=0, with_original=False):
    """What the loader gives of pictures in memory: (S, K and maybe the original), T."""
    settings = {"size": preparation.loaded_size, "resize_mode": preparation.resize_mode}
    _, source = Loader(Memory(example), **settings).source(np.array([[0, number]]), 0, with_original)
    if preparation.target_size:
        settings = {"size": preparation.target_size, "resize_mode": "squash"}
    t, _ = Loader(Memory(tiny.Example(target)), **settings).picture(0)
    return tuple(map(tf.constant, source)), tf.constant(t)


def composed(example, target, preparation, number=0, i=0, with_original=False, half_pixel=True):
    """One composed example of pictures in memory."""
    layers = loaded(example, target, preparation, number, with_original)
    source, t = augment(*layers, tf.constant(i, tf.int64), preparation)
    batch = compose(tuple(layer[None] for layer in source), t[None], preparation, half_pixel=half_pixel)
    return Batch(*(x if x is None else x[0] for x in batch))


STILL = Preparation(input_size=32, flip=False)
FEATHER = Retouching(feather=1.0)


def test_squash_is_opencvs_resize_and_a_threshold():
    example, t = tiny.manipulated()[1], tiny.tile(8)
    batch = composed(example, t, STILL)
    for found, picture in ((batch.s, example.picture), (batch.t, t)):
        expected = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(found, to_network_range(expected))
    mask = cv2.resize(255 * example.masks[0].astype(np.uint8), (32, 32), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(batch.k[..., 0], mask > 50)


def test_a_mask_as_bright_as_the_threshold_is_authentic():
    """Of 255: 50 is not above 50, the release's threshold; 51 is. Retouched examples too."""
    k = np.tile(np.uint8([49, 50, 51, 255]), (32, 8))[..., None]
    s = t = np.zeros((32, 32, 3), np.uint8)
    (_, finished), *_ = finish((s, k), t, tf.constant(0, tf.int64), dataclasses.replace(STILL, retouching=FEATHER))
    np.testing.assert_array_equal(compose((s[None], k[None]), t[None], STILL).k[0], k > 50)
    np.testing.assert_array_equal(finished == 255, k > 50)


def test_the_mask_that_is_asked_for_is_k():
    example = tiny.manipulated()[5]
    first, second = (composed(example, tiny.tile(8), STILL, number=n).k.numpy() for n in (0, 1))
    np.testing.assert_array_equal(first, second[::-1])
    assert not np.array_equal(first, second)


def test_the_target_goes_through_its_stored_size():
    t = tiny.tile(7)
    preparation = dataclasses.replace(STILL, target_size=24)
    stored = cv2.resize(t, (24, 24), interpolation=cv2.INTER_LINEAR)
    expected = to_network_range(resize(tf.constant(stored), [32, 32], half_pixel=False))
    found = composed(tiny.manipulated()[0], t, preparation, half_pixel=False)
    np.testing.assert_allclose(found.t, expected, atol=1e-3)


def test_the_original_is_prepared_as_s_is():
    for i in range(4):
        batch = composed(tiny.manipulated()[1], tiny.tile(8), SQUASH, i=i, with_original=True)
        around = tf.nn.max_pool2d(batch.k[None], 3, 1, "SAME")[0].numpy()
        np.testing.assert_array_equal(np.where(around, 0, batch.a), np.where(around, 0, batch.s))
        assert np.abs(batch.a - batch.s)[batch.k[..., 0] == 1].mean() > 10


CROP = dataclasses.replace(STILL, resize_mode="crop")


def test_a_crop_keeps_the_aspect_ratio():
    """A picture whose columns count up, at twice the network's height: every window steps by two a column."""
    ramp = np.broadcast_to(np.arange(0, 200, dtype=np.uint8)[None, :, None], (64, 200, 3))
    windows = [composed(tiny.manipulated()[0], ramp, CROP, i=i).t.numpy() for i in range(8)]
    for window in windows:
        np.testing.assert_allclose(np.diff(window, axis=1), 2, atol=1e-3)
        np.testing.assert_allclose(window - window[:1], 0, atol=1e-3)
    assert len({float(window[0, 0, 0]) for window in windows}) > 4


def test_a_crop_holds_a_pixel_of_the_mask():
    picture = np.zeros((32, 400, 3), np.uint8)
    mask = np.zeros((32, 400), bool)
    mask[10:12, 391:395] = mask[5:7, 20:22] = True
    seen = [composed(tiny.Example(picture, (mask,)), tiny.tile(8), CROP, i=i).k.numpy() for i in range(20)]
    assert all(k.any() for k in seen)
    assert {int(k.sum()) for k in seen} == {4, 8}


def shown_regions(mask, preparation):
    example = tiny.Example(np.zeros((*mask.shape, 3), np.uint8), (mask,))
    return [composed(example, np.zeros((80, 100, 3), np.uint8), preparation, i=i).k.numpy()[..., 0] for i in range(20)]


def test_a_crop_holds_the_whole_region_where_it_fits_in():
    whole = dataclasses.replace(CROP, short_side=80, whole_regions=True)
    mask = np.zeros((80, 100), bool)
    mask[30:40, 40:70] = True
    shown = shown_regions(mask, whole)
    assert {int(k.sum()) for k in shown} == {300}  # 10 rows, 30 of 32 columns
    assert len({k.tobytes() for k in shown}) > 10  # and not at one place
    mask[30:75] = mask[30]
    cut = shown_regions(mask, whole)  # 45 rows do not fit in
    assert {int(k.any(0).sum()) for k in cut} == {30}
    assert 0 < min(k.any(1).sum() for k in cut) < max(k.any(1).sum() for k in cut) <= 32
    assert len({int(k.sum()) for k in shown_regions(mask, dataclasses.replace(whole, whole_regions=False))}) > 10


def test_a_crop_of_an_empty_mask_is_any_window():
    example = tiny.Example(tiny.tile(0), (np.zeros((48, 64), bool),))
    assert not composed(example, tiny.tile(8), CROP).k.numpy().any()


def test_records_that_cannot_be_trained_on(tmp_path, sources, targets):
    with pytest.raises(RecordsError, match="--records=.*: no pictures with a mask among its 6 records"):
        training_stream(targets, targets, SQUASH, batch_size=1)
    without = tiny.write_records(tmp_path / "a", [tiny.manipulated()[0]._replace(original=None)])
    with pytest.raises(RecordsError, match="their own authentic original among its 1 records"):
        source_pairs(without, with_original=True)
    with pytest.raises(RecordsError, match="--records=.*: 1 pictures; at least 2 are needed"):
        training_stream(sources, without, SQUASH, batch_size=1)


def test_decoded_pictures_are_kept_while_they_fit(sources, targets):
    for gib, kept in ((0.0, 0), (1.0, 6), (4 * 32 * 32 * 3 / 2**30, 4)):
        loader = Loader(targets, size=32, resize_mode="squash", cache_gib=gib)
        first = [loader.picture(n)[0] for n in range(6)]
        again = [loader.picture(n)[0] for n in range(6)]
        assert sum(one is other for one, other in zip(first, again)) == kept
        assert equal(first, again)


def test_an_undecodable_picture_is_named_and_the_next_takes_its_place(tmp_path, capsys):
    good, bad = tiny.authentic()[:2], tiny.serialized("bad tile", tiny.authentic()[2])
    records = tiny.write_records(tmp_path / "records", [*good, tiny.authentic()[2]])
    loader = Loader(records, size=32, resize_mode="squash")
    read = records.read
    damaged = bad.replace(encode_png(tiny.authentic()[2].picture)[:16], b"not a PNG at all")
    object.__setattr__(records, "read", lambda n: damaged if n == 2 else read(n))
    for _ in range(2):
        np.testing.assert_array_equal(loader.picture(2)[0], loader.picture(0)[0])
        assert [loader.picture(n)[1] for n in range(3)] == [True, True, False]
    assert list(loader.unreadable) == ["bad tile"]
    assert capsys.readouterr().out.count("bad tile") == 1
    object.__setattr__(records, "read", lambda n: damaged)
    with pytest.raises(RecordsError, match="not one of its pictures"):
        loader.picture(0)


def test_in_the_place_of_a_picture_that_it_must_not_be_there_is_the_next(sources, tmp_path):
    loader = Loader(sources, size=32, resize_mode="squash", cache_gib=1.0)
    for _ in range(2):
        (first, _), (second, _) = loader.picture(0), loader.picture(1)
        for but, expected in enumerate([second, first]):
            found, whole = loader.picture(0, but=loader.digest(but))
            np.testing.assert_array_equal(found, expected)
            assert whole
    alone = Loader(tiny.write_records(tmp_path / "r", tiny.authentic()[:1] * 2), size=32, resize_mode="squash")
    alone.picture(0)
    with pytest.raises(RecordsError, match="all that can be decoded of its pictures are one; expected another"):
        alone.picture(0, but=alone.digest(0))


def test_a_picture_damaged_since_its_preparation_is_named_and_skipped(tmp_path, sources, targets, capsys):
    damaged = shutil.copytree(targets.path, tmp_path / "damaged")
    damage_record(damaged, "tile 0")
    opened = open_records(damaged, "--target_records")
    stream = training_stream(sources, opened, SQUASH, batch_size=6)
    assert np.isfinite(next(readable(stream, [sources, opened])).t).all()
    assert capsys.readouterr().out.count("tile 0") == 1


def test_one_bit_of_another_level_is_damage_by_the_records_checksum(tmp_path, targets):
    damaged = open_records(shutil.copytree(targets.path, tmp_path / "damaged"))
    damage_record(damaged.path, "tile 3")
    assert [damaged.read(number) for number in (0, 5)] == [targets.read(number) for number in (0, 5)]
    with pytest.raises(PictureError, match="^tile 3: damaged since its preparation, by its checksum"):
        damaged.read(3)


def test_a_sliver_is_named_and_the_next_takes_its_place_where_its_aspect_is_kept(tmp_path, capsys):
    sliver = tiny.Example(np.zeros([8, 161, 3], np.uint8))
    records = tiny.write_records(tmp_path / "records", [sliver, tiny.authentic()[0]])
    assert Loader(records, size=32, resize_mode="squash").picture(0)[0].shape == (32, 32, 3)
    loader = Loader(records, size=32, resize_mode="crop")
    np.testing.assert_array_equal(loader.picture(0)[0], loader.picture(1)[0])
    assert "expected the long side to be at most 20 times the short one" in loader.unreadable["tile 0"]


def test_a_shard_that_is_gone_is_named(tmp_path, sources, targets):
    copy = shutil.copytree(targets.path, tmp_path / "gone")
    opened = open_records(copy, "--target_records")
    (shard,) = copy.glob("*.tfrecord")
    shard.unlink()
    with pytest.raises(RecordsError, match=rf"^--target_records={copy}: shard {shard.name} cannot be read any more"):
        next(readable(training_stream(sources, opened, SQUASH, batch_size=1), [sources, opened]))


def test_records_without_one_readable_picture_are_an_error_that_names_them(tmp_path, sources, targets):
    damaged = shutil.copytree(targets.path, tmp_path / "damaged")
    (shard,) = damaged.glob("*.tfrecord")
    shard.write_bytes(bytes(shard.stat().st_size))
    opened = open_records(damaged, "--target_records")
    with pytest.raises(RecordsError, match=rf"^--target_records={damaged}: not one of its pictures"):
        next(readable(training_stream(sources, opened, SQUASH, batch_size=1), [sources, opened]))
