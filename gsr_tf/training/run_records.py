"""The records that a run learns from and is validated on."""

from __future__ import annotations

import dataclasses

from gsr_tf.data.pipeline import source_pairs
from gsr_tf.data.records import Records, open_records
from gsr_tf.settings import Checked, ConfigError, setting


@dataclasses.dataclass(frozen=True)
class RunRecords(Checked):
    """Folders of records; each field's help says of what."""

    source_records: str = setting(
        "", "Records of S with masks K (a folder that a data_prep command wrote).", may_change=True
    )
    target_records: str = setting(
        "", "Records of authentic T, e.g. COCO. May be the same folder as --source_records.", may_change=True
    )
    validation_records: str = setting(
        "", "Records with masks to score on while training. Empty: no validation.", may_change=True
    )
    validation_targets: str = setting(
        "",
        "If given, validation scores composites (Eq. 1) of --validation_records on these; else the pictures as is. "
        "DIH: what is recoloured. EXIF-consistency takes none.",
        may_change=True,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.validation_targets and not self.validation_records:
            raise ConfigError("--validation_targets needs --validation_records: the pictures that are pasted on them")

    def open(self, *, with_original: bool) -> dict[str, Records]:
        """Those that are given, by flag; of S and for validation there are usable masks.

        Args:
            with_original: whether S's own authentic picture is needed beside its mask.

        Raises:
            ConfigError: S or T are not given.
            RecordsError: no such records, damaged ones, or none with a mask.
        """
        given = {f"--{name}": path for name, path in dataclasses.asdict(self).items() if path}
        for flag in ("--source_records", "--target_records"):
            if flag not in given:
                raise ConfigError(
                    f"{flag} is needed: a folder that a data_prep command wrote (python -m data_prep.coco ...)"
                )
        opened = {flag: open_records(path, flag) for flag, path in given.items()}
        source_pairs(opened["--source_records"], with_original)
        if "--validation_records" in opened:
            source_pairs(opened["--validation_records"], with_original=False)
        return opened
