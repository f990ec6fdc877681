"""Opens a shell, or runs a command, where pyodide-build would call a package's build backend. Runs in the sandbox.

The first argument is a JSON object, the others are the command. pyodide-build does all that it does before: it makes
the tree, the wrappers of compilers and the environment of build requirements. Its variables and PATH are the shell's.
Scripts of the recipe are not run again; only what they export is read, as far as it stands on a line of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from build import ProjectBuilder
from pyodide_build import pypabuild, pywasmcross  # type: ignore[import-not-found]
from pyodide_build.cli import build_recipes  # type: ignore[import-not-found]
from pyodide_build.recipe import bash_runner  # type: ignore[import-not-found]
from pyodide_build.recipe import builder as recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GIVEN = json.loads(sys.argv[1])
_COMMAND = sys.argv[2:]
_OUTPUT = os.dup(1)
"""Where the command's output goes; what pyodide-build says before goes to standard error."""
_EXPORT = re.compile(r"export [A-Za-z_]\w*=.*(?<!\\)")
_SCRIPT = "/tmp/build-script.sh"  # noqa: S108  the sandbox's own


def enter(run: Callable[[list[str]], object], env: Mapping[str, str]) -> NoReturn:
    """Run what was asked for by ``run``, and end with its status: what is below this has nothing left to do."""
    command = _COMMAND
    if not command:
        _tell(env)
        prompt = f"emwheels {_GIVEN['spelling']}:\\w$ "
        command = ["env", f"PS1={prompt}", f"TERM={_GIVEN['terminal']}", "bash", "--norc", "-i"]
    sys.stdout.flush()
    os.dup2(_OUTPUT, 1)
    status = 0
    try:
        run(command)
    except subprocess.CalledProcessError as error:
        status = error.returncode if error.returncode >= 0 else 128 - error.returncode
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        status = 127
    os._exit(status)


def enter_backend(builder: Any, *_: object) -> NoReturn:
    """Stand for ``ProjectBuilder.build``: the environment of build requirements is complete, and is in effect."""
    enter(lambda command: builder._runner(command, cwd=builder.source_dir), os.environ)


def _enter_with(env: dict[str, str], folder: Path) -> NoReturn:
    enter(lambda command: subprocess.run(command, env=env, cwd=folder, check=True), env)


def build(srcdir: Path, outdir: Path, build_env: dict[str, str], settings: Any, **options: Any) -> NoReturn:
    """Stand for ``pypabuild.build``; where the build requirements cannot be had, the shell is without them."""
    try:
        _build(srcdir, outdir, build_env, settings, **options)
    except SystemExit:
        print("The build requirements could not be installed, so the shell is without them; see above.")
    path = f"{build_env['COMPILER_WRAPPER_DIR']}:{build_env['PATH']}"
    _enter_with({**build_env, "PATH": path, "BUILD_ENV_SCRIPTS_DIR": "/usr/bin"}, srcdir)


def run_exports(runner: Any, script: str | None, *, script_name: str, **options: Any) -> Any:
    """Stand for a script of the recipe: only its lines that export something are run, and the whole is put aside."""
    if not script or script_name not in ("build script", "cross script", "post script"):
        return _run(runner, script, script_name=script_name, **options)
    with Path(_SCRIPT).open("a") as file:
        file.write(f"# {script_name}\n{script}\n")
    exports = [line for line in script.splitlines() if _EXPORT.fullmatch(line)]
    return _run(runner, "\n".join(exports), script_name=f"exports of the {script_name}", **options)


def enter_library(builder: Any, runner: Any) -> NoReturn:
    """Stand for the build of a library, which is its script."""
    run_exports(runner, builder.build_metadata.script, script_name="build script", cwd=builder.src_extract_dir)
    _enter_with(dict(runner.env), builder.src_extract_dir)


def _tell(env: Mapping[str, str]) -> None:
    """Print what failed, as it was run and as it is with the wrapper's flags, and where the logs are."""
    print()
    if failed := _GIVEN["failed"]:
        print(f"What failed, as the log shows it:\n  {_plain(failed)}")
        if true := _true_command(failed, env):
            print(f"With what the wrapper makes of it:\n  {_plain(true)}")
    if _GIVEN["logs"]:
        print("Logs:")
        for log in _GIVEN["logs"]:
            print(f"  {_plain(log)}")
    if Path(_SCRIPT).exists():
        print(f"The recipe's own scripts, of which only the exports were run: {_SCRIPT}")
    print("Changes stay until the next build. Leave with exit.\n", flush=True)


def _true_command(failed: str, env: Mapping[str, str]) -> str:
    """Return the command line of Emscripten that pyodide-build's wrapper makes of one."""
    try:
        words = shlex.split(failed)
        given = json.loads(env["PYWASMCROSS_ARGS"])
    except (ValueError, KeyError):
        return ""
    words[0] = words[0].rpartition("/")[2]
    if words[0] not in pywasmcross.SYMLINKS - {"cmake", "meson"}:
        return ""
    args = {name: given[name] for name in pywasmcross.CrossCompileArgs._fields}
    for exports in (args["exports"], "whole_archive"):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit, AssertionError):
            made = pywasmcross.handle_command_generate_args(
                list(words), pywasmcross.CrossCompileArgs(**args | {"exports": exports})
            )
            return shlex.join(made) if isinstance(made, list) else ""
    return ""


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


_build, _run = pypabuild.build, bash_runner.BashRunnerWithSharedEnvironment.run


def main() -> int:
    """Have pyodide-build come as far as the shell; returns only if it does not get there."""
    pypabuild.build = build
    ProjectBuilder.build = enter_backend  # type: ignore[method-assign, assignment]
    bash_runner.BashRunnerWithSharedEnvironment.run = run_exports
    recipes.RecipeBuilder._redirect_stdout_stderr_to_logfile = lambda _: None
    for kind in (recipes.RecipeBuilderStaticLibrary, recipes.RecipeBuilderSharedLibrary):
        kind._build_package = enter_library
    os.dup2(2, 1)
    going_on = ["--continue"] if _GIVEN["again"] else []
    build_recipes.build_recipes_no_deps.main(
        [_GIVEN["spelling"], "--force-rebuild", *going_on, *_GIVEN["arguments"]], standalone_mode=False
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
