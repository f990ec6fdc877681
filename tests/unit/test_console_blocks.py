"""What is a console block, what may be said above it, and that the pages of this project have no fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_blocks import Block, Step, console_blocks

CHECKOUT = Path(__file__).parents[2]
LIST = "```console\n$ emwheels list\n```"


def read(text):
    blocks, faults = console_blocks(text, CHECKOUT)
    assert faults == []
    return blocks


def faults(text):
    return console_blocks(text, CHECKOUT)[1]


def test_commands_and_what_is_shown_of_them():
    text = "Text.\n\n```console\n$ emwheels list\nnumpy  2.5\n\nlxml   6.1\n$ cd a && ls    # a comment\n```\n"
    listed = Step(command="emwheels list", shown=("numpy  2.5", "", "lxml   6.1"))
    assert read(text) == [Block(line=3, steps=(listed, Step(command="cd a && ls    # a comment")))]


def test_without_a_prompt_every_line_is_a_command():
    (block,) = read("```bash\n# to begin with\nemwheels plan\n\nemwheels status\n```")
    assert [step.command for step in block.steps] == ["emwheels plan", "emwheels status"]


@pytest.mark.parametrize("text", ["$ ls a \\\n>   b\na b\n$ pwd", "$ ls a \\\n  b\na b\n$ pwd"])
def test_a_command_of_two_lines(text):
    (block,) = read(f"```console\n{text}\n```")
    assert block.steps == (Step(command="ls a \\\n  b", shown=("a b",)), Step(command="pwd"))


@pytest.mark.parametrize(
    "text",
    [
        "* an item:\n\n  ```console\n  $ emwheels list\n  ```",
        "> ```console\n> $ emwheels list\n> ```",
        "~~~~console\n$ emwheels list\n~~~~",
        "   ```console title\n   $ emwheels list\n   ```",
        "```console\n$ emwheels list",
        "```sh\nemwheels list\n```",
    ],
    ids=["list", "quote", "tildes", "indented", "open", "sh"],
)
def test_wherever_it_stands(text):
    assert [block.steps for block in read(text)] == [(Step(command="emwheels list"),)]


def test_a_block_inside_another_block_is_none():
    assert read("````yaml\n```console\n$ emwheels list\n```\n````") == []


@pytest.mark.parametrize(
    ("comment", "reason", "needs"),
    [
        ("<!-- not run: takes four minutes -->", "takes four minutes", ""),
        ("<!-- not run: takes four minutes;\ntests/conftest.py -->", "takes four minutes;\ntests/conftest.py", ""),
        ("<!-- not run: takes 4 minutes and/or a week -->", "takes 4 minutes and/or a week", ""),
        ("<!-- not run: see src/emwheels, tests/unit. -->", "see src/emwheels, tests/unit.", ""),
        ("<!-- needs: network -->", "", "network"),
        ("<!-- needs: image -->", "", "image"),
        ("<!-- wheels: numpy=? -->", "", ""),
    ],
)
def test_what_is_said_above(comment, reason, needs):
    (block,) = read(f"{comment}\n{LIST}\n")
    assert (block.reason, block.needs) == (reason, needs)


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- not run -->",
        "<!-- not run: -->",
        "<!-- not run:  -->",
        "<!-- not run: slow -->",
        "<!-- not run: ... ; - -->",
        "<!-- not-run: takes four minutes -->",
        "<!-- Not run: takes four minutes -->",
        "<!-- not run: takes four minutes; tests/e2e/test_gone.py -->",
        "<!-- not run: takes four minutes; tests/conftest.py::gone -->",
        "<!-- not run: takes four minutes; ci/gone.sh -->",
        "<!-- not run: takes four minutes; src/emwheels/gone.py -->",
        "<!-- not run: takes four minutes; src/emwheels/gone has it -->",
        "<!-- not run: takes four minutes: see benchmarks/gone.py. -->",
        "<!-- not run: takes four minutes; gone/test_it.py::test_it -->",
        "<!-- not run: takes four minutes; tests/unit::test_it -->",
        "<!-- not run: _ _ _ -->",
        "<!-- not run: __ -- ___ -->",
        "<!-- not run: 1 2 3 -->",
        "<!-- not run: a b c -->",
        "<!-- not run: slow slow slow -->",
        "<!-- needs: -->",
        "<!-- needs: time -->",
        "<!-- wheels --> <!-- not run: takes four minutes -->",
    ],
)
def test_what_is_no_reason(comment):
    (fault,) = faults(f"{comment}\n{LIST}\n")
    assert fault.startswith("2: <!--")


@pytest.mark.parametrize(
    "text",
    [
        "<!-- not run: takes four minutes -->\n",
        "<!-- not run: takes four minutes -->\n```python\nimport numpy\n```",
        "<!-- not run: takes four minutes -->\n```\nimport numpy\n```",
        "<!-- not run: takes four minutes -->\n\n```console\n$ emwheels list\n```",
        "<!-- not run: takes four minutes -->\n\nText.\n\n```console\n$ emwheels list\n```",
        "<!-- needs: image -->\n# Heading\n",
        "```console\n$ emwheels list\n```\n<!-- not run: takes four minutes -->",
        "<!-- not run: takes four minutes -->\n<!-- not run: takes four minutes -->\n```console\n$ emwheels list\n```",
        "Text <!-- not run: takes four minutes --> of a paragraph.",
        "* item\n\n  <!-- not run: takes four minutes -->\n\n```console\n$ emwheels list\n```",
    ],
)
def test_a_comment_without_its_block(text):
    (fault,) = faults(text)
    assert "takes four minutes" in fault or "needs: image" in fault


@pytest.mark.parametrize(
    "text",
    [
        "```\n$ emwheels list\n```",
        "```\nnox -s build-package -- numpy\n```",
        "```\n.venv/bin/python -m pip install nox\n```",
        "~~~\n  $ ls\n~~~",
        "    $ emwheels list",
        "    emwheels list --json",
        "<pre>\n$ emwheels list\n</pre>",
        "```shell\nemwheels list\n```",
        "```Console\n$ emwheels list\n```",
        "```{code-block} console\n$ emwheels list\n```",
        "```text\nnothing\n```",
        "```console\n```",
        "```console\nnumpy 2.5\n$ emwheels list\n```",
    ],
)
def test_a_command_that_nobody_would_run(text):
    assert len(faults(text)) == 1


@pytest.mark.parametrize("language", ["js", "python", "toml", "yaml", "{toctree}", ""])
@pytest.mark.parametrize("line", ["$ emwheels list", "% ls", "  $ ls", "> nox -s tests", "(venv) $ pip install nox"])
def test_a_prompt_in_a_block_of_another_language(language, line):
    (fault,) = faults(f"```{language}\na: b\n{line}\n```")
    assert fault == f"1: {line.strip()}…: commands belong into a block of the language console"


@pytest.mark.parametrize(
    "line",
    [
        "sudo emwheels list",
        "sudo anything",
        "nice emwheels list",
        "nice -n 10 emwheels list",
        "sudo -u alex .venv/bin/nox -s tests",
        "time timeout 60 env emwheels list",
        "X=1 emwheels list",
        "EMWHEELS_CACHE=/tmp/x A= nox -s tests",
        "# emwheels list",
        "root@host:/srv# apt-get install nox",
        "alex@host:~$ emwheels list",
        "> emwheels list",
        "!pip install nox",
        "%pip install nox",
    ],
)
def test_a_command_behind_something_else(line):
    assert len(faults(f"```\n{line}\n```")) == 1


@pytest.mark.parametrize("language", ["js", "python"])
def test_a_command_that_is_no_code(language):
    assert len(faults(f"```{language}\nemwheels list\n```")) == 1


@pytest.mark.parametrize(
    "line", ["% emwheels list", "% ls", "# emwheels plan", "> nox -s tests", "  $ ls", "host:~$ nox -l"]
)
@pytest.mark.parametrize("text", ["$ pwd\n{}", "$ pwd\n/srv\n{}", "pwd\n{}", "{}", "{}\n$ pwd"])
def test_another_prompt_in_a_console_block(text, line):
    (fault,) = faults(f"```console\n{text.format(line)}\n```")
    assert fault == f"1: {line.strip()}: write the prompt as `$ ` at the start of the line"


def test_output_that_begins_like_a_prompt():
    text = "$ emwheels serve --config nginx\n# written by emwheels\n> 3 files\n50 % of it\n#!/bin/sh\n$ pwd"
    (block,) = read(f"```console\n{text}\n```")
    assert len(block.steps) == 2


@pytest.mark.parametrize(
    "text",
    [
        "python_minor = 3\n# emwheels makes it\nx = 'y'",
        "a: b\nrun: |\n  emwheels build numpy",
        "time is what it takes\nnice to have\nA=1 is odd\nnode, page",
    ],
)
@pytest.mark.parametrize("language", ["yaml", "toml"])
def test_what_is_no_command(language, text):
    assert read(f"```{language}\n{text}\n```") == []


def test_a_drawing_is_no_command():
    assert read("```\nrecipe + target -> fetch -> key\nnox.py   the sessions\n```\n\n    python_minor = 3\n") == []
