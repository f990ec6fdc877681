"""python lock_by_library.py LOCK FOLDER: the lock with the wheels of a folder, as pyodide-lock makes it, on stdout.

Runs in the build image, which has the library, but not pkginfo, with which it reads metadata.
"""

import json
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from types import SimpleNamespace

from pyodide_lock import PyodideLockSpec, utils


def metadata_of(path):
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = Parser().parsestr(archive.read(name).decode())
    needs = message.get_all("Requires-Dist", [])
    return SimpleNamespace(name=message["Name"], version=message["Version"], requires_dist=needs)


lock, folder = map(Path, sys.argv[1:])
utils._wheel_metadata = metadata_of
# pyodide-lock 0.2.1 knows no platform tag of PEP 783.
utils._check_wheel_compatible = lambda _path, _info: None
made = utils.add_wheels_to_spec(PyodideLockSpec.from_json(lock), sorted(folder.glob("*.whl")), base_url="wheels/")
print(json.dumps(made.to_dict()))
