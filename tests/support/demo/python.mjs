// Runs a Python program in a page with Pyodide and the wheels of the site: what it leaves in `result`, as JSON.
export default async function run({ visit, url, given }) {
  const software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--ignore-gpu-blocklist"];
  const { context, page, errors } = await visit(given.profile ?? "python", given.gpu ? { flags: software } : {});
  await page.addInitScript(() => {
    if (globalThis.GPUAdapterInfo) {
      Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
    }
  });
  await page.goto(`${url}/blank.html`);
  const said = await page.evaluate(async ({ code, files, packages }) => {
    const base = `${location.origin}/`;
    const bytes = async (path) => new Uint8Array(await (await fetch(`${base}${path}`)).arrayBuffer());
    // Counts what JavaScript copies from one array into another.
    const TypedArray = Object.getPrototypeOf(Uint8Array);
    globalThis.copied = 0;
    const { set, slice } = TypedArray.prototype;
    TypedArray.prototype.set = function (source, offset) {
      globalThis.copied += source.byteLength ?? 0;
      return set.call(this, source, offset);
    };
    TypedArray.prototype.slice = function (...range) {
      const part = slice.apply(this, range);
      globalThis.copied += part.byteLength;
      return part;
    };
    const { loadPyodide } = await import(`${base}pyodide/pyodide.mjs`);
    const pyodide = await loadPyodide({
      lockFileURL: `${base}runtime-lock.json`,
      env: { ONNXRUNTIME_WEB_URL: `${base}onnxruntime-web/`, HOME: "/home/pyodide" },
    });
    await pyodide.loadPackage("micropip");
    const micropip = pyodide.pyimport("micropip");
    micropip.set_index_urls(`${base}simple/{package_name}/`);
    await micropip.install(packages);
    for (const file of files) pyodide.FS.writeFile(file.split("/").at(-1), await bytes(file));
    return await pyodide.runPythonAsync(code);
  }, given);
  await context.close();
  return { result: JSON.parse(said), errors };
}
