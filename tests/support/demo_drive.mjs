// node demo_drive.mjs PLAYWRIGHT SCENARIO URL FOLDER [ARGUMENT]: opens Chromium, hands it to the function that the module
// SCENARIO exports, with the JSON in the file ARGUMENT, and prints what that returns as JSON. FOLDER is for profiles.
import { readFileSync } from "node:fs";
import process from "node:process";

const [playwright, scenario, url, folder, argument] = process.argv.slice(2);
const { chromium } = await import(`${playwright}/index.mjs`);
const { default: run, options = {} } = await import(scenario);

const ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"];
const NO_GPU = ["--disable-gpu"];

/** A browser whose profile is kept in `name`, so that a second visit finds what the first one left. */
async function visit(name, { viewport = { width: 1280, height: 900 }, flags = NO_GPU, ...more } = {}) {
  const context = await chromium.launchPersistentContext(`${folder}/${name}`, {
    executablePath: "/usr/bin/chromium",
    args: [...ARGUMENTS, ...flags],
    chromiumSandbox: false,
    timeout: 300_000,
    viewport,
    ...more,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(240_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    process.stderr.write(`${message.type()}: ${message.text()}\n`);
    if (message.type() === "error") errors.push(message.text());
  });
  return { context, page, errors };
}

const given = argument ? JSON.parse(readFileSync(argument, "utf8")) : {};
const result = await run({ visit, url, folder, given, options });
console.log(JSON.stringify(result));
process.exit(0);
