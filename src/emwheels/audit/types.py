"""C++ types that two modules of a wheel keep apart -> findings.

libc++abi (LLVM 21) takes two types for the same if their names are at the same address (``is_equal`` in its
``private_typeinfo.cpp``). A module that is bound to a name of its own does not know another module's objects:
``dynamic_cast`` of one gives nothing, ``catch`` lets its exceptions pass.

A typeinfo starts with the address of one of libc++abi's vtables, which the runtime has, and that of the name (Itanium
C++ ABI, 2.9.5). The name is the module's own, or one that the loader looks up for all modules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.audit.contents import Contents
    from emwheels.audit.model import Severity
    from emwheels.audit.wasm import Memory

_WORD = 4
_NAME_LIMIT = 4000
_SHOWN = 3
_TYPEINFO = re.compile(r"GOT\.mem\._ZTVN10__cxxabiv1\d+__\w*type_infoE")
_NAME = "GOT.mem._ZTS"
_OF_ONE_FILE = re.compile(r"_GLOBAL__N_1|Ul.*?E\d*_|Ut\d*_|[ZN]L\d")
"""Anonymous namespaces, lambdas and other types without a name, and what is in a function of one file only."""
_LENGTH = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, kw_only=True)
class Types:
    """The names of the C++ types that a module has typeinfo of, as the Itanium C++ ABI writes them."""

    own: frozenset[str]
    """Those whose name no other module can have."""
    shared: frozenset[str]


def read_types(memory: Memory) -> Types:
    """Find the typeinfo in a side module's memory."""
    own, shared = set(), set()
    for address, symbol in memory.imported.items():
        if not _TYPEINFO.fullmatch(symbol):
            continue
        name = address + _WORD
        if (imported := memory.imported.get(name, "")).startswith(_NAME):
            shared.add(imported.removeprefix(_NAME))
        elif (target := memory.pointers.get(name)) is not None and (text := memory.text(target, _NAME_LIMIT)):
            own.add(text)
    return Types(own=frozenset(own), shared=frozenset(shared))


def split_types(modules: Mapping[str, Types]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield some of ``modules`` and the types that each of them has for itself, though another has them as well."""
    holders: dict[str, list[str]] = {}
    for member, types in sorted(modules.items()):
        for name in types.own | types.shared:
            if not _OF_ONE_FILE.search(name):
                holders.setdefault(name, []).append(member)
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, members in sorted(holders.items()):
        if len(members) > 1 and any(name in modules[member].own for member in members):
            groups.setdefault(tuple(members), []).append(name)
    yield from groups.items()


def check_types(modules: Mapping[str, Types], accepted: Sequence[str], contents: Contents) -> None:
    """Report the types that the wheel's ``modules`` keep apart, but for those that a pattern of ``accepted`` fits.

    The patterns (`fnmatch`) are of readable names, such as ``geos::geom::*``. It is a warning where each of the modules
    shares other types that it defines: those that it does not share are hidden, which the package's author or a library
    such as pybind11 has chosen. Where a module shares none, that cannot be told, and it is an error.
    """
    for members, names in split_types(modules):
        readable = [each for each in map(readable_name, names) if not any(fnmatchcase(each, it) for it in accepted)]
        if not readable:
            continue
        shown = ", ".join(readable[:_SHOWN]) + (f" and {len(readable) - _SHOWN} more" if len(readable) > _SHOWN else "")
        message = f"{', '.join(members)} keep C++ types apart that are the same ({shown}): dynamic_cast and catch fail"
        if all(modules[member].shared for member in members):
            advice = (
                "they are hidden: make them visible if one module hands them to another, or accept it in the recipe"
            )
            severity: Severity = "warning"
        else:
            advice = "link through emcc, from objects, or accept it in the recipe"
            severity = "error"
        contents.report("split-type", members[0], f"{message}; {advice} (extra.emwheels.accepted)", severity)


def readable_name(mangled: str) -> str:
    """Return a type's name as C++ writes it, or as it is where it is no plain or nested name."""
    nested = mangled.startswith("N")
    parts, rest = [], mangled[nested:]
    while match := _LENGTH.match(rest):
        end = match.end() + int(match[0])
        if end > len(rest):
            return mangled
        parts.append(rest[match.end() : end])
        rest = rest[end:]
    return "::".join(parts) if parts and rest == "E" * nested else mangled
