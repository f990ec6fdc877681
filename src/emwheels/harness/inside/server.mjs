// The static server that the engines load everything from, and the two addresses they talk to the driver on.
import { createReadStream, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";

const MIME = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".py": "text/x-python; charset=utf-8",
  ".wasm": "application/wasm",
  ".whl": "application/zip",
  ".zip": "application/zip",
};

const LONGEST = 32 * 1024 * 1024; // bytes of an event

/** The file that `pathname` stands for, or null: only files below one of `folders` ({"/prefix/": folder}). */
function locate(folders, pathname) {
  const prefix = Object.keys(folders).find((each) => pathname.startsWith(each));
  if (prefix === undefined) return null;
  const file = path.join(folders[prefix], path.normalize(`/${pathname.slice(prefix.length)}`));
  const status = statSync(file, { throwIfNoEntry: false });
  if (status?.isDirectory()) return locate(folders, path.posix.join(pathname, "index.html"));
  return status?.isFile() ? file : null;
}

async function body(request) {
  const chunks = [];
  let left = LONGEST;
  for await (const chunk of request) {
    left -= chunk.length;
    if (left < 0) throw new Error("the event is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Serve `folders`, GET /job.json and POST /event?run=RUN; resolves to `{ base }`, an address without a final slash. */
export async function serve(folders, { job, event }) {
  async function answer(request, response) {
    const url = new URL(request.url, "http://harness");
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Cache-Control", "no-store");
    if (url.pathname === "/event" && request.method === "POST") {
      event(url.searchParams.get("run"), JSON.parse(await body(request)));
      return response.writeHead(204).end();
    }
    if (url.pathname === "/job.json") {
      return response.writeHead(200, { "Content-Type": MIME[".json"] }).end(JSON.stringify(job()));
    }
    const file = locate(folders, decodeURIComponent(url.pathname));
    if (file === null) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": MIME[path.extname(file)] ?? "application/octet-stream" });
    return createReadStream(file).on("error", (error) => response.destroy(error)).pipe(response);
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(400).end(error.message));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { base: `http://127.0.0.1:${server.address().port}` };
}
