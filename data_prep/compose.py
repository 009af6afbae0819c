"""A fixed set of copy-paste composites, M = K.S + (1 - K).T (Eq. 1), as pictures, masks and records.

    python -m data_prep.compose --sources=coco_records --count=1000 --seed=0 --output=composites

S with its masks K come from records with objects, such as those of data_prep.coco; T, another picture, from the
same records or from --targets. S and K are stretched to T's size, as training does; T's pixels stay as they are.
With --copy_moves T is S, and the region is pasted somewhere else in it (ours; the paper has no such training data); one
that has no other place, or whose pasting changes nothing, is skipped and named in records/skipped.json. So is a
composite of a damaged record; the exit code is 3 then, and 1 where nothing was left.
The same flags and records give the same bytes, whatever --processes: a validation set, or data for other tools.

    composites/Tp/Tp_<S>_<T>_<x1>_<y1>_<x2>_<y2>_<number of K in S>.png     M; the box encloses K
    composites/Gt/Tp_<S>_<T>_...png                                        K, 0 and 255
    composites/dataset.json, list.txt, test_datasets.json                   lists, as data_prep.unpack
    composites/records/                                                     the same, as records

Names begin as the release names its tampered pictures and composites: Tp, source, target, box.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np
from absl import flags
from tqdm import tqdm

from data_prep import command
from data_prep.reading.entries import Entry, Listing, PreparationError, Skipped
from data_prep.reading.masks import MaskFile
from data_prep.reading.stored import open_once
from data_prep.unpack import claim, unlike, write_lists
from data_prep.writing.mask_png import encode_mask
from data_prep.writing.output import writing
from data_prep.writing.shards import WRITER_VERSION
from data_prep.writing.workers import in_processes
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.data.masks import MaskRule
from gsr_tf.data.pictures import PictureError, encode_png
from gsr_tf.data.records import Records, open_records
from gsr_tf.data.writing import write_atomically

RECIPE_NAME = "composites.json"
UNREADABLE = "a record cannot be read"


class Recipe(NamedTuple):
    """What one composite is made of: record numbers, and which of the source's masks."""

    source: int
    mask: int
    target: int


def draw_recipes(pairs: np.ndarray, source_names: list[str], target_names: list[str], count: int, seed: int) -> list:
    """Draws what each composite is made of.

    Args:
        pairs: [n, 2], (source record, number of its mask): `Records.pairs`.
        source_names: of the source records.
        target_names: of the target records.
        count: of composites.
        seed: the same seed draws the same.

    Returns:
        `count` different Recipes. Pairs take turns, in rounds; one that draws its own picture, or what it has drawn
        before, is passed over that round. No picture is pasted into itself.

    Raises:
        PreparationError: there are not so many different ones.
    """
    rng = np.random.default_rng(seed)
    recipes: dict[Recipe, None] = {}
    own = set(target_names)
    limit = len(pairs) * len(target_names) - sum(source_names[source] in own for source, _ in pairs)
    if count > limit:
        raise PreparationError(f"--count={count}: these records allow {limit} different composites at most")
    while len(recipes) < count:
        for source, mask in pairs[rng.permutation(len(pairs))]:
            target = int(rng.integers(len(target_names)))
            if source_names[source] != target_names[target] and len(recipes) < count:
                recipes[Recipe(int(source), int(mask), target)] = None
    return list(recipes)


def draw_copy_moves(pairs: np.ndarray, count: int, seed: int) -> list[Recipe]:
    """As `draw_recipes`, each region pasted into its own picture; every pair is used once at most; the same errors."""
    if count > len(pairs):
        raise PreparationError(f"--count={count}: with --copy_moves these records allow {len(pairs)} at most")
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:count]
    return [Recipe(int(source), int(mask), int(source)) for source, mask in pairs[chosen]]


def move(s: np.ndarray, k: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """S and K, shifted so that all of K's region stays inside: of four places drawn, the one farthest away.

    They stay where they are only where K's region reaches all four borders.
    """
    left, top, width, height = cv2.boundingRect(k)
    free = np.array(k.shape) - (height, width)
    shift = np.zeros(2, int)
    while free.any() and not shift.any():  # all four may be the region's own place
        shifts = rng.integers(0, free + 1, (4, 2)) - (top, left)
        shift = shifts[np.argmax(np.sum(shifts**2, axis=1))]
    return np.roll(s, shift, (0, 1)), np.roll(k, shift, (0, 1))  # what is rolled over the border has K = 0


def compose(s: np.ndarray, k: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """M = K.S + (1 - K).T (Eq. 1).

    Args:
        s: [h, w, 3] uint8, the source.
        k: [h, w] uint8, 0 or 1, its mask.
        t: [h', w', 3] uint8, the target.

    Returns:
        M, [h', w', 3] uint8, and K at T's size, [h', w'] uint8, 0 or 1.
    """
    size = t.shape[1::-1]
    smaller = size[0] * size[1] < s.shape[0] * s.shape[1]
    s = cv2.resize(s, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    k = cv2.resize(k, size, interpolation=cv2.INTER_NEAREST)
    return np.where(k[..., None] == 1, s, t), k  # Eq. 1, K hard: exact in whole numbers


def identities(names: list[str]) -> list[str]:
    """What stands for each picture in composites' names; those that would be alike, x.png and x.jpg, are numbered."""
    taken: dict[str, int] = {}
    plain = ("-".join(PurePosixPath(name).with_suffix("").parts).replace(" ", "-").replace("_", "-") for name in names)
    return [unlike(one, taken, "-") for one in plain]


def _read(recipe: Recipe, sources: str, targets: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S, K and T of a recipe, as `compose` takes them; raises PictureError."""
    source, target = open_once(sources).example(recipe.source), open_once(targets).example(recipe.target)
    return source.read_picture(), source.read_mask(recipe.mask).astype(np.uint8), target.read_picture()


def _write_composite(
    named: tuple[Recipe, str], sources: str, targets: str, folder: Path, seed: int, copy_moves: bool
) -> str | Skipped:
    """Writes a composite, of a recipe and what its name begins with, and its mask; returns their stem.

    A copy-move that leaves the picture as it was is none, and not written, nor is a composite of a damaged record.
    """
    recipe, begins = named
    name = f"{open_once(sources).columns['name'][recipe.source]}#{recipe.mask}"
    try:
        s, k, t = _read(recipe, sources, targets)
    except PictureError as error:
        return Skipped(name, UNREADABLE, str(error))
    if copy_moves:
        s, k = move(s, k, np.random.default_rng([seed, recipe.source, recipe.mask]))
    m, k = compose(s, k, t)
    if copy_moves and np.array_equal(m, t):
        detail = "the region reaches all four borders, or looks like what it would be pasted over"
        return Skipped(name, "the copy-move changes nothing", detail)
    left, top, width, height = cv2.boundingRect(k)
    box = f"{left}_{top}_{left + width}_{top + height}"
    stem = f"{begins}_{box}_{recipe.mask}"
    write_atomically(folder / "Tp" / f"{stem}.png", encode_png(m))
    write_atomically(folder / "Gt" / f"{stem}.png", encode_mask(k))
    return stem


def _draw(sources: Records, targets: Records, args: flags.FlagValues) -> list[tuple[Recipe, str]]:
    """The recipes that the flags ask for, each with what its composite's name begins with."""
    if args.copy_moves:
        recipes = draw_copy_moves(sources.pairs, args.count, args.seed)
    else:
        recipes = draw_recipes(sources.pairs, sources.columns["name"], targets.columns["name"], args.count, args.seed)
    of_sources, of_targets = (identities(records.columns["name"]) for records in (sources, targets))
    return [(one, f"Tp_{of_sources[one.source]}_{of_targets[one.target]}") for one in recipes]


def _write_composites(
    sources: Records, targets: Records, folder: Path, args: flags.FlagValues
) -> tuple[list[str], list[Skipped]]:
    """Writes composites, their masks and lists; returns the stems of those that were written, and the others."""
    named = _draw(sources, targets, args)
    state = {"sources": sources.fingerprint, "targets": targets.fingerprint, "count": args.count, "seed": args.seed}
    state["version"] = WRITER_VERSION
    if args.copy_moves:
        state["copy_moves"] = True
    write = functools.partial(
        _write_composite,
        sources=os.path.abspath(sources.path),
        targets=os.path.abspath(targets.path),
        folder=folder,
        seed=args.seed,
        copy_moves=args.copy_moves,
    )
    with writing(folder):
        claim(folder, RECIPE_NAME, state)
        done = list(tqdm(in_processes(write, named, args.processes, at_once=8), total=args.count, unit="composite"))
        stems, skipped = ([one for one in done if isinstance(one, kind)] for kind in (str, Skipped))
        if not stems:
            given = f"--sources={args.sources}" + (f" --targets={args.targets}" if args.targets else "")
            reasons = " or ".join(dict.fromkeys(one.reason for one in skipped))
            raise PreparationError(f"{given}: of each of {args.count}, {reasons}: {skipped[0].detail}")
        write_lists(folder, [(str(folder / f"Tp/{stem}.png"), str(folder / f"Gt/{stem}.png")) for stem in stems])
    return stems, skipped


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("sources", None, "Records with masks: S and K.", required=True, flag_values=values)
    flags.DEFINE_string("targets", None, "Records of T; the sources' by default.", flag_values=values)
    flags.DEFINE_bool("copy_moves", False, "Paste each region into its own picture.", flag_values=values)
    flags.DEFINE_integer("count", 1000, "Composites to make.", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Another seed makes another set.", 0, flag_values=values)
    command.define_output(values, "Folder to write; its records/ is what --records takes.")


def _run(args: flags.FlagValues) -> int:
    sources = open_records(args.sources, "--sources")
    targets = open_records(args.targets, "--targets") if args.targets else sources
    if not len(sources.pairs):
        raise PreparationError(f"--sources={args.sources}: no record has a mask")
    if args.copy_moves and args.targets:
        raise PreparationError(f"--targets={args.targets}: with --copy_moves T is S; leave it out")
    folder = Path(args.output)
    stems, skipped = _write_composites(sources, targets, folder, args)
    rule = MaskRule()
    names = sorted(f"{stem}.png" for stem in stems)  # and no other files that lie there
    entries = [Entry(name, str(folder / "Tp" / name), MaskFile(str(folder / "Gt" / name), rule)) for name in names]
    code = command.convert(Listing(entries, skipped, {"mask_rule": rule._asdict()}), args, folder / "records")
    return SOME_SKIPPED if any(one.reason == UNREADABLE for one in skipped) else code


INTERRUPTED = "interrupted; the same command makes all composites anew, the same ones"
main = functools.partial(command.main, _run, __doc__, _define, interrupted=INTERRUPTED)

if __name__ == "__main__":
    sys.exit(main())
