"""Types and modules that a library defines -> findings: a slot whose function has another type than Python calls.

Native machines do not mind a ``tp_clear`` that returns nothing. WebAssembly ends the interpreter, and often not before
the garbage collector meets an object of that type (CPython had it itself: gh-156762). Compilers do not see it: in
``PyType_Slot`` every function is a ``void *``, and for ``PyTypeObject`` it is cast.

Looked at is what is known before anything runs: ``PyType_Spec`` with its slots, static ``PyTypeObject`` and
``PyModuleDef``, on wasm32. Layouts and numbers are those of CPython 3.14 and 3.15 (``Include/cpython/object.h``,
``Include/typeslots.h``, ``Include/moduleobject.h``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.audit import wasm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.audit.contents import Contents

_WORD = 4
_NAME_LIMIT = 200
_SIZE_LIMIT = 1 << 20


def _signatures(numbers: dict[int, str], parameters: int, results: int = 1) -> dict[int, tuple[str, wasm.Signature]]:
    signature = wasm.Signature(parameters=("i32",) * parameters, results=("i32",) * results)
    return {number: (name, signature) for number, name in numbers.items()}


# tp_call is missing: Python calls it, as it does methods and getters, in a way that forgives here.
_UNARY = {4: "mp_length", 6: "nb_absolute", 9: "nb_bool", 11: "nb_float", 13: "nb_index", 26: "nb_int"}
_UNARY |= {27: "nb_invert", 30: "nb_negative", 32: "nb_positive", 45: "sq_length", 51: "tp_clear", 59: "tp_hash"}
_UNARY |= {61: "tp_is_gc", 62: "tp_iter", 63: "tp_iternext", 66: "tp_repr", 70: "tp_str"}
_UNARY |= {77: "am_await", 78: "am_aiter", 79: "am_anext"}
_BINARY = {5: "mp_subscript", 7: "nb_add", 8: "nb_and", 10: "nb_divmod", 12: "nb_floor_divide"}
_BINARY |= {14: "nb_inplace_add", 15: "nb_inplace_and", 16: "nb_inplace_floor_divide", 17: "nb_inplace_lshift"}
_BINARY |= {18: "nb_inplace_multiply", 19: "nb_inplace_or", 21: "nb_inplace_remainder", 22: "nb_inplace_rshift"}
_BINARY |= {23: "nb_inplace_subtract", 24: "nb_inplace_true_divide", 25: "nb_inplace_xor", 28: "nb_lshift"}
_BINARY |= {29: "nb_multiply", 31: "nb_or", 34: "nb_remainder", 35: "nb_rshift", 36: "nb_subtract"}
_BINARY |= {37: "nb_true_divide", 38: "nb_xor", 40: "sq_concat", 41: "sq_contains", 42: "sq_inplace_concat"}
_BINARY |= {43: "sq_inplace_repeat", 44: "sq_item", 46: "sq_repeat", 47: "tp_alloc", 57: "tp_getattr"}
_BINARY |= {58: "tp_getattro", 75: "nb_matrix_multiply", 76: "nb_inplace_matrix_multiply"}
_TERNARY = {1: "bf_getbuffer", 3: "mp_ass_subscript", 20: "nb_inplace_power", 33: "nb_power", 39: "sq_ass_item"}
_TERNARY |= {54: "tp_descr_get", 55: "tp_descr_set", 60: "tp_init", 65: "tp_new", 67: "tp_richcompare"}
_TERNARY |= {68: "tp_setattr", 69: "tp_setattro", 71: "tp_traverse", 81: "am_send"}
_SLOTS = _signatures(_UNARY, 1) | _signatures(_BINARY, 2) | _signatures(_TERNARY, 3)
_SLOTS |= _signatures({52: "tp_dealloc", 53: "tp_del", 74: "tp_free", 80: "tp_finalize"}, 1, 0)
_SLOTS |= _signatures({2: "bf_releasebuffer"}, 2, 0)
"""Number in ``PyType_Slot`` -> name, and type of the function."""
_MODULE_CREATE, _MODULE_EXEC, _MODULE_TRAVERSE, _MODULE_CLEAR, _MODULE_FREE = 101, 102, 103, 104, 105
"""Numbers of our own for what a ``PyModuleDef`` has, beyond those of ``PyType_Slot``."""
_SLOTS |= _signatures({_MODULE_EXEC: "Py_mod_exec", _MODULE_CLEAR: "m_clear"}, 1)
_SLOTS |= _signatures({_MODULE_CREATE: "Py_mod_create"}, 2) | _signatures({_MODULE_TRAVERSE: "m_traverse"}, 3)
_SLOTS |= _signatures({_MODULE_FREE: "m_free"}, 1, 0)
_MODULE_FUNCTIONS = {10: _MODULE_TRAVERSE, 11: _MODULE_CLEAR, 12: _MODULE_FREE}
"""Word of ``PyModuleDef`` -> number above."""
_MODULE_NAME, _MODULE_DOC, _MODULE_METHODS, _MODULE_SLOT_LIST = 5, 6, 8, 9
_LAST_SLOT = 90
_MODULE_SLOTS = 10
"""Numbers up to this one are those of ``PyModuleDef_Slot``, and of NumPy's own lists, as well."""

_FIELDS = {6: 52, 8: 57, 9: 68, 11: 66, 15: 59, 17: 70, 18: 58, 19: 69, 23: 71, 24: 51, 25: 67, 27: 62, 28: 63}
_FIELDS |= {34: 54, 35: 55, 37: 60, 38: 47, 39: 65, 40: 74, 41: 61, 47: 53, 49: 80}
"""Word of ``PyTypeObject`` -> number in ``PyType_Slot``, of those that are functions."""
_CALL, _VECTORCALL = 16, 50
_NUMBER = (7, 36, 29, 34, 10, 33, 30, 32, 6, 9, 27, 28, 35, 8, 38, 31, 26, 0, 11)
_NUMBER_IN_PLACE = (14, 23, 18, 21, 20, 17, 22, 15, 25, 19)
_TABLES = {
    10: (77, 78, 79, 81),
    12: (*_NUMBER, *_NUMBER_IN_PLACE, 12, 37, 16, 24, 13, 75, 76),
    13: (45, 40, 46, 44, 0, 39, 0, 41, 42, 43),
    14: (4, 5, 3),
    20: (1, 2),
}
"""Word of ``PyTypeObject`` that points to a further table of functions -> their numbers in ``PyType_Slot``, or 0."""
_OTHERS = (22, 29, 30, 31, 32, 33)
"""Words of ``PyTypeObject`` that point to anything else: text, methods, members, base, dictionary."""


def calls_python(module: wasm.Module) -> bool:
    """Tell whether a library calls CPython: one that does not has data that look like types of Python at most.

    HDF5's free lists do, whose names are followed by what frees them.
    """
    return any(entry.name.startswith(("Py", "_Py")) for entry in module.imports)


def check_slots(member: str, memory: wasm.Memory, contents: Contents) -> None:
    """Report each slot of a type or module in a library's memory that Python would call by another type of function."""
    for message in wrong_slots(memory):
        contents.report("slot", member, f"{message}: mend the function, the call ends the interpreter")


def wrong_slots(memory: wasm.Memory) -> list[str]:
    """Say of each kind of wrong slot what it is, what Python calls it as, and which types or modules have it."""
    owners: dict[tuple[str, str], set[str]] = {}
    for name, number, address in (*_of_specs(memory), *_of_static_types(memory), *_of_modules(memory)):
        signature = memory.functions.get(address)
        slot, expected = _SLOTS.get(number, ("", signature))
        if signature is not None and signature != expected:
            owner = "module" if number > _LAST_SLOT else "type"
            what = f"has {slot} as {signature}, and Python calls it as {expected}"
            owners.setdefault((owner, what), set()).add(name)
    return [f"{owner} {', '.join(sorted(names))} {what}" for (owner, what), names in owners.items()]


def _of_specs(memory: wasm.Memory) -> Iterator[tuple[str, int, int]]:
    """Yield name, slot and address of the slot's function for each ``PyType_Spec``.

    It is a pointer to the name, basicsize, itemsize, flags, and a pointer to the slots, which end with a zero.
    """
    for address, target in memory.pointers.items():
        slots = memory.pointers.get(address + 4 * _WORD)
        if slots is None or not _are_sizes(memory, address + _WORD) or memory.plain(address + 3 * _WORD) is None:
            continue
        name = memory.text(target, _NAME_LIMIT)
        numbers = _slots_at(memory, slots)
        if name and max(numbers, default=0) > _MODULE_SLOTS:
            yield from ((name, number, where) for number, where in numbers.items())


def _slots_at(memory: wasm.Memory, address: int) -> dict[int, int]:
    """Return number -> address of its function for the slots there; nothing if they are no slots."""
    functions: dict[int, int] = {}
    while (number := memory.plain(address)) and number <= _LAST_SLOT:
        function = address + _WORD
        if not memory.is_pointer(function) and memory.word(function):
            return {}
        if functions.setdefault(number, function) != function:
            return {}
        address += 2 * _WORD
    return functions if number == 0 and memory.plain(address + _WORD) == 0 else {}


def _of_static_types(memory: wasm.Memory) -> Iterator[tuple[str, int, int]]:
    """Yield name, slot and address of the slot's function for each ``PyTypeObject``.

    It starts with references, type, 0, a pointer to the name, basicsize, itemsize.
    """
    for address, target in memory.pointers.items():
        start = address - 3 * _WORD
        if not memory.plain(start) or memory.plain(start + 2 * _WORD) != 0 or not _are_sizes(memory, address + _WORD):
            continue
        name = memory.text(target, _NAME_LIMIT)
        if name and memory.word(address + _WORD) and _is_type(memory, start):
            yield from ((name, number, start + word * _WORD) for word, number in _FIELDS.items())
            for word, numbers in _TABLES.items():
                if (table := memory.pointers.get(start + word * _WORD)) is not None:
                    yield from ((name, number, table + i * _WORD) for i, number in enumerate(numbers) if number)


def _are_sizes(memory: wasm.Memory, address: int) -> bool:
    """Tell whether basicsize and itemsize may be there."""
    sizes = memory.plain(address), memory.plain(address + _WORD)
    return all(size is not None and size < _SIZE_LIMIT for size in sizes)


def _is_type(memory: wasm.Memory, start: int) -> bool:
    """Tell whether each word of the type that starts there is what it has to be: a function, something else, or 0."""
    for word in (*_FIELDS, _CALL, _VECTORCALL, *_TABLES, *_OTHERS):
        address = start + word * _WORD
        if not memory.is_pointer(address) and memory.word(address) != 0:
            return False
        if address in (memory.functions if word in {*_TABLES, *_OTHERS} else memory.pointers):
            return False
    return True


def _of_modules(memory: wasm.Memory) -> Iterator[tuple[str, int, int]]:
    """Yield name, slot and address of the slot's function for each ``PyModuleDef``.

    It starts with references, four zeros, and pointers to the name and to the documentation.
    """
    for address, target in memory.pointers.items():
        start = address - _MODULE_NAME * _WORD
        if not memory.plain(start) or any(memory.plain(start + word * _WORD) != 0 for word in range(1, 5)):
            continue
        name = memory.text(target, _NAME_LIMIT)
        if name and _is_module(memory, start):
            yield from ((name, number, start + word * _WORD) for word, number in _MODULE_FUNCTIONS.items())
            slots = memory.pointers.get(start + _MODULE_SLOT_LIST * _WORD)
            while slots is not None and (number := memory.plain(slots)) and number <= _MODULE_SLOTS:
                if number + 100 in (_MODULE_CREATE, _MODULE_EXEC):
                    yield name, number + 100, slots + _WORD
                slots += 2 * _WORD


def _is_module(memory: wasm.Memory, start: int) -> bool:
    """Tell whether each word of the module's definition that starts there is what it has to be."""
    for word in (_MODULE_DOC, _MODULE_METHODS, _MODULE_SLOT_LIST):
        address = start + word * _WORD
        if address in memory.functions or (address not in memory.pointers and memory.plain(address) != 0):
            return False
    functions = (start + word * _WORD for word in _MODULE_FUNCTIONS)
    return all(address in memory.functions or memory.plain(address) == 0 for address in functions)
