"""What programs of a compiler's proof have to print."""

from __future__ import annotations

import pytest

from emwheels.image.proof import fault_of

RIGHT = """\
version: 6.0.6
plain: 0.841471
exceptions: kept 2
jump: 7
simd: 2 6 12 20
side: 1 -1 5 6
"""


def test_a_compiler_that_does_all_right_is_proven():
    assert fault_of(RIGHT, "6.0.6") == ""
    assert fault_of("em++: warning: odd\n" + RIGHT.replace("6.0.6", "6.0.6-git"), "6.0.6") == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version: 6.0.6\n", "", "emcc says that it is 'nothing'"),
        ("version: 6.0.6", "version: 6.0.5", "emcc says that it is '6.0.5'"),
        ("simd: 2 6 12 20\n", "", "128-bit SIMD cannot be compiled and run"),
        ("jump: 7", "jump: 0", "setjmp and longjmp printed '0' instead of '7'"),
        ("side: 1 -1 5 6", "side: ", "a side module in Pyodide printed ''"),
    ],
)
def test_the_first_fault_is_named(old, new, words):
    assert fault_of(RIGHT.replace(old, new), "6.0.6").startswith(words)
