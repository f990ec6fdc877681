"""Built wheels under their own names, and the hash of what each holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.errors import HarnessError
from emwheels.wheel import UNREADABLE, content_of, modules_of

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.outputs.builds import Output
    from emwheels.store import Store


def named_wheel(output: Output, store: Store, folder: Path) -> Path:
    """Return a copy of the wheel below ``folder`` under its own name, which tells what it is."""
    path = folder / output.sha256[:24] / output.filename
    if not path.is_file():
        write_atomically(path, store.get(output.kind, output.sha256).read_bytes())
    return path


def modules(output: Output, store: Store) -> list[str]:
    """Return what can be imported of a wheel. Raises `HarnessError` for one that cannot be read."""
    try:
        return modules_of(store.get(output.kind, output.sha256))
    except UNREADABLE as error:
        raise HarnessError(f"{output.filename}: not a wheel that can be read ({error})") from error


def content(output: Output, store: Store) -> str:
    """Return the hash of what a wheel holds, whatever was known of its making; of a library, that of its bytes."""
    if output.kind != "wheels":
        return output.sha256
    record = store.get_record("contents", output.sha256)
    if record is None:
        record = {"content": content_of(store.get(output.kind, output.sha256))}
        store.add_record("contents", output.sha256, record)
    return str(record["content"])
