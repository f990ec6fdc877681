// The `node` engine: starts engine_node.mjs as a child process, which writes events to its file descriptor 3.
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("engine_node.mjs", import.meta.url));
// What is tested reaches the functions of Node. With these, files of other processes (the driver's pipes in /proc) and
// programs are out of its reach.
function permissions(folders) {
  const scratch = `${tmpdir()}/*`;
  const read = [...Object.values(folders).map((folder) => path.join(folder, "*")), scratch];
  return ["--permission", ...read.map((place) => `--allow-fs-read=${place}`), `--allow-fs-write=${scratch}`];
}

export async function start({ job, base, run, receive, died, log }) {
  const child = spawn(process.execPath, [...permissions(job.folders), SCRIPT, base, run, job.folders["/pyodide/"]], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  // "close" comes after all pipes are read to the end, so an event written just before the death still counts.
  const closed = new Promise((resolve) => child.on("close", resolve));
  child.on("error", (error) => died(error.message));
  child.on("close", (code, signal) => died(`the engine died (${signal ?? `exit status ${code}`})`));
  readline.createInterface({ input: child.stdout }).on("line", (line) => log("stdout", line));
  readline.createInterface({ input: child.stderr }).on("line", (line) => log("stderr", line));
  readline.createInterface({ input: child.stdio[3] }).on("line", (line) => {
    try {
      receive(JSON.parse(line));
    } catch (error) {
      died(`an event that is none: ${error.message}`);
    }
  });
  return {
    async stop() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
