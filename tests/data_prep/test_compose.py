import json

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep import compose, folder
from data_prep.compose import Recipe, draw_recipes
from tests.data_prep.pictures import all_bytes, mask, photo, read_all, skipped_of
from tests.files import damage_record


@pytest.fixture(name="root")
def _root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        photo(tmp_path / f"images/{number:03d}.png", size=(32, 24), seed=number)
        mask(tmp_path / f"masks/{number:03d}.png")
    for number in range(3):
        photo(tmp_path / f"others/t {number}.png", size=(50, 40), seed=10 + number)
    folder.main(["folder", "--images=images", "--masks=masks", "--output=sources", "--processes=1"])
    folder.main(["folder", "--images=others", "--output=targets", "--processes=1"])
    return tmp_path


def run(output, *flags):
    return compose.main(["compose", "--sources=sources", f"--output={output}", "--processes=1", *flags])


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_eq_1_in_whole_numbers():
    rng = np.random.default_rng(0)
    s, t = rng.integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)
    k = rng.integers(0, 2, (6, 8), dtype=np.uint8)
    m, _ = compose.compose(s, k, t)
    np.testing.assert_array_equal(m, k[..., None] * s + (1 - k[..., None]) * t)
    np.testing.assert_array_equal(compose.compose(s, np.zeros_like(k), t)[0], t)
    np.testing.assert_array_equal(compose.compose(s, np.ones_like(k), t)[0], s)


def test_pictures_masks_lists_and_records_agree(root):
    assert run("out", "--targets=targets", "--count=5") == 0
    decoded = read_all(root / "out/records")
    assert len(decoded) == 5
    for record in decoded:
        path = root / "out/Tp" / record["name"]
        m, k = np.asarray(Image.open(path)), np.asarray(Image.open(root / "out/Gt" / path.name).convert("L"))
        np.testing.assert_array_equal(record["image"], m)
        np.testing.assert_array_equal(record["masks"][0][..., 0], k)
        kind, source, target, *box, number = path.stem.split("_")
        assert (kind, number) == ("Tp", "0") and [int(value) for value in box] == [0, 0, 25, 20]
        t = np.asarray(Image.open(root / f"others/{target.replace('-', ' ')}.png"))
        s = cv2.resize(np.asarray(Image.open(root / f"images/{source}.png")), (50, 40), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(m[k == 0], t[k == 0])  # T is untouched where K = 0
        np.testing.assert_array_equal(m[k == 255], s[k == 255])
    listed = json.loads((root / "out/dataset.json").read_text())
    assert [row[0].removeprefix("out/Tp/") for row in listed] and len(listed) == 5


def test_pictures_whose_names_would_be_alike_give_composites_of_their_own(root):
    names = ["t.jpg", "t.png", "t_1.png", "t-1.png", "T.png", "t-2.png"]
    assert compose.identities(names) == ["t", "t-2", "t-1", "t-1-2", "T-3", "t-2-2"]
    for number, name in enumerate(names[:4]):
        photo(root / "alike" / name, size=(50, 40), seed=number)
    folder.main(["folder", "--images=alike", "--output=alike_records", "--processes=1"])
    assert run("out", "--targets=alike_records", "--count=16") == 0  # all that there are
    listed = [row[0] for row in json.loads((root / "out/dataset.json").read_text())]
    assert len(set(listed)) == 16 == len(list((root / "out/Tp").iterdir())) == len(read_all(root / "out/records"))


def test_the_seed_alone_decides(root):
    run("one", "--count=8")
    run("two", "--count=8", "--processes=2")
    run("three", "--count=8", "--seed=1")
    assert files(root / "one/Tp") == files(root / "two/Tp")
    assert all_bytes(root / "one/records") == all_bytes(root / "two/records")
    assert set(files(root / "one/Tp")) != set(files(root / "three/Tp"))


def test_started_again_it_ends_with_the_same_files(root):
    run("out", "--count=6")
    before = files(root / "out")
    for path in list((root / "out/Tp").iterdir())[:3]:
        path.unlink()
    assert run("out", "--count=6") == 0
    assert files(root / "out") == before


def test_a_folder_of_other_composites_is_left_alone(root, capsys):
    run("out", "--count=3")
    before = files(root / "out")
    assert run("out", "--count=4") == 1
    assert "holds other files" in capsys.readouterr().err
    assert files(root / "out") == before


def test_composites_of_another_version_are_left_alone(root, capsys, monkeypatch):
    monkeypatch.setattr(compose, "WRITER_VERSION", compose.WRITER_VERSION - 1)
    run("out", "--count=3")
    before = files(root / "out")
    monkeypatch.undo()
    monkeypatch.chdir(root)
    assert run("out", "--count=3") == 1
    assert "(composites.json is of other records or flags, or another version's)" in capsys.readouterr().err
    assert files(root / "out") == before


def test_a_composite_of_an_interrupted_run_whose_record_was_damaged_since_is_in_no_records(root, monkeypatch, capsys):
    monkeypatch.setattr(compose, "write_lists", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run("out", "--count=12") == 130
    monkeypatch.undo()
    monkeypatch.chdir(root)
    damage_record(root / "sources", "001.png")
    assert run("out", "--count=12") == 3
    assert "found 12 = kept 6 + skipped 6\n" in capsys.readouterr().out
    assert len(list((root / "out/Tp").iterdir())) == 12


def test_no_picture_is_pasted_into_itself_and_pairs_take_turns():
    pairs = np.array([[0, 0], [0, 1], [1, 0], [2, 0]])
    recipes = draw_recipes(pairs, ["a", "b", "c"], ["a", "b", "c"], 8, seed=3)
    assert len(set(recipes)) == 8 and all(recipe.source != recipe.target for recipe in recipes)
    assert recipes == draw_recipes(pairs, ["a", "b", "c"], ["a", "b", "c"], 8, seed=3)
    every = draw_recipes(pairs, ["a", "b", "c"], ["c"], 3, seed=0)
    assert sorted(every) == [Recipe(0, 0, 0), Recipe(0, 1, 0), Recipe(1, 0, 0)]


def test_a_copy_move_pastes_a_region_elsewhere_in_its_own_picture(root):
    assert run("out", "--count=4", "--copy_moves") == 0
    for path in (root / "out/Tp").iterdir():
        m, k = np.asarray(Image.open(path)), np.asarray(Image.open(root / "out/Gt" / path.name).convert("L"))
        _, source, target, *box, _ = path.stem.split("_")
        s = np.asarray(Image.open(root / f"images/{source}.png"))
        was = np.asarray(Image.open(root / f"masks/{source}.png").convert("L"))
        assert source == target and (k > 0).sum() == (was > 0).sum() and not np.array_equal(k, was)
        np.testing.assert_array_equal(m[k == 0], s[k == 0])
        np.testing.assert_array_equal(m[k == 255], s[was == 255])  # row by row, as both regions have one shape
        assert list(map(int, box[:2])) == [np.nonzero(k.any(axis))[0][0] for axis in (0, 1)]
    before = files(root / "out")
    assert run("out", "--count=4", "--copy_moves") == 0 and files(root / "out") == before
    assert run("out", "--count=4") == 1  # others


def test_a_region_moves_as_far_as_it_can_and_stays_inside():
    s, k = np.arange(600, dtype=np.uint8).reshape(10, 20, 3), np.zeros((10, 20), np.uint8)
    k[0:4, 0:5] = 1
    corners = {cv2.boundingRect(compose.move(s, k, np.random.default_rng(seed))[1]) for seed in range(40)}
    assert {corner[2:] for corner in corners} == {(5, 4)} and len(corners) > 20
    everywhere = np.ones_like(k)
    np.testing.assert_array_equal(compose.move(s, everywhere, np.random.default_rng(0))[0], s)


def test_a_region_with_one_other_place_goes_there():
    s, k = np.arange(600, dtype=np.uint8).reshape(10, 20, 3), np.zeros((10, 20), np.uint8)
    k[3, :19] = k[:, 7] = 1
    for seed in range(100):  # in some, all four places drawn are where the region is
        moved, to = compose.move(s, k, np.random.default_rng(seed))
        np.testing.assert_array_equal(to, np.roll(k, 1, 1))
        np.testing.assert_array_equal(moved[to == 1], s[k == 1])


def test_a_region_goes_to_the_farthest_of_the_first_four_places_unless_it_is_its_own():
    s, k = np.zeros((10, 20, 3), np.uint8), np.zeros((10, 20), np.uint8)
    k[1:9, 2:18] = 1
    places = [np.random.default_rng(seed).integers(0, (3, 5), (4, 2)) - (1, 2) for seed in range(40)]
    for seed, shifts in enumerate(places):
        farthest = shifts[np.argmax((shifts**2).sum(1))]
        moved = compose.move(s, k, np.random.default_rng(seed))[1]
        np.testing.assert_array_equal(moved, np.roll(k, farthest, (0, 1)))


def test_a_copy_move_that_changes_nothing_is_skipped_and_named(root, capsys):
    cross = np.zeros((24, 32), np.uint8)
    cross[11, :] = cross[:, 15] = 255
    Image.fromarray(cross).save(root / "masks/001.png")  # reaches all borders
    Image.new("RGB", (32, 24), (9, 9, 9)).save(root / "images/002.png")  # looks the same everywhere
    folder.main(["folder", "--images=images", "--masks=masks", "--output=some", "--processes=1"])
    assert run("out", "--sources=some", "--count=4", "--copy_moves") == 0
    assert "found 4 = kept 2 + skipped 2\n  skipped 2: the copy-move changes nothing\n" in capsys.readouterr().out
    assert set(skipped_of(root / "out/records")) == {"001.png#0", "002.png#0"}
    assert sorted(path.name[:10] for path in (root / "out/Tp").iterdir()) == ["Tp_000_000", "Tp_003_003"]
    assert len(json.loads((root / "out/dataset.json").read_text())) == 2
    before = files(root / "out")
    assert run("out", "--sources=some", "--count=4", "--copy_moves") == 0 and files(root / "out") == before
    (root / "images/000.png").unlink()
    (root / "images/003.png").unlink()
    folder.main(["folder", "--images=images", "--masks=masks", "--output=none", "--processes=1"])
    assert run("no", "--sources=none", "--count=2", "--copy_moves") == 1
    assert "error: --sources=none: of each of 2, the copy-move changes nothing: the region" in capsys.readouterr().err


@pytest.mark.parametrize(("damaged", "name"), [("sources", "001.png"), ("targets", "t 1.png")], ids=["S", "T"])
def test_composites_of_a_damaged_record_are_left_out_named_and_counted(root, capsys, damaged, name):
    flags = ("--targets=targets", "--count=12")  # each S on each T
    damage_record(root / damaged, name)
    assert run("out", *flags, "--processes=2") == 3
    lost = 3 if damaged == "sources" else 4
    counts = f"found 12 = kept {12 - lost} + skipped {lost}\n  skipped {lost}: a record cannot be read\n"
    assert counts in capsys.readouterr().out
    made = [path.name for path in (root / "out/Tp").iterdir()]
    assert len(made) == 12 - lost == len(json.loads((root / "out/dataset.json").read_text()))
    skipped = json.loads((root / "out/records/skipped.json").read_bytes())
    assert all(line["detail"].startswith(f"{name}: damaged since its preparation") for line in skipped)
    names = {line["name"] for line in skipped}
    assert names == ({"001.png#0"} if damaged == "sources" else {f"{number:03d}.png#0" for number in range(4)})


def test_where_every_composite_is_of_a_damaged_record_it_is_an_error(root, capsys):
    damage_record(root / "targets", "t 0.png")
    damage_record(root / "targets", "t 1.png")
    damage_record(root / "targets", "t 2.png")
    assert run("out", "--targets=targets", "--count=3") == 1
    said = capsys.readouterr().err
    assert "error: --sources=sources --targets=targets: of each of 3, a record cannot be read: t " in said
    assert "copy or prepare the set again" in said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--count=1000"], "allow 12 different composites at most"),
        (["--count=5", "--copy_moves"], "with --copy_moves these records allow 4 at most"),
        (["--targets=targets", "--copy_moves"], "--targets=targets: with --copy_moves T is S"),
        (["--targets=nowhere"], "--targets=nowhere: no such folder"),
        (["--sources=targets"], "no record has a mask"),
        (
            ["--count=3", "--output=my set"],
            "--output=my set: list.txt takes no space in a path; give a folder without one",
        ),
    ],
)
def test_wrong_input_gets_a_message(root, capsys, flags, message):
    assert run("out", *flags) == 1
    assert message in capsys.readouterr().err
