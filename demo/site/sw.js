// The service worker: what is kept is served from Cache Storage by its hash, with or without network; see kept.mjs.
const CACHE = "inkreader";
const MANIFEST = "files.json";
const TYPES = {
  css: "text/css",
  html: "text/html; charset=utf-8",
  jpg: "image/jpeg",
  json: "application/json",
  mjs: "text/javascript",
  py: "text/x-python",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  whl: "application/zip",
  zip: "application/zip",
};

self.addEventListener("install", (event) => {
  // Chromium would ask the server for the page at the same time as this worker.
  event.addRoutes?.({ condition: { requestMode: "navigate" }, source: "fetch-event" })?.catch(() => {});
  self.skipWaiting();
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function kept(path) {
  const cache = await caches.open(CACHE);
  const manifest = await (await cache.match(new URL(MANIFEST, self.registration.scope).href))?.json();
  const name = path === "" || path.endsWith("/") ? `${path}index.html` : path;
  const file = manifest?.files.find((each) => each.path === name);
  const found = file && (await cache.match(new URL(`kept/${file.sha256}`, self.registration.scope).href));
  if (!found) return null;
  // As it was kept, with its own URL and time: the browser finds the machine code of last time by them.
  if (name.endsWith(".wasm")) return found;
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return new Response(found.body, { headers: { "Content-Type": type, "Content-Length": String(file.bytes) } });
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { scope } = self.registration;
  // What asks for the newest there is (the manifest, an update) goes to the server.
  if (request.method !== "GET" || !request.url.startsWith(scope) || request.url.endsWith("?fresh")) return;
  const path = decodeURIComponent(request.url.slice(scope.length).split(/[?#]/)[0]);
  event.respondWith(kept(path).catch(() => null).then((answer) => answer ?? fetch(request)));
});
