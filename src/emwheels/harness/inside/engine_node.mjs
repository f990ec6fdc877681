// Started by node.mjs: node engine_node.mjs BASE RUN RUNTIME-FOLDER, with events on file descriptor 3.
import fs, { constants, mkdirSync, mkdtempSync, writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { runJob } from "./engine.mjs";

// Node's permissions (node.mjs) allow neither the way in which Emscripten's NODEFS asks for the flags of open(2),
// nor fsync(2), which Pyodide calls after each line that is printed.
process.binding = (name) => ({ constants: { fs: constants } })[name];
fs.fsyncSync = () => {};
syncBuiltinESMExports();

const [base, , runtime] = process.argv.slice(2);
const { loadPyodide } = await import(`${runtime}/pyodide.mjs`);

/** Write all of `text`: a single write to a pipe may be a short one. */
function emit(text) {
  let rest = Buffer.from(`${text}\n`);
  while (rest.length > 0) rest = rest.subarray(writeSync(3, rest));
}

/**
 * In Node, pyodide 314 takes the address of a lock for the name of a file, and writes what it loads to its cache, in
 * which no folder may be missing (docs/publishing.md says what a program has to do).
 */
async function lockByUrl(url) {
  const lock = await (await fetch(url)).json();
  const cache = mkdtempSync(path.join(tmpdir(), "packages-"));
  for (const { file_name: name } of Object.values(lock.packages)) {
    if (!URL.canParse(name)) mkdirSync(path.join(cache, path.dirname(name)), { recursive: true });
  }
  return { lockFileContents: lock, packageBaseUrl: new URL(".", url).href, packageCacheDir: cache };
}

await runJob({ loadPyodide, indexURL: `${runtime}/`, base, emit, lockByUrl });
