"""What the scripts of published data sets share: where a set comes from, finding its folders, one command line."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from absl import flags

from data_prep import command
from data_prep.reading.entries import Listing, PreparationError
from data_prep.reading.files import require_folder
from data_prep.reading.listing import merge
from data_prep.reading.pairing import UNPAIRED

DEPTH = 3  # how far below --input a set's folders may lie: archives differ in how much they wrap around them
PICTURES = ("manipulated", "authentic", "both")


@dataclasses.dataclass(frozen=True)
class PublishedSet:
    """A data set, as its publishers offer it.

    Attributes:
        name: of its script and records.
        title: what people call it.
        source: where to get it.
        licence: in a few words.
        size: bytes to expect, in words.
        manipulated: how many manipulated pictures its publishers count.
        authentic: how many authentic ones.
        signs: folders or files (patterns below the set's folder) that tell it from all others.
        find_manipulated: lists its manipulated pictures, given the folder.
        find_authentic: lists its authentic ones, given the folder.
        redistributed: as `signs`, of another form in which others hand it on.
        in_parts: it is offered in several parts; both take, after the folder, others that these may lie below.
    """

    name: str
    title: str
    source: str
    licence: str
    size: str
    manipulated: int
    authentic: int
    signs: tuple[str, ...]
    find_manipulated: Callable[..., Listing]
    find_authentic: Callable[..., Listing]
    redistributed: tuple[str, ...] | None = None
    in_parts: bool = False

    def is_in(self, folder: Path) -> bool:
        """Whether a folder holds it, in either form."""
        return any(matches(folder, signs) for signs in (self.signs, self.redistributed) if signs)

    def expectation(self) -> str:
        """What to expect of a download."""
        return f"{self.manipulated:,} manipulated and {self.authentic:,} authentic pictures, {self.size}"

    def find(self, pictures: str, root: Path, *elsewhere: Path) -> Listing:
        """Lists what `--pictures` asks for; the other pictures need not be there.

        Args:
            pictures: one of PICTURES.
            root: the set's folder.
            elsewhere: folders below which parts of it that are offered apart may lie.

        Raises:
            PreparationError: folders are not there; or both kinds are asked for and no manipulated one has its mask.
        """
        folders = (root, *elsewhere) if self.in_parts else (root,)
        finders = {"manipulated": self.find_manipulated, "authentic": self.find_authentic}
        listing = merge(find(*folders) for name, find in finders.items() if pictures in (name, "both"))
        unpaired = [skip for skip in listing.skipped if skip.reason in UNPAIRED]
        if pictures == "both" and unpaired and not any(entry.masks for entry in listing.entries):
            name, *why = unpaired[0]
            raise PreparationError(
                f"{root}: none of its {len(unpaired)} manipulated pictures is paired with a mask, the first, {name}: "
                f"{', '.join(filter(None, why))}; for the authentic ones alone: data_prep.{self.name} "
                "--pictures=authentic"
            )
        return listing


def folders_below(root: Path) -> list[Path]:
    """`root` and its subfolders down to DEPTH, the shallow ones first."""
    found = [root]
    for parent, subfolders, _ in os.walk(root, followlinks=True):
        subfolders.sort()
        depth = len(Path(parent).relative_to(root).parts) + 1
        found.extend(Path(parent, name) for name in subfolders)
        if depth == DEPTH:
            subfolders.clear()
    return sorted(found, key=lambda path: (len(path.parts), path))


def find_folder(root: Path, *names: str, signs: Sequence[str] = ()) -> Path | None:
    """The shallowest folder of one of these names, whatever the case, with these signs; None where there is none.

    An archive unpacked into a folder of its own name has another in it: pictures are named from that one on.
    """
    wanted = [name.casefold() for name in names]
    for folder in folders_below(root):
        if folder.name.casefold() in wanted:
            while (folder / folder.name).is_dir():
                folder /= folder.name
            if matches(folder, signs):
                return folder
    return None


def find_part(folders: Sequence[Path], *names: str, also: Sequence[str] = (), signs: Sequence[str] = ()) -> Path | None:
    """The folder of a part of a set that is offered apart, as `find_folder`.

    Args:
        folders: the set's own, and those that the part may lie below elsewhere.
        names: of the part.
        also: more names that it has in the set's own folder; elsewhere they may be another set's.
        signs: what tells it from another set's.
    """
    told = (find_folder(folder, *names, signs=signs) for folder in folders)
    return next(filter(None, told), None) or find_folder(folders[0], *also)


def need_masks(folders: Sequence[Path], *names: str, also: Sequence[str], source: str) -> Path:
    """As `find_part`; a PreparationError that says where to get the masks where there are none."""
    masks = find_part(folders, *names, also=also)
    if masks is None:
        raise PreparationError(
            f"{folders[0]}: its masks are not there, no folder named {' or '.join(map(repr, (*names, *also)))}; "
            f"get them from {source}"
        )
    return masks


def need_folder(root: Path, *names: str) -> Path:
    """As `find_folder`; a PreparationError where there is none."""
    folder = find_folder(root, *names)
    if folder is None:
        raise PreparationError(
            f"--input={root}: no folder named {' or '.join(map(repr, names))} in it; --help shows the expected tree"
        )
    return folder


def matches(folder: Path, signs: Iterable[str]) -> bool:
    """Whether every sign is there."""
    return all(next(folder.glob(sign), None) is not None for sign in signs)


def define_input(values: flags.FlagValues) -> None:
    """The flags of every published set's script."""
    flags.DEFINE_string("input", None, "The unpacked set's folder.", required=True, flag_values=values)
    flags.DEFINE_enum("pictures", "manipulated", PICTURES, "Which of the set's pictures.", flag_values=values)
    command.define_output(values)


def script(published: PublishedSet, doc: str) -> Callable[[Sequence[str] | None], int]:
    """The main function of a published set's script, when it needs no flags of its own."""

    def run(args: flags.FlagValues) -> int:
        return command.convert(published.find(args.pictures, require_folder(args.input, "--input")), args)

    return functools.partial(command.main, run, f"{doc.rstrip()}\n\n{about(published)}", define_input)


def about(published: PublishedSet) -> str:
    """Where the set is offered, under what licence, and what to expect."""
    return f"Get it from {published.source}\n{published.expectation()}. {published.licence}."
