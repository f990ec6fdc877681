// Every way to give the page a picture: sample, drawing, drop, camera; and what it looks like at two sizes.
import { after, choose, give, ready } from "./page.mjs";
import { readFileSync } from "node:fs";

export const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 900 } },
};
const CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--disable-gpu"];

/** Draw a seven with the mouse. */
async function draw(page) {
  const box = await page.locator("#canvas").boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.42, 0.2));
  await page.mouse.down();
  await page.mouse.move(...at(0.55, 0.2), { steps: 8 });
  await page.mouse.move(...at(0.47, 0.8), { steps: 12 });
  await page.mouse.up();
}

export default async function run({ visit, url, folder, given }) {
  const found = {};
  for (const [size, more] of Object.entries(SIZES)) {
    const { context, page, errors } = await visit("ways", { flags: CAMERA, ...more });
    await page.goto(url);
    await ready(page);
    const one = (found[size] = {});
    one.sample = await after(page, () => page.click("#sample"));
    await page.waitForFunction(() => document.getElementById("drawn").naturalWidth > 0);
    await page.evaluate(() => window.scrollTo(0, 0));
    const shot = `${folder}/${size}.jpg`;
    await page.screenshot({ path: shot, type: "jpeg", quality: 60, fullPage: size === "phone" });
    one.layout = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
    if (!given.only_shots) {
      await draw(page);
      one.drawing = await after(page, () => page.click("#read"));
      const dropped = readFileSync(`${folder}/page.png`).toString("base64");
      one.drop = await after(page, async () => {
        const data = await page.evaluateHandle(async (text) => {
          const blob = await (await fetch(`data:image/png;base64,${text}`)).blob();
          const transfer = new DataTransfer();
          transfer.items.add(new File([blob], "dropped.png"));
          return transfer;
        }, dropped);
        await page.dispatchEvent("#drop", "drop", { dataTransfer: data });
      });
      await page.click("#camera");
      await page.waitForFunction(() => document.getElementById("video").videoWidth > 0);
      one.camera = await after(page, () => page.click("#shoot"));
      await choose(page, "task", "clean");
      one.chosen = await after(page, () => give(page, "page.png", readFileSync(`${folder}/page.png`)));
    }
    one.errors = errors;
    await context.close();
  }
  return found;
}
