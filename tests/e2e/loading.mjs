// Opens a page in Chromium, or runs a program in Node, against folders that are served from two origins.
//
//   node loading.mjs '{"app": {"/prefix/": "/folder"}, "index": {…}, "page": "/prefix/index.html", "program": "x.mjs"}'
//
// With `page`: prints what its #status and #output say in the end, and every address that was asked for. With
// `program`: imports it and prints what its default export returns, called with the addresses of both servers.
import process from "node:process";
import { serve } from "/mnt/harness/server.mjs";

const job = JSON.parse(process.argv[2]);
const nothing = { job: () => ({}), event: () => {} };
const app = await serve(job.app, nothing);
const index = await serve(job.index, nothing);

async function inChromium() {
  const { chromium } = await import("/mnt/playwright-core/index.mjs");
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
    chromiumSandbox: false,
  });
  const page = await browser.newPage();
  const asked = [];
  const said = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(`${app.base}${job.page}?index=${encodeURIComponent(index.base)}`);
  const ended = () => ["Done.", "Failed."].includes(document.querySelector("#status").textContent);
  await page.waitForFunction(ended, null, { timeout: job.seconds * 1000 }).catch((error) => said.push(error.message));
  const text = (selector) => page.textContent(selector);
  const result = { status: await text("#status"), output: await text("#output"), asked, said };
  await browser.close();
  return result;
}

async function inNode() {
  const { default: run } = await import(job.program);
  return { output: await run({ index: index.base }) };
}

const result = await (job.page ? inChromium() : inNode());
process.stdout.write(JSON.stringify({ ...result, app: app.base, index: index.base }));
process.exit(0);
