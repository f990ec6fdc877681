"""WebAssembly binaries: what a dynamic linker needs to know of one, and what its memory holds when it is loaded."""

from emwheels.audit.wasm.memory import Memory, read_memory
from emwheels.audit.wasm.module import Dylink, Export, Import, Module, Signature, parse
from emwheels.audit.wasm.reader import WasmError

__all__ = ["Dylink", "Export", "Import", "Memory", "Module", "Signature", "WasmError", "parse", "read_memory"]
