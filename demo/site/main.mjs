// The page: loads what it needs, hands pictures to Python, shows what comes back.
import { Camera } from "./camera.mjs";
import { forget, keep, nextUrls, openKept, readManifest } from "./kept.mjs";
import { Pad } from "./pad.mjs";
import { Python } from "./python.mjs";
import * as view from "./view.mjs";

const element = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;
const pad = new Pad(element("canvas"));
const camera = new Camera(element("video"));
const stages = {};
const python = new Python((stage, milliseconds) => addStage(stage, milliseconds));
let cache = null;
let manifest = null;
let model = null;
let ready = null;
let busy = Promise.resolve();
let notice = "";
let preparing = null;

function addStage(stage, milliseconds) {
  stages[stage] = milliseconds;
  view.showTimes("stages", stages);
  view.say(`Ready with: ${stage}`);
}

async function timed(stage, work) {
  const began = performance.now();
  const result = await work();
  addStage(stage, performance.now() - began);
  return result;
}

/** A service worker that serves what is kept; without one the page works, but is loaded anew each time. */
async function takeControl() {
  try {
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) {
      await new Promise((resolve) => {
        navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
        setTimeout(resolve, 3000);
      });
    }
  } catch {
    notice = "This browser does not let the page keep anything: it works, but loads everything again at the next visit.";
  }
}

async function bring(groups, what) {
  if (!cache) return;
  const { full, bytes } = await keep(cache, manifest, groups, (done, total) => view.showProgress(done, total, what));
  if (full) notice = "There is no room left to keep everything on this device: it works, but loads some again at the next visit.";
  if (bytes) await navigator.storage?.persist?.();
}

async function engineGroup() {
  const adapter = "Suspending" in WebAssembly ? await navigator.gpu?.requestAdapter().catch(() => null) : null;
  return adapter && !adapter.info.isFallbackAdapter ? "engine-gpu" : "engine-cpu";
}

async function start() {
  cache = await openKept();
  await timed("prepare", takeControl);
  manifest = await readManifest(cache);
  await timed("download", () => bring(["page", "runtime", "packages"], "Getting what this page needs"));
  view.showBusy();
  view.say("Starting Python…");
  const { prepared, persistent, version } = await python.start(nextUrls(cache, manifest));
  if (cache && !prepared) prepareNext();
  element("loaded").textContent = `Pyodide ${version}, ${manifest.files.length} files`;
  if (!persistent) notice ||= "This browser does not let the page keep earlier answers.";
  view.showHistory(await python.call("history"));
}

/** Once the page is ready, and beside it. */
function prepareNext() {
  preparing = new Worker(new URL("next.mjs", import.meta.url), { type: "module" });
  preparing.addEventListener("message", ({ data }) => (document.documentElement.dataset.next = data));
  preparing.postMessage({ prepare: nextUrls(cache, manifest) });
}

function tellReady() {
  view.hideProgress();
  view.say(notice || "Ready. Nothing you give to this page leaves your device.", { trouble: Boolean(notice) });
}

async function showSize() {
  const { usage } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  view.showKept(cache ? usage : 0, manifest?.version ?? "unknown");
}

/** Have Python read an encoded picture, one at a time, and show what it says. */
function read(name, bytes) {
  busy = busy.then(async () => {
    await ready;
    const [task, engine] = [chosen("task"), chosen("engine")];
    view.showBusy();
    try {
      if (engine === "onnxruntime") await bring([await engineGroup()], "Getting ONNX Runtime");
      view.showBusy();
      view.say(`Reading ${name}…`);
      const answer = await python.call("answer", { picture: bytes, model: model?.bytes, name, task, engine }, [bytes.buffer]);
      view.showAnswer(answer);
      view.showTimes("times", answer.milliseconds);
      view.showHistory(await python.call("history"));
      tellReady();
    } catch (error) {
      view.hideProgress();
      const prefix = error.expected ? "" : "This did not work, and the page goes on: ";
      view.say(`${name}: ${prefix}${error.message}`, { trouble: true });
    } finally {
      // How many pictures were dealt with, for whoever waits from outside.
      document.documentElement.dataset.done = Number(document.documentElement.dataset.done ?? 0) + 1;
    }
  });
  return busy;
}

/** Take a file that was dropped or chosen: a picture, or a model in place of the page's own. */
async function take(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!file.name.toLowerCase().endsWith(".onnx")) return read(file.name, bytes);
  model = { name: file.name, bytes };
  view.showModel(file.name);
  return read(`sample with ${file.name}`, await sample());
}

async function sample() {
  return new Uint8Array(await (await fetch("samples/page.jpg")).arrayBuffer());
}

async function openCamera() {
  try {
    await camera.start();
    element("live").hidden = false;
  } catch (error) {
    const denied = error.name === "NotAllowedError";
    view.say(denied ? "The camera was not allowed. A picture can be dropped instead." : `No camera: ${error.message}`, {
      trouble: true,
    });
  }
}

function closeCamera() {
  camera.stop();
  element("live").hidden = true;
}

const drop = element("drop");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) take(file);
});
element("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) take(target.files[0]);
  target.value = "";
});
element("sample").addEventListener("click", async () => read("sample", await sample()));
element("read").addEventListener("click", async () => read("drawing", await pad.picture()));
element("wipe").addEventListener("click", () => pad.wipe());
element("camera").addEventListener("click", openCamera);
element("stop").addEventListener("click", closeCamera);
element("shoot").addEventListener("click", async () => {
  const bytes = await camera.picture();
  closeCamera();
  read("photograph", bytes);
});
element("own").addEventListener("click", () => {
  model = null;
  view.showModel(null);
});
element("forget").addEventListener("click", async () => {
  preparing?.terminate();
  await python.call("forget").catch(() => {});
  await forget();
  cache = null;
  view.showHistory([]);
  view.say("Everything was removed. The next visit loads it again.");
  view.showKept(0, manifest?.version ?? "unknown");
});

ready = start();
ready.then(
  async () => {
    tellReady();
    document.documentElement.dataset.ready = JSON.stringify(stages);
    await showSize();
  },
  (error) => {
    view.hideProgress();
    view.say(`The page could not be started: ${error.message}`, { trouble: true });
  },
);
