// Runs the engine in a module worker, started by page.mjs.
import { loadPyodide } from "/pyodide/pyodide.mjs";
import { poster, runJob } from "./engine.mjs";

const emit = poster(new URLSearchParams(location.search).get("run"));
await runJob({ loadPyodide, indexURL: `${location.origin}/pyodide/`, base: location.origin, emit });
