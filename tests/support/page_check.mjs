// node page_check.mjs PLAYWRIGHT AXE URL FOLDER: opens a page in Chromium, as wide as a phone and as a desktop; writes
// screenshots to FOLDER and prints what it found as JSON.
import { readFileSync } from "node:fs";
import process from "node:process";

const [playwright, axe, url, folder] = process.argv.slice(2);
const { chromium } = await import(`${playwright}/index.mjs`);
const source = readFileSync(axe, "utf8");
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  chromiumSandbox: false,
  timeout: 300_000,
});
const found = {};
for (const [name, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(url);
    await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png`, fullPage: true });
    // The page's own policy forbids scripts that are not its own; what the debugger runs is not bound by it.
    await page.evaluate(source);
    const { violations, passes } = await page.evaluate(() =>
      globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
    );
    const [inner, scroll] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
    const reached = [];
    for (let step = 0; step < 100; step += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        return { tag: element.tagName, text: element.textContent.trim(), outline: style.outlineStyle };
      });
      if (at.tag === "BODY") break;
      reached.push(at);
    }
    await page.locator("button.copy").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("said").textContent !== "");
    const said = await page.textContent("#said");
    const selected = await page.evaluate(() => String(getSelection()));
    const install = await page.locator(".install").first().textContent();
    await page.fill("#filter", "no such package");
    const hidden = await page.locator("tbody tr:visible").count();
    found[`${name}-${colorScheme}`] = {
      errors,
      violations: violations.map(({ id, nodes }) => ({ id, nodes: nodes.map((node) => node.html) })),
      passes: passes.length,
      inner,
      scroll,
      reached,
      said,
      selected,
      install,
      hidden,
    };
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(found));
