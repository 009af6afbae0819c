"""What a setting is: declared once, where it is used, with its default, help and bounds.

A room declares its settings as the fields of a frozen dataclass, `Checked`; `gsr_tf.config.Config` holds these
dataclasses. Flags and JSON are made from the fields of all of them, flat, so that a setting's name means the same
everywhere.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from absl import flags

from gsr_tf.errors import UserError

Settings = TypeVar("Settings")
DEFINE = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}


class ConfigError(UserError):
    """A setting, or a combination, that makes no sense; the message names the flag."""


def setting(default: Any, help_: str, **checks: Any) -> Any:
    """A field that is a setting.

    Args:
        default: of its type: bool, int, float, str, or a tuple of one of them; an empty one is of str.
        help_: what --help prints.
        checks: any of `choices`; `least` and `most`, inclusive; `two`, an example of two numbers, and `ascending`;
            `some`: a tuple must not be empty; `may_change`: whether a run may go on with another value.
    """
    return dataclasses.field(default=default, metadata={"help": help_, **checks})


def leaves(settings: Any) -> Iterator[dataclasses.Field]:
    """The fields that are settings, of a dataclass or an instance, in order; those of nested dataclasses too."""
    for field in dataclasses.fields(settings):
        yield from leaves(field.default) if dataclasses.is_dataclass(field.default) else (field,)


def flat(settings: Any) -> dict[str, Any]:
    """{name: value} of all settings of an instance, those of nested dataclasses too."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        values.update(flat(value) if dataclasses.is_dataclass(value) else {field.name: value})
    return values


def from_flat(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """The dataclass of these settings, defaults for those that are missing; lists become tuples.

    Names of no setting are passed over, and types are not checked.

    Raises:
        ConfigError: a value is out of bounds, or one of a list cannot be made what the others are.
        TypeError: a value of a type that cannot be compared with its bounds, or no list where one is expected.
    """
    found = {}
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.default):
            found[field.name] = from_flat(type(field.default), values)
        elif field.name in values:
            found[field.name] = _typed(field, values[field.name])
    return kind(**found)


def _typed(field: dataclasses.Field, value: Any) -> Any:
    if not isinstance(field.default, tuple):
        return value
    try:
        return tuple((type(field.default[0]) if field.default else str)(item) for item in value)
    except ValueError as error:
        raise ConfigError(f"--{field.name}={','.join(map(str, value))}: {error}") from error


class Checked:
    """Base of dataclasses of settings: making one raises ConfigError where a value is out of its field's bounds."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not dataclasses.is_dataclass(field.default):
                _check(field, getattr(self, field.name))


def check_one_of(settings: Any, *names: str) -> None:
    """Checks that an instance has at most one of these fields set; raises ConfigError."""
    if sum(bool(getattr(settings, name)) for name in names) > 1:
        raise ConfigError(f"{' and '.join(f'--{name}' for name in names)}: give one of them")


def _check(field: dataclasses.Field, value: Any) -> None:
    checks, name = field.metadata, field.name
    items = value if isinstance(value, tuple) else (value,)
    shown = ",".join(map(str, items))
    if "choices" in checks and len(set(items)) < len(items):
        raise ConfigError(f"--{name}={shown}: expected each name once")
    for item in items:
        if isinstance(item, float) and not math.isfinite(item):
            raise ConfigError(f"--{name}={item}: expected a finite number")
        if "choices" in checks and item not in checks["choices"]:
            raise ConfigError(f"--{name}={item}: expected one of {', '.join(map(str, checks['choices']))}")
        if "least" in checks and not item >= checks["least"]:
            raise ConfigError(f"--{name}={item}: expected at least {checks['least']}")
        if "most" in checks and not item <= checks["most"]:
            raise ConfigError(f"--{name}={item}: expected at most {checks['most']}")
    if checks.get("some") and not items:
        raise ConfigError(f"--{name}=: expected at least one, e.g. {','.join(map(str, field.default))}")
    if "two" in checks and len(items) != 2:
        raise ConfigError(f"--{name}={shown}: expected two numbers, e.g. {checks['two']}")
    if checks.get("ascending") and items[0] > items[1]:
        raise ConfigError(f"--{name}={shown}: expected the smaller number first")


def define_flags(kind: type, values: flags.FlagValues) -> None:
    """One absl flag a setting of a dataclass."""
    for field in leaves(kind):
        name, default, help_ = field.name, field.default, field.metadata["help"]
        if isinstance(default, tuple):
            flags.DEFINE_list(name, [str(item) for item in default], help_, flag_values=values)
        elif isinstance(default, str) and "choices" in field.metadata:
            flags.DEFINE_enum(name, default, field.metadata["choices"], help_, flag_values=values)
        else:
            DEFINE[type(default)](name, default, help_, flag_values=values)
