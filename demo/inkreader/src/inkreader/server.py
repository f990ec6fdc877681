"""The program as it runs on a server: a picture in; an answer, and a picture with the answer drawn, out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from inkreader.engines import ENGINES, ModelError
from inkreader.pictures import PictureError
from inkreader.reader import TASKS, read

_EXAMPLES = """examples:
  inkreader page.jpg                                   the digits, and page.answer.png
  inkreader page.jpg --task clean --engine onnxruntime
  inkreader page.jpg --json --history answers.jsonl
"""


def answer(
    picture: bytes,
    *,
    name: str,
    task: str = "digits",
    engine: str = "opencv",
    model: bytes | None = None,
    history: str | None = None,
) -> tuple[str, bytes]:
    """Return the answer for an encoded picture as JSON, and what was drawn as a PNG file.

    The JSON has ``name``, ``task``, ``engine``, ``text``, ``digits`` and ``milliseconds`` (by stage). It is also
    added to the file ``history`` as a line. Raises `PictureError`, `ModelError`, and `OSError` for the history.
    """
    found = read(picture, task=task, engine=engine, model=model)
    row = {"name": name, "task": task, "engine": engine, "text": found.text}
    if history:
        with Path(history).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
    return json.dumps(row | {"digits": found.digits, "milliseconds": found.milliseconds}), found.picture


def main(argv: list[str] | None = None) -> int:
    """Read the picture that the command line names, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="inkreader", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("--task", choices=TASKS, default="digits")
    parser.add_argument("--engine", choices=ENGINES, default="opencv")
    parser.add_argument("--model", type=Path, metavar="ONNX", help="a model in place of the task's own")
    parser.add_argument("--output", type=Path, metavar="PNG", help="what is drawn (default: PICTURE.answer.png)")
    parser.add_argument("--history", metavar="FILE", help="add the answer to this file, a line of JSON each")
    parser.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    given = parser.parse_args(argv)
    try:
        said, drawn = answer(
            given.picture.read_bytes(),
            name=given.picture.name,
            task=given.task,
            engine=given.engine,
            model=given.model.read_bytes() if given.model else None,
            history=given.history,
        )
        (given.output or given.picture.with_suffix(".answer.png")).write_bytes(drawn)
    except (PictureError, ModelError, OSError) as error:
        print(f"inkreader: {given.picture}: {error}", file=sys.stderr)
        return 1
    print(said if given.json else json.loads(said)["text"])
    return 0
