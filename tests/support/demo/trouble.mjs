// What a person may do wrong, and what a browser may refuse; after each of them the page has to go on working.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, choose, give, ready } from "./page.mjs";

const FILES = ["letter.txt", "huge.png", "broken.onnx", "operator.onnx"];

async function wrongFiles({ visit, url, folder }) {
  const { context, page } = await visit("wrong");
  await page.goto(url);
  await ready(page);
  const found = {};
  for (const engine of ["opencv", "onnxruntime"]) {
    await choose(page, "engine", engine);
    for (const name of FILES) {
      const said = await after(page, () => give(page, name, readFileSync(`${folder}/${name}`)));
      if (name.endsWith(".onnx")) await page.click("#own");
      found[`${name} ${engine}`] = { ...said, then: await after(page, () => page.click("#sample")) };
    }
  }
  await context.close();
  return found;
}

async function fullStorage({ visit, url }) {
  const { context, page } = await visit("full");
  const session = await context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: url, quotaSize: 5_000_000 });
  await page.goto(url);
  const said = await ready(page);
  const then = await after(page, () => page.click("#sample"));
  await context.close();
  return { said, then };
}

/** The browser's own setting that no site may store anything: it refuses IndexedDB, caches and service workers. */
async function deniedStorage({ visit, url, folder }) {
  mkdirSync(`${folder}/denied/Default`, { recursive: true });
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(`${folder}/denied/Default/Preferences`, JSON.stringify(preferences));
  const { context, page } = await visit("denied");
  await page.goto(url);
  const denied = await page.evaluate(async () => {
    try {
      const request = indexedDB.open("probe");
      return await new Promise((resolve) => {
        request.onerror = () => resolve(request.error.name);
        request.onsuccess = () => resolve("");
      });
    } catch (error) {
      return error.name;
    }
  });
  const said = await ready(page);
  const then = await after(page, () => page.click("#sample"));
  await context.close();
  return { denied, said, then };
}

export default async function run(tools) {
  return { wrong: await wrongFiles(tools), full: await fullStorage(tools), denied: await deniedStorage(tools) };
}
