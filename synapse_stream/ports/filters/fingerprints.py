"""What errors of one kind have in common: pure."""

from __future__ import annotations

import re

_FRAME = re.compile(r'^\s+File "(.+)", line \d+, in (\S+)', re.MULTILINE)
_VARIES = re.compile(r"""0x[0-9a-f]+|\d+|'[^']*'|"[^"]*\"""")
_LONGEST = 200


def fingerprint(text: str) -> str:
    """Return what errors of one kind have in common.

    Of a traceback that is the error's type and the function that raised it, of any other text what
    is left of its first line without numbers and quoted words.
    """
    frames = _FRAME.findall(text)
    if frames:
        file, function = frames[-1]
        kind = text.rstrip().rpartition("\n")[2].partition(":")[0]
        return f"{kind} in {file.rpartition('/')[2]}:{function}"[:_LONGEST]
    return _VARIES.sub("#", text.partition("\n")[0])[:_LONGEST]
