
"use strict";
// The page knows where it is; the file does not.
const index = new URL("simple", document.baseURI).href;
const said = document.getElementById("said");
for (const line of document.querySelectorAll(".install")) {
  line.textContent = line.textContent.replace("https://…/simple", () => index);
}
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const line = document.getElementById(button.dataset.for);
    try {
      await navigator.clipboard.writeText(line.textContent);
      said.textContent = "Copied.";
    } catch {
      // Not over https, or not allowed: mark it, so that the user's own copy takes it.
      getSelection().selectAllChildren(line);
      said.textContent = "The line is selected; copy it with the keyboard.";
    }
  });
}
document.getElementById("filter")?.addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  let shown = 0;
  for (const row of document.querySelectorAll("tbody tr")) {
    row.hidden = !row.dataset.name.includes(wanted);
    shown += row.hidden ? 0 : 1;
  }
  said.textContent = wanted ? `${shown} shown.` : "";
});
