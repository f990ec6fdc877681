"""Scripts and flags of recipes for pyodide-build, as they can run in a build that has no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Providers = Callable[[str], list[str]]
"""Name of one of Emscripten's ports -> the recipes that have the same library."""


@dataclass(kw_only=True)
class Changes:
    """What becomes of one recipe."""

    done: list[str] = field(default_factory=list)
    """Conversions that were made."""
    left: list[str] = field(default_factory=list)
    """What has to be done by hand before it can be built."""
    hosts: list[str] = field(default_factory=list)
    """Recipes that take the place of Emscripten's ports."""


_RUSTUP = re.compile(r"rustup\b.*|(?:source|\.)\s++(?=\S*?cargo/env)\S++|.*\bsh\.rustup\..*")
_PREFIX = re.compile(r"(?:/src|\$\{?PYODIDE_ROOT\}?)/packages/\.libs\b")
_ROOT = re.compile(r"(?<![\w./~}-])/src/\S*|\$\{?PYODIDE_ROOT\}?\S*")
_EMBUILDER = re.compile(r"embuilder\s(?P<words>[^&|;<>]*)")
_DOWNLOADS = re.compile(
    r"\b(?:curl|wget)\s+\S|\bgit\s+(?:clone|fetch|submodule)\b|\bpip3?\s+(?:install|download)\b|\bnpm\s+(?:i|ci|install)\b"
)
_SYSROOT = re.compile(r"em-config\s+CACHE|EMSDK\}?/upstream")
_PORT = re.compile(
    r"(?<![^\s\"'=])(?P<quote>[\"']?)(?:-s\s*USE_(?P<old>[A-Z0-9_]+)=[12]|--use-port=(?P<new>[a-z0-9_]++)[^\s\"']*+)(?P=quote)"
)
_SYSTEM = re.compile(r"lib(?:c|m|dlmalloc|compiler_rt|c\+\+|c\+\+abi|unwind|html5|stubs|noexit)\b.*")
_SHOWN = 90


def script(text: str, key: str, providers: Providers, changes: Changes) -> str:
    """Return a script without what is not needed here; note what it does that no build here can do."""
    kept = []
    for line in text.splitlines(keepends=True):
        shown = f"{key}: {line.strip()[:_SHOWN]}"
        command = line.strip()
        if command.startswith("#"):
            kept.append(line)
        elif _RUSTUP.fullmatch(command):
            changes.done.append(f"{shown}: left out, the image has Rust")
        elif ports := _EMBUILDER.fullmatch(command):
            kept += _without_ports(ports["words"], line, shown, providers, changes)
        else:
            kept.append(_line(line, shown, providers, changes))
    return "".join(kept)


def flags(text: str, key: str, providers: Providers, changes: Changes) -> str:
    """Return compiler or linker flags with recipes in place of ports."""
    return _moved(_with_recipes(text, key, providers, changes), key, changes)


def _line(line: str, shown: str, providers: Providers, changes: Changes) -> str:
    line = _with_recipes(_moved(line, shown, changes), shown, providers, changes)
    if _DOWNLOADS.search(line):
        changes.left.append(
            f"{shown}: a build has no network. Name the file under extra.emwheels.downloads, or write a recipe for it"
        )
    if _SYSROOT.search(line):
        changes.left.append(f"{shown}: libraries are below ${{WASM_LIBRARY_DIR}}, from recipes under requirements.host")
    return line


def _moved(text: str, shown: str, changes: Changes) -> str:
    new = _PREFIX.sub("${WASM_LIBRARY_DIR}", text)
    if new != text:
        changes.done.append(f"{shown}: the folder of libraries is ${{WASM_LIBRARY_DIR}}")
    if found := _ROOT.search(new):
        changes.left.append(f"{shown}: {found[0]} is a folder of Pyodide's own tree, which is not here")
    return new


def _without_ports(words: str, line: str, shown: str, providers: Providers, changes: Changes) -> Iterable[str]:
    """Return nothing in place of a call of embuilder if recipes have all that it makes, else the line."""
    names = [word.strip("'\"") for word in words.split() if word != "build" and not word.startswith("-")]
    missing = [name for name in names if not _SYSTEM.fullmatch(name) and not _take(name, providers, changes)]
    if missing:
        changes.left.append(f"{shown}: a port is downloaded. Write a recipe for {', '.join(missing)}")
        return [line]
    changes.done.append(f"{shown}: left out, recipes have these libraries")
    return []


def _with_recipes(text: str, shown: str, providers: Providers, changes: Changes) -> str:
    def replace(port: re.Match[str]) -> str:
        name = (port["new"] or port["old"]).lower()
        if _take(name, providers, changes):
            changes.done.append(f"{shown}: {port[0].strip()} is left out, a recipe has this library")
            return ""
        changes.left.append(f"{shown}: {port[0].strip()} downloads a port. Write a recipe for {name}")
        return port[0]

    return _PORT.sub(replace, text)


def _take(name: str, providers: Providers, changes: Changes) -> bool:
    """Note the recipe that has what a port has; tell whether there is one."""
    plain = re.sub(r"[:\-](?:legacy\w*|wasm\w*|\w+=).*", "", name)
    found = providers(plain)
    changes.hosts += [each for each in found[:1] if each not in changes.hosts]
    return bool(found)
