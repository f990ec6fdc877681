// What makes the next start fast. After the first one a worker, given {prepare: {memoryAt, packagesAt}}, keeps Python's
// memory right after its start, and the installed packages as they lie in Python's file system, bytecode included, in
// one file.
import { CACHE } from "./kept.mjs";
import { loadPyodide } from "./pyodide/pyodide.mjs";

/** What is installed from the site's index; the rest comes with it. */
export const PACKAGES = ["inkreader", "onnxruntime"];

/** What Python is started with, wherever that is. */
export function pythonOptions(base) {
  return {
    indexURL: `${base}pyodide/`,
    lockFileURL: `${base}runtime-lock.json`,
    env: { HOME: "/home/pyodide", ONNXRUNTIME_WEB_URL: `${base}onnxruntime-web/` },
  };
}

const COMPILE = `
import py_compile, sys, sysconfig
import inkreader.server
folder = sysconfig.get_path("purelib")
for file in [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]:
    if file.startswith(folder) and file.endswith(".py"):
        py_compile.compile(file, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
folder
`;

function filesBelow(FS, folder) {
  const found = [];
  for (const name of FS.readdir(folder)) {
    const path = `${folder}/${name}`;
    if (name === "." || name === "..") continue;
    if (FS.isDir(FS.stat(path).mode)) found.push(...filesBelow(FS, path));
    else found.push(path);
  }
  return found;
}

/** The files below `folder`: the length of a list, the list as JSON ([path, bytes]), and what the files hold. */
function pack(FS, folder) {
  const files = filesBelow(FS, folder).map((path) => [path, FS.readFile(path)]);
  const list = new TextEncoder().encode(JSON.stringify(files.map(([path, bytes]) => [path, bytes.length])));
  return new Blob([Uint32Array.of(list.length), list, ...files.map(([, bytes]) => bytes)]);
}

/** Each file of `pack`: its path and its bytes, which are not copied. */
function* packed(buffer) {
  const start = Uint32Array.BYTES_PER_ELEMENT;
  const [length] = new Uint32Array(buffer, 0, 1);
  let at = start + length;
  for (const [path, bytes] of JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, start, length)))) {
    yield [path, new Uint8Array(buffer, at, bytes)];
    at += bytes;
  }
}

/** Put the files of `pack` where they were. */
export function unpack(FS, buffer) {
  for (const [path, bytes] of packed(buffer)) {
    FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
    FS.writeFile(path, bytes, { canOwn: true });
  }
}

/**
 * Compile the extension modules of `pack`, beside what else goes on. As long as the caller has the result, an engine
 * that knows the bytes again (V8 does) has nothing to do when Python loads them.
 */
export function compileModules(buffer) {
  const modules = [...packed(buffer)].filter(([path]) => path.endsWith(".so"));
  return Promise.all(modules.map(([, bytes]) => WebAssembly.compile(bytes)));
}

// Without room for one of them the next start is as slow as this one.
const keep = (cache, at, body) => cache.put(at, new Response(body)).catch(() => {});

self.addEventListener("message", async ({ data: { prepare } }) => {
  if (!prepare) return; // of worker.mjs, which takes the functions above from here
  const options = pythonOptions(new URL("./", self.location.href).href);
  const cache = await caches.open(CACHE);
  // _makeSnapshot and _loadSnapshot are options of Pyodide 314.0.7 that it calls experimental. An interpreter that was
  // made ready for the first is not good for other work.
  const first = await loadPyodide({ ...options, _makeSnapshot: true });
  await keep(cache, prepare.memoryAt, first.makeMemorySnapshot());
  const other = await loadPyodide(options);
  await other.loadPackage(PACKAGES, { messageCallback: () => {} });
  await keep(cache, prepare.packagesAt, pack(other.FS, other.runPython(COMPILE)));
  self.postMessage("kept");
  self.close();
});
