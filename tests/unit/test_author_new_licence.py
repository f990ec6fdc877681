"""Which licence the files of a source tell of."""

from __future__ import annotations

import pytest

from emwheels.author.new_licence import licence_of

MIT = "Permission is hereby granted, free of charge, to any person\nto deal in the Software without restriction."
BSD = "Redistribution and use in source and binary forms, with or without\n# modification, are permitted"
LGPL = "GNU LESSER GENERAL PUBLIC LICENSE\n   Version 2.1, February 1999"


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({"LICENSE": MIT}, "MIT"),
        ({"COPYING": BSD}, "BSD-2-Clause"),
        ({"LICENSE.md": f"{BSD}\nmay be used to endorse\n or promote products"}, "BSD-3-Clause"),
        ({"COPYING.LIB": LGPL}, "LGPL-2.1-or-later"),
        ({"LICENSE": MIT, "LICENSE.txt": MIT}, "MIT"),
        ({"LICENSE": MIT, "COPYING": LGPL}, ""),
        ({"LICENSE": "all yours"}, ""),
        ({"README": MIT}, ""),
    ],
)
def test_licence(tmp_path, files, licence):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert licence_of(tmp_path) == licence
