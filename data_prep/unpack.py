"""Records -> picture and mask files, in the field's interchange formats.

    python -m data_prep.unpack --records=records --output=folder

    folder/Tp/x.jpg  folder/Gt/x.png    manipulated pictures and masks (ManiDataset; masks are 0 and 255)
    folder/Au/y.jpg                     authentic pictures
    folder/dataset.json                 JsonDataset: [["folder/Tp/x.jpg", "folder/Gt/x.png"], [..., "Negative"]]
    folder/test_datasets.json           {"folder": "folder/dataset.json"}
    folder/list.txt                     MVSS-Net's list: picture, mask or None, label

Pictures are written byte for byte as the records hold them. These formats take one mask a picture: a record with
several, such as a photograph with COCO's objects, is counted and left out (data_prep.compose makes pictures of them),
and so is a damaged one. A folder that holds other files is refused. The exit code is 3 where something was left out,
and 1 where everything was.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path, PurePosixPath

from absl import flags
from tqdm import tqdm

from data_prep import command
from data_prep.interchange import NEGATIVE, NO_MASK
from data_prep.reading.entries import PreparationError
from data_prep.writing.output import writing
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.data.decoding.png_chunks import SIGNATURE
from gsr_tf.data.example import Example
from gsr_tf.data.one_writer import LOCK_BESIDE
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.records import open_records
from gsr_tf.data.unfindable import NO_UTF8, is_utf8
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import one_line

MANIPULATED, AUTHENTIC = "manipulated", "authentic"
SEVERAL, DAMAGED = "several masks, left out", "damaged, left out"
MARK = "unpacked.json"


def flat_stem(name: str, taken: dict[str, int]) -> str:
    """A file stem for a record's name: without folders and spaces, and unlike those taken, which it joins."""
    return unlike(re.sub(r"[\s/]+", "_", str(PurePosixPath(name).with_suffix(""))), taken, "_")


def unlike(stem: str, taken: dict[str, int], before_number: str) -> str:
    """The stem, with a number where it is among those taken, which it joins.

    Args:
        stem: of a file.
        taken: stems without regard to case, and the number that each is tried with next: those below it are taken.
        before_number: what stands between the stem and its number.
    """
    unique, number = stem, taken.get(stem.casefold(), 2)
    while unique.casefold() in taken:
        unique, number = f"{stem}{before_number}{number}", number + 1
    taken[stem.casefold()] = number
    taken.setdefault(unique.casefold(), 2)
    return unique


def claim(folder: Path, mark: str, made_of: dict) -> None:
    """Marks the folder of --output as that of one set of files, before the first is written.

    Args:
        folder: to be written.
        mark: a file's name in it.
        made_of: what decides the set; a folder that was begun with the same is gone on with.

    Raises:
        PreparationError: the folder holds other files, or its mark is damaged, or its name is not UTF-8 or has a
            space, which ends a path in list.txt.
    """
    if not is_utf8(folder):
        raise PreparationError(f"--output={folder}: {NO_UTF8}")
    if any(letter.isspace() for letter in str(folder)):
        raise PreparationError(f"--output={folder}: list.txt takes no space in a path; give a folder without one")
    path = folder / mark
    try:
        if path.exists() and json.loads(path.read_bytes()) == made_of:
            return
    except ValueError as error:
        raise PreparationError(
            f"--output={folder}: {mark} is damaged ({error}); delete this folder, or give another one"
        ) from error
    if folder.is_dir() and any(not LOCK_BESIDE.fullmatch(file.name) for file in folder.iterdir()):
        why = f" ({mark} is of other records or flags, or another version's)" if path.exists() else ""
        raise PreparationError(f"--output={folder}: holds other files; give an empty or a new folder{why}")
    write_atomically(path, json.dumps(made_of, indent=1).encode())


def write_lists(folder: Path, rows: list[tuple[str, str | None]]) -> None:
    """Writes the list files of pictures and masks (None: authentic) beside them."""
    as_json = [[image, mask or NEGATIVE] for image, mask in rows]
    write_atomically(folder / "dataset.json", json.dumps(as_json, indent=1, ensure_ascii=False).encode())
    sets = {folder.resolve().name: str(folder / "dataset.json")}
    write_atomically(folder / "test_datasets.json", json.dumps(sets, ensure_ascii=False).encode())
    lines = [f"{image} {mask or NO_MASK} {int(mask is not None)}\n" for image, mask in rows]
    write_atomically(folder / "list.txt", "".join(lines).encode())


def unpack(records_path: Path, folder: Path) -> dict[str, int]:
    """Writes the files of all records; returns how many were `MANIPULATED`, `AUTHENTIC`, `SEVERAL` and `DAMAGED`."""
    records = open_records(records_path, "--records")
    claim(folder, MARK, {"records": records.fingerprint})
    rows, taken = [], {}
    counts = dict.fromkeys((MANIPULATED, AUTHENTIC, SEVERAL, DAMAGED), 0)
    for number in tqdm(range(len(records)), unit="picture"):
        try:
            example = records.example(number)
        except PictureError as error:
            tqdm.write(one_line(f"skipped {error}"))
            counts[DAMAGED] += 1
            continue
        if len(example.masks) > 1:
            counts[SEVERAL] += 1
            continue
        counts[MANIPULATED if example.masks else AUTHENTIC] += 1
        rows.append(_write_example(example, folder, flat_stem(example.name, taken)))
    if not rows:
        raise PreparationError(
            f"--records={records_path}: every record has several masks or is damaged; see data_prep.compose"
        )
    write_lists(folder, rows)
    return counts


def _write_example(example: Example, folder: Path, stem: str) -> tuple[str, str | None]:
    """Writes the files of a record of one mask or none; returns their paths, None for the mask of an authentic one."""
    suffix = ".png" if example.image.startswith(SIGNATURE) else ".jpg"
    picture, mask = folder / ("Tp" if example.masks else "Au") / f"{stem}{suffix}", folder / "Gt" / f"{stem}.png"
    write_atomically(picture, example.image)
    if not example.masks:
        return str(picture), None
    write_atomically(mask, example.masks[0])
    return str(picture), str(mask)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("records", None, "Records folder.", required=True, flag_values=values)
    flags.DEFINE_string("output", None, "Folder to write.", required=True, flag_values=values)


def _run(args: flags.FlagValues) -> int:
    with writing(args.output):
        counts = unpack(Path(args.records), Path(args.output))
    print("\n".join(f"{count} {what}" for what, count in counts.items()))
    return SOME_SKIPPED if counts[SEVERAL] or counts[DAMAGED] else 0


INTERRUPTED = "interrupted; the same command makes all files anew, the same ones"
main = functools.partial(command.main, _run, __doc__, _define, interrupted=INTERRUPTED)

if __name__ == "__main__":
    sys.exit(main())
