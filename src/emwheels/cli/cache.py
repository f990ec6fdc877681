"""``emwheels cache``: what the user's cache holds, whether it is whole, and how to make it smaller or share it."""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from emwheels.cli.opening import local_path
from emwheels.errors import EmwheelsError, UsageError
from emwheels.outputs.builds import KIND, check_record, files_of
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.outputs.remote.transfer import push
from emwheels.pipeline.cleaning import clean
from emwheels.progress import Board
from emwheels.store import Store, StoreError
from emwheels.store.local import read_record
from emwheels.store.upkeep import Size, size_below, sizes, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels cache info                         what takes how much space
  emwheels cache gc --older-than 30d          remove what was not used for 30 days
  emwheels cache gc --max-size 5G --dry-run   what would go so that the store has 5 GB at most
  emwheels cache gc --failed                  remove the work folders of builds that failed
  emwheels cache verify                       hash everything again; what is damaged is moved aside
  emwheels cache export /srv/www/builds       lay every build out for a web server; others use it by --remote https://…
"""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SPANS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add_cache(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb to the command's parser."""
    parser = verbs.add_parser(
        "cache",
        help="size, garbage collection, verification and export of what is kept",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("info", parents=[common], help="sizes by kind")
    gc = actions.add_parser("gc", parents=[common], help="remove what is not used, and what killed runs left")
    gc.add_argument("--older-than", type=_seconds, metavar="AGE", help="what was last used longer ago: 30d, 12h")
    gc.add_argument(
        "--max-size", type=_bytes, metavar="SIZE", help="then the least recently used, until this is left: 5G"
    )
    gc.add_argument("--failed", action="store_true", help="all that failed builds left for emwheels debug")
    gc.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    actions.add_parser("verify", parents=[common], help="hash every file again")
    export = actions.add_parser("export", parents=[common], help="write builds as a folder for a web server")
    export.add_argument("folder", type=local_path, metavar="DIR", help="where it goes")


def run_cache(arguments: argparse.Namespace, project: Checkout, _targets: Targets) -> int:
    """Do what the command line asks for and return the exit status: 9 when `verify` found damage."""
    store, board = Store(project.cache / "store"), Board()
    match arguments.action:
        case "info":
            return _info(store, project.cache, as_json=arguments.json)
        case "gc":
            return _gc(arguments, store, project.cache)
        case "verify":
            return _verify(store, board, as_json=arguments.json)
        case _:
            return _export(arguments.folder, store, board, as_json=arguments.json)


def _info(store: Store, cache: Path, *, as_json: bool) -> int:
    by_kind = sizes(store)
    others = {
        folder.name: size_below(folder)
        for folder in sorted(cache.glob("*"))
        if folder != store.root and folder.is_dir() and not folder.is_symlink()
    }
    if as_json:
        plain = {"cache": str(cache), "store": _plain(by_kind), "other": _plain(others)}
        print(json.dumps(plain, indent=1))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("", "entries", "bytes"):
        table.add_column(heading, justify="left" if not heading else "right")
    for title, rows in ((str(store.root), by_kind), (f"elsewhere in {cache}", others)):
        table.add_row(title)
        for name, size in rows.items():
            table.add_row(f"  {name}", f"{size.entries:,}", f"{size.bytes:,}")
    total = sum(size.bytes for rows in (by_kind, others) for size in rows.values())
    table.add_row("total", "", f"{total:,}")
    Console(highlight=False, soft_wrap=True).print(table)
    return 0


def _gc(arguments: argparse.Namespace, store: Store, cache: Path) -> int:
    done = clean(
        store,
        cache,
        older_than=arguments.older_than,
        max_bytes=arguments.max_size,
        failed=arguments.failed,
        dry_run=arguments.dry_run,
    )
    if arguments.json:
        plain: dict[str, Any] = {"removed": _plain(done.removed), "freed": done.freed}
        plain |= {"kept": vars(done.kept), "in use": vars(done.in_use), "dry run": arguments.dry_run}
        print(json.dumps(plain, indent=1))
        return 0
    would = "would remove" if arguments.dry_run else "removed"
    for kind, size in sorted(done.removed.items()):
        print(f"{would} {size.entries:,} of {kind}, {size.bytes:,} bytes")
    print(
        f"{would} {done.freed:,} bytes in all; kept {done.kept.bytes:,}, of which running processes and "
        f"published indexes need {done.in_use.bytes:,}"
    )
    if arguments.older_than is None and arguments.max_size is None and not arguments.failed:
        print("only leftovers are looked at without --older-than or --max-size")
    elif arguments.max_size is not None and done.kept.bytes > arguments.max_size:
        print(f"more than the {arguments.max_size:,} bytes asked for are needed")
    return 0


def _verify(store: Store, board: Board, *, as_json: bool) -> int:
    with board.phase("store", "verify"):
        damage = verify(store, files_of, progress=lambda done, total: board.download("store", done, total))
    if as_json:
        plain = {
            "files": damage.files,
            "records": damage.records,
            "bytes": damage.bytes,
            "damaged": [{"path": str(path), "moved to": str(aside)} for path, aside in damage.damaged],
            "incomplete": [{"path": str(path), "missing": missing} for path, missing in damage.incomplete],
        }
        print(json.dumps(plain, indent=1))
    else:
        for path, aside in damage.damaged:
            print(f"damaged: {path}\n  moved to {aside}; it is made or fetched again when it is needed")
        for path, missing in damage.incomplete:
            print(f"incomplete: {path} names {missing}, which is not there; it is made or fetched again when needed")
        print(
            f"{damage.files:,} files of {damage.bytes:,} bytes and {damage.records:,} records: "
            f"{len(damage.damaged)} damaged, {len(damage.incomplete)} incomplete"
        )
    return StoreError.exit_code if damage.damaged else 0


def _export(folder: Path, store: Store, board: Board, *, as_json: bool) -> int:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    remote = LocalFolder(folder)
    exported, left_out, total = [], [], 0
    for path in sorted((store.root / "records" / KIND).glob("*.json")):
        key = path.stem
        try:
            record = read_record(path)
            check_record(key, record)
            total += push(remote, key, record, files_of(KIND, record), store, anew=False)
            exported.append(key)
        except (ValueError, EmwheelsError) as error:
            left_out.append(key)
            board.say("store", f"left out {key[:12]}: {error}")
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    if as_json:
        print(json.dumps({"folder": str(folder), "builds": exported, "left out": left_out, "bytes": total}, indent=1))
    else:
        print(f"{len(exported)} builds, {total:,} bytes, are in {folder}; serve it and use --remote https://…")
    return 0


def _plain(rows: dict[str, Size]) -> dict[str, dict[str, int]]:
    return {name: vars(size) for name, size in rows.items()}


def _parsed(units: dict[str, int], example: str) -> Callable[[str], float]:
    pattern = re.compile(rf"(\d{{1,15}}(?:\.\d{{1,15}})?)\s*({'|'.join(units)})B?", re.IGNORECASE | re.ASCII)

    def parse(text: str) -> float:
        match = pattern.fullmatch(text.strip())
        if not match:
            raise argparse.ArgumentTypeError(f"{text!r} is not like {example}")
        unit = match[2] if match[2] in units else match[2].swapcase()
        return float(match[1]) * units[unit]

    return parse


_seconds = _parsed(_SPANS, "30d, 12h or 90m")
_size = _parsed(_UNITS, "5G or 500M")


def _bytes(text: str) -> int:
    return int(_size(text))
