// Loads a side module into a Pyodide runtime and prints what its functions give. Arguments: the runtime, the module.
import { readFileSync } from "node:fs";

const [runtime, module] = process.argv.slice(2);
const { loadPyodide } = await import(`file://${runtime}/pyodide.mjs`);
const pyodide = await loadPyodide({ indexURL: runtime });
pyodide.FS.writeFile("/tmp/side.so", readFileSync(module));
const said = pyodide.runPython(`
import ctypes
side = ctypes.CDLL("/tmp/side.so")
side.computed.restype, side.computed.argtypes = ctypes.c_double, [ctypes.c_double]
f"{side.caught(1)} {side.caught(2)} {side.jumped(5)} {side.computed(9.0):g}"
`);
console.log(said);
