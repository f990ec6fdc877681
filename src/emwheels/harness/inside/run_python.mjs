// Runs Python as the interpreter's command line does, in Pyodide: node run_python.mjs JOB.json
//
// JOB.json is written by pipeline/program.py. Standard input, output and error are the program's own, and so is the exit status.
import { readFileSync } from "node:fs";
import process from "node:process";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));

/** Say nothing of what is loaded; what fails to load throws. */
function quiet() {}

/** Start Pyodide with the job's wheels and files, run the program, and return its exit status. */
async function run() {
  const { loadPyodide } = await import(`${job.runtime}/pyodide.mjs`);
  // No file of the lock is at hand and none may be fetched: what is installed are the job's wheels.
  const lock = JSON.parse(readFileSync(`${job.runtime}/pyodide-lock.json`, "utf8"));
  lock.packages = {};
  const pyodide = await loadPyodide({
    indexURL: `${job.runtime}/`,
    lockFileContents: lock,
    packageBaseUrl: `${job.wheels}/`,
    env: { HOME: "/home/pyodide", ...job.environment },
  });
  await pyodide.loadPackage(
    job.files.map((name) => `${job.wheels}/${name}`),
    { messageCallback: quiet, checkIntegrity: false },
  );
  if (job.folder) {
    pyodide.FS.mkdirTree(job.inside);
    pyodide.mountNodeFS(job.inside, job.folder);
  }
  pyodide.FS.mkdirTree("/harness");
  pyodide.FS.writeFile("/harness/emwheels_program.py", readFileSync(job.program));
  pyodide.runPython("import sys; sys.path.append('/harness')");
  pyodide.globals.set("_emwheels_words", pyodide.toPy(job.words));
  pyodide.globals.set("_emwheels_cwd", job.inside);
  // Where the engine can suspend WebAssembly, asyncio.run and run_sync work below this call.
  return await pyodide.runPythonAsync(
    "import emwheels_program; emwheels_program.main(globals().pop('_emwheels_words'), globals().pop('_emwheels_cwd'))",
  );
}

try {
  process.exit(await run());
} catch (error) {
  // Node would print the line of Pyodide that threw, which is the whole file.
  process.stderr.write(`emwheels: Pyodide ended: ${String(error?.message ?? error).slice(0, 4000)}\n`);
  process.exit(70);
}
