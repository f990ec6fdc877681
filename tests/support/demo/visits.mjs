// The first visit, the second, one without network, one with damage, one after an update, and one that removes all.
import { readFileSync, writeFileSync } from "node:fs";
import { after, choose, ready } from "./page.mjs";

export default async function run({ visit, url, folder, given }) {
  const found = {};
  /** Visit in a browser started anew; what the page asked of the server is in the server's log. */
  async function once(name, act = async () => ({})) {
    if (given.only && !given.only.includes(name)) return;
    await fetch(`${url}/marker-${name}`).catch(() => {});
    const { context, page, errors } = await visit("visits");
    const began = Date.now();
    if (name === "offline") await context.setOffline(true);
    await page.goto(url);
    const said = await ready(page);
    const readyAfter = Date.now() - began;
    const answer = await after(page, () => page.click("#sample"));
    found[name] = {
      said,
      answer,
      errors,
      milliseconds: { ready: readyAfter, "first answer": Date.now() - began },
      stages: JSON.parse(await page.evaluate(() => document.documentElement.dataset.ready)),
      history: await page.locator("#history li").count(),
      kept: await page.textContent("#kept"),
      ...(await act(page, context)),
    };
    await context.close();
  }

  await once("first", async (page) => {
    await page.waitForFunction(() => document.documentElement.dataset.next === "kept");
    return {};
  });
  await once("second");
  await once("offline", async (page) => {
    await page.reload();
    await ready(page);
    return { reloaded: await after(page, () => page.click("#sample")) };
  });
  await once("damaged", async (page) => {
    const spoiled = await page.evaluate(async () => {
      const cache = await caches.open("inkreader");
      const made = (await cache.keys()).filter(({ url }) => /kept\/(memory|packages)-/.test(url));
      for (const { url } of made) await cache.put(url, new Response("not what was kept"));
      return made.length;
    });
    await page.reload();
    await ready(page);
    const reloaded = await after(page, () => page.click("#sample"));
    // They are made anew.
    await page.waitForFunction(() => document.documentElement.dataset.next === "kept");
    return { spoiled, reloaded };
  });
  if (given.update) {
    // The site changes while nobody looks: one file of the page, and with it the manifest.
    writeFileSync(`${folder}/update`, "");
    while (readFileSync(`${folder}/update`, "utf8") === "") await new Promise((resolve) => setTimeout(resolve, 100));
    await once("update");
  }
  await once("engine", async (page) => {
    await choose(page, "engine", "onnxruntime");
    const other = await after(page, () => page.click("#sample"));
    await choose(page, "task", "clean");
    return { other, clean: await after(page, () => page.click("#sample")) };
  });
  await once("removed", async (page) => {
    await page.click("#forget");
    await page.waitForFunction(() => document.getElementById("said").textContent.startsWith("Everything was removed"));
    const [caches, workers, databases] = await page.evaluate(async () => [
      await globalThis.caches.keys(),
      (await navigator.serviceWorker.getRegistrations()).length,
      (await indexedDB.databases()).length,
    ]);
    return { left: { caches, workers, databases } };
  });
  return found;
}
