// Python's memory right after its start, kept for the next visit. Started as a worker with {keepAt}, it makes and keeps
// that memory in an interpreter of its own, since one that has been made ready for that is not good for other work.
import { CACHE } from "./kept.mjs";
import { loadPyodide } from "./pyodide/pyodide.mjs";

/** What Python is started with; both workers have to say the same. */
export function pythonOptions(base) {
  return {
    indexURL: `${base}pyodide/`,
    lockFileURL: `${base}runtime-lock.json`,
    env: { HOME: "/home/pyodide", ONNXRUNTIME_WEB_URL: `${base}onnxruntime-web/` },
  };
}

self.addEventListener("message", async ({ data: { keepAt } }) => {
  if (!keepAt) return;
  // _makeSnapshot and _loadSnapshot are options of Pyodide 314.0.7 that it calls experimental.
  const pyodide = await loadPyodide({ ...pythonOptions(new URL("./", self.location.href).href), _makeSnapshot: true });
  const cache = await caches.open(CACHE);
  // Without room for it the next start is as slow as this one.
  await cache.put(keepAt, new Response(pyodide.makeMemorySnapshot())).catch(() => {});
  self.postMessage("kept");
  self.close();
});
