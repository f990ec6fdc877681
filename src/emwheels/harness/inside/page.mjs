// Runs the engine here or in a worker, as the query says.
import { poster, runJob } from "./engine.mjs";

const query = new URLSearchParams(location.search);
const emit = poster(query.get("run"));

async function onThisThread() {
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  await runJob({ loadPyodide, indexURL: `${location.origin}/pyodide/`, base: location.origin, emit });
}

function inWorker() {
  const worker = new Worker(`worker.mjs?run=${query.get("run")}`, { type: "module" });
  worker.onerror = (event) => emit(JSON.stringify({ event: "fatal", message: `worker: ${event.message}` }));
}

if (query.get("thread") === "worker") inWorker();
else await onThisThread();
