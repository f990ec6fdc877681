// node bundle_check.mjs PLAYWRIGHT FOLDER: serves FOLDER's parent with Python's own web server, opens the folder's page
// in Chromium and prints what the page showed, and every address it asked, as JSON.
import { spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const [playwright, folder] = process.argv.slice(2);
const { chromium } = await import(`${playwright}/index.mjs`);
const server = spawn("/usr/bin/python3", ["-m", "http.server", "--bind", "127.0.0.1", "--directory", path.dirname(folder), "8000"], { stdio: "ignore" });
for (let tries = 0; tries < 200; tries += 1) {
  if (await fetch("http://127.0.0.1:8000/").then(() => true, () => false)) break;
  await sleep(50);
}
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  chromiumSandbox: false,
  timeout: 300_000,
});
const page = await browser.newPage();
const asked = [];
const errors = [];
page.on("request", (request) => asked.push(request.url()));
page.on("pageerror", (error) => errors.push(error.message));
page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
await page.goto(`http://127.0.0.1:8000/${path.basename(folder)}/`);
await page.waitForFunction(() => /Done|Failed/.test(document.getElementById("status").textContent), undefined, { timeout: 300_000 });
const status = await page.textContent("#status");
const output = await page.textContent("#output");
await browser.close();
server.kill();
console.log(JSON.stringify({ status, output, asked, errors }));
