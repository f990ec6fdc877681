"""Programs that the tests run in a page and natively, on the same files, to hold one against the other."""

from __future__ import annotations

READ = """
import base64, json
from pathlib import Path
import inkreader
found = {}
for name in NAMES:
    data = Path(name).read_bytes()
    for task in inkreader.TASKS:
        for engine in inkreader.ENGINES:
            answer = inkreader.read(data, task=task, engine=engine)
            found[f"{name} {task} {engine}"] = {
                "text": answer.text,
                "digits": answer.digits,
                "contours": [contour.tolist() for contour in answer.contours],
                "picture": base64.b64encode(answer.picture).decode(),
            }
result = json.dumps(found)
result
"""

CLASSIFY = """
import json, numpy as np
from inkreader.engines import ENGINES, open_model
held = np.load("held.npy")
result = json.dumps({engine: open_model("digits", engine).run(held).tolist() for engine in ENGINES})
result
"""


def natively(program, folder, **names):
    """Run ``program`` in ``folder`` in this interpreter, and return its `result`."""
    import contextlib
    import json

    space = dict(names)
    with contextlib.chdir(folder):
        exec(program, space)
    return json.loads(space["result"])
