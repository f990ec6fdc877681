// Starts Chromium with a page that runs the engine on its main thread or in a worker. Events come over HTTP.
import { setTimeout as sleep } from "node:timers/promises";

const ARGUMENTS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage", // a sandbox need not have a /dev/shm of any size
  "--disable-gpu",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox", // the image is the sandbox; Chromium's own needs rights that it does not have there
];
const FLUSH_SECONDS = 2;

/** Start the engine in `thread`, "page" or "worker". */
export async function startChromium({ job, base, run, died, log }, thread) {
  const { chromium } = await import(`${job.playwright}/index.mjs`);
  // A server of its own, because only that can be killed whatever the page is busy with.
  const server = await chromium.launchServer({
    executablePath: job.chromium,
    args: ARGUMENTS,
    headless: true,
    chromiumSandbox: false,
    timeout: job.boot_seconds * 1000,
  });
  try {
    const browser = await chromium.connect(server.wsEndpoint(), { timeout: job.boot_seconds * 1000 });
    const page = await browser.newPage();
    browser.on("disconnected", () => died("the browser died"));
    page.on("crash", () => died("the page crashed"));
    page.on("console", (message) => log(`console.${message.type()}`, message.text()));
    page.on("pageerror", (error) => log("pageerror", error.stack ?? error.message));
    // "commit": a page whose thread is busy from its first script on never finishes loading.
    await page.goto(`${base}/harness/page.html?thread=${thread}&run=${run}`, { waitUntil: "commit" });
    return {
      async stop() {
        // Console messages come in order before the answer to this; a page that hangs never answers.
        await Promise.race([page.evaluate(() => 0), sleep(FLUSH_SECONDS * 1000)]).catch(() => {});
        await server.kill();
      },
    };
  } catch (error) {
    await server.kill();
    throw error;
  }
}
