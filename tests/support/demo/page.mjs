// What a person does on the demo's page, for scenarios that do it.

/** Wait until the page says that it is ready, or that it cannot start; returns what it says. */
export async function ready(page) {
  await page.waitForFunction(
    () => document.documentElement.dataset.ready || document.getElementById("said").textContent.startsWith("The page could"),
  );
  return page.textContent("#said");
}

/** Do `act` and wait until the page has dealt with the picture: answered, or said what is wrong. */
export async function after(page, act) {
  const done = () => page.evaluate(() => Number(document.documentElement.dataset.done ?? 0));
  const before = await done();
  await page.evaluate(() => (document.getElementById("text").textContent = ""));
  await act();
  await page.waitForFunction((count) => Number(document.documentElement.dataset.done ?? 0) > count, before);
  const [text, said, trouble, times, drawn] = await page.evaluate(() => [
    document.getElementById("text").textContent,
    document.getElementById("said").textContent,
    document.getElementById("said").classList.contains("trouble"),
    Object.fromEntries([...document.querySelectorAll("#times tr")].map((row) => [row.cells[0].textContent, row.cells[1].textContent])),
    document.getElementById("drawn").src,
  ]);
  return { text, said, trouble, times, drawn };
}

export const choose = (page, name, value) => page.check(`input[name=${name}][value=${value}]`);

/** Give the page a file, as the person's own file dialog would. */
export const give = (page, name, buffer) =>
  page.setInputFiles("#file", { name, mimeType: "application/octet-stream", buffer });
