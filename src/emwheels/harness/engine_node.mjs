// The `node` engine: node engine_node.mjs BASE RUN RUNTIME-FOLDER, with events on file descriptor 3.
import { writeSync } from "node:fs";
import process from "node:process";
import { runJob } from "./engine.mjs";

const [base, , runtime] = process.argv.slice(2);
const { loadPyodide } = await import(`${runtime}/pyodide.mjs`);

/** Write all of `text`: a single write to a pipe may be a short one. */
function emit(text) {
  let rest = Buffer.from(`${text}\n`);
  while (rest.length > 0) rest = rest.subarray(writeSync(3, rest));
}

await runJob({ loadPyodide, indexURL: `${runtime}/`, base, emit });
