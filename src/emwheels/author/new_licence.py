"""The licence files of an unpacked source -> the SPDX expression, where the text is one of the usual ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILES = re.compile(r"(?:LICEN[CS]E|COPYING|COPYRIGHT)(?:[.-].*)?", re.IGNORECASE)
_LARGEST = 256 << 10
_BSD = "redistribution and use in source and binary forms"
_TEXTS = (
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MPL-2.0", ("mozilla public license version 2.0",)),
    ("AGPL-3.0-only", ("gnu affero general public license", "version 3")),
    ("LGPL-2.1-or-later", ("gnu lesser general public license", "version 2.1")),
    ("LGPL-3.0-only", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.0-or-later", ("gnu library general public license",)),
    ("GPL-3.0-only", ("gnu general public license", "version 3")),
    ("GPL-2.0-only", ("gnu general public license", "version 2")),
    ("BSL-1.0", ("boost software license",)),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software for any purpose",)),
    ("BSD-3-Clause", (_BSD, "endorse or promote")),
    ("BSD-2-Clause", (_BSD,)),
    ("Zlib", ("this software is provided 'as-is'", "altered source versions")),
    ("MIT", ("permission is hereby granted, free of charge", "without restriction")),
    ("OLDAP-2.8", ("openldap public license",)),
    ("Unlicense", ("released into the public domain", "anyone is free to copy")),
)
"""Words of a licence, the more particular first."""


_QUOTES = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}


def licence_of(tree: Path) -> str:
    """Return the licence of a source by the files at its top; empty where there is none or it is not known.

    Where two files tell of two licences it is empty as well: only a person can say whether both count.
    """
    found = {
        known
        for path in sorted(tree.iterdir())
        if _FILES.fullmatch(path.name) and path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST
        if (known := _known(path.read_text(encoding="utf-8", errors="replace")))
    }
    return found.pop() if len(found) == 1 else ""


def _known(text: str) -> str:
    words = " ".join(re.sub(r"^[\s*#/]+", "", line) for line in text.splitlines()).casefold()
    words = re.sub(r"\s+", " ", words.translate(_QUOTES))
    return next((name for name, needed in _TEXTS if all(each in words for each in needed)), "")
