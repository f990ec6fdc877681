from __future__ import annotations

import pytest

from emwheels.build.steps import Before, Steps, compiled_in

CC = "/mnt/work/build/x/build/pywasmcross_symlinks/cc -O2 -fPIC -c src/{0}.c -o build/{0}.o\n"


def steps_of(tmp_path, text, before=None):
    log = tmp_path / "log"
    log.write_text(text)
    steps = Steps(log, before)
    steps.look()
    return steps


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        ("[1/285] Building C object a.o\n[112/285] Building C object b.o\n", 116, "112 of 285, about 3 min"),
        ("[112/285] Building C object b.o\n[113/28", 116, "112 of 285, about 3 min"),
        ("[285/285] Linking\n", 300, "285 of 285"),
        ("[  5%] Building C object a.o\n[ 50%] Building C object b.o\n", 60, "50 %, about 60 s"),
        (CC.format("a") + CC.format("b"), 60, "2 compiled"),
        ("cc a.o b.o -o x.so\nchecking for cc... cc -c\n", 60, ""),
        ("", 60, ""),
    ],
)
def test_how_far_a_build_is(tmp_path, text, seconds, words):
    assert steps_of(tmp_path, text).words(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        (CC.format("a") * 10, 60, "10 of 40, about 3 min"),
        (CC.format("a") * 41, 60, "41 compiled, about 4 min"),
        ("configuring\n", 60, "about 4 min"),
        ("configuring\n", 400, ""),
        ("[10/20] x\n", 60, "10 of 20, about 60 s"),
    ],
)
def test_the_last_build_tells_what_is_to_come(tmp_path, text, seconds, words):
    assert steps_of(tmp_path, text, Before(seconds=300, compiled=40)).words(seconds) == words


def test_a_log_that_grows_is_read_once(tmp_path):
    log = tmp_path / "log"
    steps = Steps(log)
    steps.look()
    with log.open("a") as stream:
        for name in "abc":
            line = CC.format(name)
            stream.write(line[:20])
            stream.flush()
            steps.look()
            stream.write(line[20:])
            stream.flush()
            steps.look()
    assert steps.compiled == compiled_in(log) == 3


def test_a_log_that_is_begun_anew(tmp_path):
    steps = steps_of(tmp_path, CC.format("a") * 5)
    (tmp_path / "log").write_text(CC.format("b"))
    steps.look()
    assert steps.compiled == 1
