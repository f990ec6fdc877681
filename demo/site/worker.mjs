// Pyodide and the program, off the page's own thread. Messages: {id, method, ...} -> {id, result} or {id, error}; and
// {stage, milliseconds} while it starts.
import { CACHE } from "./kept.mjs";
import { PACKAGES, compileModules, pythonOptions, unpack } from "./next.mjs";
import { loadPyodide } from "./pyodide/pyodide.mjs";

const BASE = new URL("./", self.location.href).href;
const HISTORY_FOLDER = "/kept";
const HISTORY = `${HISTORY_FOLDER}/history.jsonl`;
let pyodide;
let answerPage;
let modules; // what compileModules gave, until Python has loaded them
let persistent = false;

async function stage(name, work) {
  const began = performance.now();
  const result = await work();
  self.postMessage({ stage: name, milliseconds: performance.now() - began });
  return result;
}

/** Flush Python's files to IndexedDB (`populate` false), or read them from there. */
const sync = (populate) =>
  new Promise((resolve, reject) => pyodide.FS.syncfs(populate, (error) => (error ? reject(error) : resolve())));

async function mountHistory() {
  pyodide.FS.mkdirTree(HISTORY_FOLDER);
  try {
    // Asked first: with site data blocked the property itself throws, and IDBFS would take that for no support.
    if (!self.indexedDB) throw new Error("no IndexedDB");
    pyodide.FS.mount(pyodide.FS.filesystems.IDBFS, {}, HISTORY_FOLDER);
    await sync(true);
    persistent = true;
  } catch {
    persistent = false;
  }
}

/** What next.mjs has kept at `at`, as an ArrayBuffer. */
async function earlier(cache, at) {
  return (await cache?.match(at))?.arrayBuffer();
}

/** Start Python, at a later visit from its memory as it was kept: that is several times as fast. */
async function startPython(cache, at) {
  const options = pythonOptions(BASE);
  const memory = await earlier(cache, at);
  if (memory) {
    try {
      pyodide = await loadPyodide({ ...options, _loadSnapshot: memory });
      return true;
    } catch {
      await cache.delete(at);
    }
  }
  pyodide = await loadPyodide(options);
  return false;
}

/** By micropip from the private index; at a later visit as they were kept (true), else the same wheels by the lock. */
async function installPackages(cache, at, again, packages) {
  const quiet = { messageCallback: () => {} };
  if (again && packages) {
    try {
      unpack(pyodide.FS, packages);
      pyodide.runPython("import importlib; importlib.invalidate_caches()");
      return true;
    } catch {
      await cache.delete(at);
    }
  }
  if (again) {
    await pyodide.loadPackage(PACKAGES, quiet);
    return false;
  }
  await pyodide.loadPackage("micropip", quiet);
  const micropip = pyodide.pyimport("micropip");
  micropip.set_index_urls(`${BASE}simple/{package_name}/`);
  await micropip.install(PACKAGES);
  micropip.destroy();
  return false;
}

const methods = {
  async start({ memoryAt, packagesAt }) {
    const cache = memoryAt ? await caches.open(CACHE) : null;
    const packages = earlier(cache, packagesAt);
    const compiled = packages.then((found) => found && compileModules(found)).catch(() => null);
    const again = await stage("start Python", () => startPython(cache, memoryAt));
    const prepared = await stage("install packages", async () => {
      const done = await installPackages(cache, packagesAt, again, await packages);
      modules = await compiled;
      return done;
    });
    await stage("import the program", async () => {
      pyodide.FS.writeFile("browser.py", await (await fetch(`${BASE}browser.py`)).text());
      answerPage = pyodide.pyimport("browser").answer_page;
      modules = null;
    });
    await stage("read kept files", mountHistory);
    return { prepared, persistent, version: pyodide.version };
  },

  async answer({ picture, model, name, task, engine }) {
    const options = { name, task, engine, history: HISTORY };
    // Promising: Python may wait for onnxruntime-web, which answers with promises.
    const result = await answerPage.callWithOptions({ kwargs: true, promising: true }, picture, model, options);
    const [said, drawn] = result;
    if (persistent) await sync(false).catch(() => (persistent = false));
    return { ...JSON.parse(said), drawn, persistent };
  },

  async history() {
    if (!pyodide.FS.analyzePath(HISTORY).exists) return [];
    const lines = pyodide.FS.readFile(HISTORY, { encoding: "utf8" }).trim().split("\n");
    return lines.map((line) => JSON.parse(line));
  },

  async forget() {
    if (pyodide.FS.analyzePath(HISTORY).exists) pyodide.FS.unlink(HISTORY);
    if (persistent) await sync(false);
    // Nobody can remove a database that is open.
    pyodide.FS.filesystems.IDBFS.quit();
    persistent = false;
    return {};
  },
};

/** What a person is told of an error: the text of the program's own exceptions, else its last line. */
function told(error) {
  if (error?.name !== "PythonError") return { text: String(error?.message ?? error), expected: false };
  const last = error.message.trim().split("\n").at(-1);
  const expected = ["PictureError", "ModelError"].includes(error.type);
  return { text: expected ? last.slice(last.indexOf(": ") + 2) : last, expected };
}

self.addEventListener("message", async ({ data: { id, method, ...given } }) => {
  try {
    const result = await methods[method](given);
    const moved = result.drawn ? [result.drawn.buffer] : [];
    self.postMessage({ id, result }, moved);
  } catch (error) {
    // After a fatal error Pyodide refuses every call: the page starts another worker.
    const fatal = error?.pyodide_fatal_error === true || error instanceof WebAssembly.RuntimeError;
    self.postMessage({ id, error: { ...told(error), fatal } });
  }
});
