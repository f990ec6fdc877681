"""emwheels.audit.slots, on memory laid out here as CPython 3.14 lays out types on wasm32."""

from __future__ import annotations

import struct

import pytest

from emwheels.audit.contents import Contents
from emwheels.audit.slots import check_slots, wrong_slots
from emwheels.audit.wasm import Memory, Signature

TP_CLEAR, TP_DEALLOC, TP_DOC, TP_TRAVERSE, TP_CALL = 51, 52, 56, 71, 50


def signature(parameters: int, results: int) -> Signature:
    return Signature(parameters=("i32",) * parameters, results=("i32",) * results)


CLEAR, DEALLOC, TRAVERSE = signature(1, 1), signature(1, 0), signature(3, 1)


class Layout:
    """Words and texts at chosen addresses; pointers and functions are noted."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}
        self.pointers: dict[int, int] = {}
        self.functions: dict[int, Signature] = {}
        self.foreign: set[int] = set()

    def put(self, address: int, *values: int | tuple[int] | Signature | str) -> None:
        """Put words one after the other: a number, ``(address,)``, the type of a function, or "foreign"."""
        for where, value in enumerate(values):
            place = address + 4 * where
            self.words[place] = value if isinstance(value, int) else 0
            if isinstance(value, tuple):
                self.pointers[place] = value[0]
            elif isinstance(value, Signature):
                self.functions[place] = value
            elif value == "foreign":
                self.foreign.add(place)

    def memory(self) -> Memory:
        data = bytearray(2000)
        data[:11] = b"pack.Thing\0"
        for place, value in self.words.items():
            struct.pack_into("<I", data, place, value)
        return Memory(
            segments=[(0, bytes(data))],
            pointers=self.pointers,
            functions=self.functions,
            foreign=frozenset(self.foreign),
        )


def spec(*slots, sizes=(24, 0, 0)) -> Memory:
    layout = Layout()
    layout.put(100, (0,), *sizes, (200,))
    layout.put(200, *slots)
    return layout.memory()


def static(fields, *, references=1) -> Memory:
    layout = Layout()
    words = [references, "foreign", 0, (0,), 24, 0] + [0] * 46
    for word, value in fields.items():
        words[word] = value
    layout.put(300, *words)
    return layout.memory()


@pytest.mark.parametrize(
    "memory",
    [
        spec(TP_DEALLOC, DEALLOC, TP_CLEAR, DEALLOC, 0, 0),
        static({6: DEALLOC, 23: TRAVERSE, 24: DEALLOC}),
        static({24: DEALLOC, 29: (8,), 18: "foreign"}, references=0xC0000000),
    ],
)
def test_a_clear_that_returns_nothing(memory):
    (message,) = wrong_slots(memory)
    assert message == "type pack.Thing has tp_clear as (i32) -> (), and Python calls it as (i32) -> (i32)"


@pytest.mark.parametrize(
    "memory",
    [
        spec(TP_DEALLOC, DEALLOC, TP_CLEAR, CLEAR, TP_TRAVERSE, TRAVERSE, TP_DOC, (0,), 0, 0),
        spec(TP_CLEAR, "foreign", TP_DEALLOC, DEALLOC, 0, 0),
        static({6: DEALLOC, 23: TRAVERSE, 24: CLEAR, 22: (0,), 29: (8,)}),
    ],
)
def test_right_types(memory):
    assert wrong_slots(memory) == []


def test_calls_may_have_any_type():
    assert wrong_slots(spec(TP_CALL, signature(2, 1), TP_DEALLOC, DEALLOC, 0, 0)) == []
    assert wrong_slots(static({16: signature(2, 1)})) == []


@pytest.mark.parametrize(
    "memory",
    [
        spec(1, CLEAR, 2, CLEAR, 0, 0),  # slots of a module, or of NumPy
        spec(TP_CLEAR, DEALLOC, 0, 7),  # no end
        spec(TP_CLEAR, DEALLOC, 91, 0, 0, 0),  # a number that no slot has
        spec(TP_CLEAR, DEALLOC, TP_DEALLOC, 1234, 0, 0),  # a number where a function has to be
        spec(TP_CLEAR, DEALLOC, TP_CLEAR, DEALLOC, 0, 0),  # twice the same
        spec(TP_CLEAR, DEALLOC, 0, 0, sizes=(24, (0,), 0)),
        spec(TP_CLEAR, DEALLOC, 0, 0, sizes=(1 << 30, 0, 0)),
        static({24: DEALLOC, 6: 17}),
        static({24: DEALLOC, 6: (0,)}),
        static({24: DEALLOC, 29: CLEAR}),
        static({24: DEALLOC, 4: 0}),
        static({24: DEALLOC}, references=0),
        Memory(),
    ],
)
def test_what_is_no_type_is_left_alone(memory):
    assert wrong_slots(memory) == []


@pytest.mark.parametrize(
    ("word", "place", "slot"),
    [
        (10, 3, "am_send"),
        (12, 1, "nb_subtract"),
        (12, 35, "nb_inplace_matrix_multiply"),
        (13, 5, "sq_ass_item"),
        (14, 2, "mp_ass_subscript"),
        (20, 1, "bf_releasebuffer"),
    ],
)
def test_further_tables_of_a_static_type(word, place, slot):
    layout = Layout()
    layout.put(300, 1, "foreign", 0, (0,), 24, 0)
    layout.put(300 + 4 * word, (1000,))
    layout.put(1000 + 4 * place, CLEAR)
    (message,) = wrong_slots(layout.memory())
    assert message.startswith(f"type pack.Thing has {slot} as (i32) -> (i32), ")


def test_types_with_the_same_fault_are_one_finding():
    layout = Layout()
    for start in (100, 400):
        layout.put(start, (0 if start == 100 else 5,), 24, 0, 0, (start + 100,))
        layout.put(start + 100, TP_CLEAR, DEALLOC, 0, 0)
    (message,) = wrong_slots(layout.memory())
    assert message.startswith("type Thing, pack.Thing has tp_clear")


def test_a_wrong_slot_is_a_finding():
    contents = Contents()
    check_slots("pack.so", spec(TP_DEALLOC, DEALLOC, TP_CLEAR, DEALLOC, 0, 0), contents)
    (finding,) = contents.findings
    assert (finding.rule, finding.severity, finding.member) == ("slot", "error", "pack.so")
    assert finding.message.startswith("type pack.Thing has tp_clear as (i32) -> ()")
    assert "mend the function" in finding.message


def module(slots=(), *, references=1, doc=0, traverse=0, clear=0, free=0) -> Memory:
    layout = Layout()
    listed = (600,) if slots else 0
    layout.put(400, references, 0, 0, 0, 0, (0,), doc, 0xFFFFFFFF, 0, listed, traverse, clear, free)
    layout.put(600, *slots, 0, 0)
    return layout.memory()


MOD_CREATE, MOD_EXEC, MOD_GIL = 1, 2, 4


@pytest.mark.parametrize(
    ("memory", "slot"),
    [
        (module((MOD_EXEC, signature(0, 1))), "Py_mod_exec"),
        (module((MOD_GIL, 1, MOD_EXEC, CLEAR, MOD_EXEC, DEALLOC)), "Py_mod_exec"),
        (module((MOD_CREATE, CLEAR), doc=(8,)), "Py_mod_create"),
        (module(traverse=CLEAR), "m_traverse"),
        (module(clear=DEALLOC), "m_clear"),
        (module(free=CLEAR), "m_free"),
    ],
)
def test_a_module_with_a_function_of_another_type(memory, slot):
    (message,) = wrong_slots(memory)
    assert message.startswith(f"module pack.Thing has {slot} as ")


@pytest.mark.parametrize(
    "memory",
    [
        module(
            (MOD_GIL, 1, MOD_EXEC, CLEAR, MOD_CREATE, signature(2, 1)), traverse=TRAVERSE, clear=CLEAR, free=DEALLOC
        ),
        module(),
        module((MOD_EXEC, signature(0, 1)), references=0),
        module((MOD_EXEC, signature(0, 1)), doc=7),
        module((MOD_EXEC, signature(0, 1)), doc=CLEAR),
        module((MOD_EXEC, signature(0, 1)), clear=7),
    ],
    ids=["right", "empty", "no references", "doc is no pointer", "doc is a function", "clear is no function"],
)
def test_a_module_that_is_right_or_no_module(memory):
    assert wrong_slots(memory) == []
