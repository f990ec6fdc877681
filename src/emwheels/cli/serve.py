"""``emwheels serve``: the published folder over HTTP, or the same rules as configuration of another server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.errors import UsageError
from emwheels.serve import CONFIGURATIONS, configuration, serve

if TYPE_CHECKING:
    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels serve                                   dist/ at http://127.0.0.1:8000
  emwheels serve --host 0.0.0.0 --port 8080        for the whole intranet
  emwheels serve --isolated                        pages may use threads (SharedArrayBuffer)
  emwheels serve --config nginx --root /srv/wheels > /etc/nginx/conf.d/wheels.conf
  emwheels serve --config headers --output         writes dist/_headers
"""


def add_serve(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "serve",
        parents=[common],
        help="serve dist/, or write the configuration of another server",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, help="what to serve (default: dist)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (8000)")
    parser.add_argument("--isolated", action="store_true", help="cross-origin isolation of pages (COOP and COEP)")
    parser.add_argument("--quiet", action="store_true", help="do not print each request")
    parser.add_argument("--config", choices=list(CONFIGURATIONS), help="print a configuration and serve nothing")
    parser.add_argument("--root", help="with --config: where the folder is on the server")
    parser.add_argument(
        "--output",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="FILE",
        help="with --config: write a file; without a name the usual one, _headers into the folder, others into ci",
    )


def run_serve(arguments: argparse.Namespace, project: Checkout, _targets: Targets) -> int:
    """Serve until stopped, or write a configuration."""
    folder = (arguments.folder or project.dist).resolve()
    if arguments.config is None:
        if not 0 <= arguments.port < 1 << 16:
            raise UsageError(f"--port {arguments.port}: ports are 0 to 65535")
        serve(
            folder,
            host=arguments.host,
            port=arguments.port,
            isolated=arguments.isolated,
            access_log=not arguments.quiet,
            ready=lambda address: print(
                f"{folder} at {address} (index: {address}/simple/); stop with Ctrl-C", flush=True
            ),
        )
        return 0
    profiles = [path.parent.name for path in folder.glob("*/simple") if not path.parent.name.startswith(".")]
    text = configuration(
        arguments.config,
        root=arguments.root or str(folder),
        listen=f"{arguments.host}:{arguments.port}",
        isolated=arguments.isolated,
        folders=sorted(profiles),
    )
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    where = folder if arguments.config == "headers" else project.root / "ci"
    output = arguments.output if arguments.output != Path() else where / CONFIGURATIONS[arguments.config]
    output.write_text(text, encoding="utf-8")
    print(output)
    return 0
