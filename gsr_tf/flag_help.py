"""What --help prints of a command's flags."""

from __future__ import annotations

from absl import flags

ABSL_OWN = {"flagfile", "undefok"}


def describe(values: flags.FlagValues) -> str:
    """A paragraph a flag, in the order of definition: name, help (absl puts choices before it) and default."""
    paragraphs = []
    for name in values:
        flag = values[name]
        if name in ABSL_OWN:
            continue
        words = [f"--{name}: {flag.help}"]
        if flag.default not in (None, [], ""):
            default = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
            words.append(f"[{default}]")
        paragraphs.append(flags.text_wrap(" ".join(words), 110, "      ", "  "))
    return "\n".join(paragraphs)
