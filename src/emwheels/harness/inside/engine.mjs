// What every engine does: boot Pyodide, install as a user would, run pytest, tell what happens.

/** A function that hands one event (JSON text) to the driver, and returns when the driver has it. */
export function poster(run) {
  return (text) => {
    // Synchronous, so that a thread that never returns to its event loop has still told what it was about to do.
    const request = new XMLHttpRequest();
    request.open("POST", new URL(`/event?run=${run}`, import.meta.url).href, false);
    request.send(text);
  };
}

async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function parent(file) {
  return file.slice(0, file.lastIndexOf("/"));
}

async function writeTests(pyodide, base, { root, files }) {
  for (const file of files) {
    const target = `${root}/${file}`;
    pyodide.FS.mkdirTree(parent(target));
    pyodide.FS.writeFile(target, await bytes(`${base}/tests/${file.split("/").map(encodeURIComponent).join("/")}`));
  }
}

/** A Python error tells all in its message, a traceback; any other needs its stack. */
function describe(error) {
  return String((error?.name === "PythonError" ? error.message : error?.stack) ?? error);
}

async function importModule(pyodide, base, name) {
  pyodide.FS.mkdirTree("/harness");
  pyodide.FS.writeFile(`/harness/emwheels_${name}.py`, await bytes(`${base}/harness/${name}.py`));
  pyodide.runPython("import sys; '/harness' in sys.path or sys.path.append('/harness')");
  return pyodide.pyimport(`emwheels_${name}`);
}

/** What loadPyodide is told of its packages: those of `job.lock_url`, or none at all. */
async function packages(job, base, lockByUrl) {
  if (job.lock_url) return await lockByUrl(job.lock_url);
  return { lockFileContents: job.lock, packageBaseUrl: `${base}/none/` };
}

/**
 * Run the job that the driver serves at `base`; `emit` takes events as JSON text. Throws nothing.
 * `lockByUrl` gives the options of loadPyodide that make it use the lock at an address.
 */
export async function runJob({ loadPyodide, indexURL, base, emit, lockByUrl = (url) => ({ lockFileURL: url }) }) {
  try {
    const began = performance.now();
    const job = await (await fetch(`${base}/job.json`)).json();
    const pyodide = await loadPyodide({ indexURL, ...(await packages(job, base, lockByUrl)) });
    const boot = () => emit(JSON.stringify({ event: "boot", seconds: (performance.now() - began) / 1000 }));
    pyodide.unpackArchive(await bytes(`${base}/wheels/${job.micropip}`), "wheel");
    if (job.installs) {
      const installer = await importModule(pyodide, base, "installer");
      boot();
      await installer.run(JSON.stringify(job), emit);
      return;
    }
    const reporter = await importModule(pyodide, base, "reporter");
    await reporter.install(JSON.stringify(job), `${base}/simple`);
    await writeTests(pyodide, base, job); // after the wheels, as a suite may go into an installed package
    boot();
    reporter.run(JSON.stringify(job), emit);
  } catch (error) {
    emit(JSON.stringify({ event: "fatal", message: describe(error) }));
  }
}
