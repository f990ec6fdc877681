// What the page keeps: files by their hash in Cache Storage, so that an update fetches only what changed.
// The service worker (sw.js) answers from the same cache.

export const CACHE = "inkreader";
export const MANIFEST = "files.json";
const AT_ONCE = 4;

const urlOf = (sha256) => new URL(`kept/${sha256}`, self.location.href).href;
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The cache, or null where the browser does not give one (private windows, blocked site data, no https). */
export async function openKept() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

/** Where what next.mjs makes is kept, by the hashes of what it is made of; null without a cache. */
export function nextUrls(cache, manifest) {
  const of = (...groups) =>
    manifest.files
      .filter((file) => groups.includes(file.group))
      .map((file) => file.sha256.slice(0, 12))
      .join("-");
  if (!cache) return { memoryAt: null, packagesAt: null };
  return { memoryAt: urlOf(`memory-${of("runtime")}`), packagesAt: urlOf(`packages-${of("runtime", "packages")}`) };
}

/** `path` as it is on the server now: what the service worker leaves alone. */
const fresh = (path, cache) => fetch(`${path}?fresh`, { cache });

/** What is on the server; without network, what was there at the last visit. */
export async function readManifest(cache) {
  try {
    const answer = await fresh(MANIFEST, "no-cache");
    if (!answer.ok) throw new Error(`${MANIFEST}: HTTP status ${answer.status}`);
    return await answer.json();
  } catch (error) {
    const kept = await cache?.match(MANIFEST);
    if (kept) return await kept.json();
    throw error;
  }
}

/** A file as an answer to keep, once its hash is right. */
async function download(file, onBytes) {
  // Not in the browser's own cache as well: that would take the room twice.
  const answer = await fresh(file.path.replace(/index\.html$/, ""), "no-store");
  if (!answer.ok) throw new Error(`${file.path}: HTTP status ${answer.status}`);
  const copy = answer.clone();
  const chunks = [];
  const reader = answer.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    chunks.push(part.value);
    onBytes(part.value.length);
  }
  const blob = new Blob(chunks, { type: answer.headers.get("Content-Type") ?? "" });
  const found = hex(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  if (found !== file.sha256) throw new Error(`${file.path} did not arrive as it was sent. Reload the page.`);
  // A browser keeps the machine code that it makes of WebAssembly beside an answer as it came from the server only.
  return file.path.endsWith(".wasm") ? copy : new Response(blob);
}

/**
 * See to it that the files of `groups` are kept. `onProgress` gets bytes done and bytes in all, of those to be fetched.
 * Returns what was fetched, and whether the browser had no room to keep all of it.
 */
export async function keep(cache, manifest, groups, onProgress) {
  const wanted = manifest.files.filter((file) => groups.includes(file.group));
  const there = new Set((await cache.keys()).map((request) => request.url));
  const missing = wanted.filter((file) => !there.has(urlOf(file.sha256)));
  const total = missing.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  let full = false;
  const waiting = [...missing].sort((one, other) => other.bytes - one.bytes);
  const fetchNext = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const answer = await download(file, (bytes) => onProgress((done += bytes), total));
      try {
        await cache.put(urlOf(file.sha256), answer);
      } catch (error) {
        if (error.name !== "QuotaExceededError") throw error;
        full = true;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fetchNext));
  if (!full) await remember(cache, manifest);
  return { fetched: missing.map((file) => file.path), bytes: total, full };
}

/** From now on the service worker serves `manifest`; what it does not name is removed. */
async function remember(cache, manifest) {
  const made = Object.values(nextUrls(cache, manifest));
  const named = new Set([...manifest.files.map((file) => urlOf(file.sha256)), ...made]);
  try {
    await cache.put(MANIFEST, new Response(JSON.stringify(manifest), { headers: { "Content-Type": "application/json" } }));
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    return;
  }
  for (const request of await cache.keys()) {
    if (request.url.includes("/kept/") && !named.has(request.url)) await cache.delete(request);
  }
}

/** Remove everything that this page has kept: files, Python's files, the service worker. */
export async function forget() {
  await caches.delete(CACHE);
  for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
  for (const { name } of (await indexedDB.databases?.()) ?? []) indexedDB.deleteDatabase(name);
}
