"""What befalls files between two runs."""

from __future__ import annotations

from pathlib import Path

from gsr_tf.data.records import open_records


def change_places(first: Path, second: Path) -> None:
    """Each of two files of one folder gets the other's name; their bytes and times stay."""
    aside = first.rename(first.with_name("aside"))
    second.rename(first)
    aside.rename(second)


def damage_record(folder: Path, name: str) -> None:
    """One bit of the record of this name, in a folder of records, is another one from now on."""
    records = open_records(folder)
    number = records.columns["name"].index(name)
    shard, offset, length = (records.columns[column][number] for column in ("shard", "offset", "length"))
    file = records.path / records.shards[shard]
    data = bytearray(file.read_bytes())
    data[offset + length // 2] ^= 1
    file.write_bytes(data)
