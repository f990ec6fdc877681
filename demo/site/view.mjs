// What the page shows.
const element = (id) => document.getElementById(id);
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
let drawnUrl = "";

/** Say something to the person; `trouble` marks what went wrong. */
export function say(text, { trouble = false } = {}) {
  element("said").textContent = text;
  element("said").classList.toggle("trouble", trouble);
}

export function showProgress(done, total, what) {
  element("progress").hidden = false;
  element("progress").value = total ? done / total : 0;
  say(`${what}: ${megabytes(done)} of ${megabytes(total)} MB`);
}

export function hideProgress() {
  element("progress").hidden = true;
}

/** While Python works the progress bar moves without saying how far it is. */
export function showBusy() {
  element("progress").hidden = false;
  element("progress").removeAttribute("value");
}

function row(name, value) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const cell = document.createElement("td");
  cell.textContent = value;
  line.append(head, cell);
  return line;
}

export function showTimes(id, milliseconds) {
  element(id).replaceChildren(...Object.entries(milliseconds).map(([name, time]) => row(name, time.toFixed(1))));
}

export function showAnswer({ task, text, drawn }) {
  element("answer").hidden = false;
  element("text").textContent = text || (task === "digits" ? "No digits found." : "");
  URL.revokeObjectURL(drawnUrl);
  drawnUrl = URL.createObjectURL(new Blob([drawn], { type: "image/png" }));
  element("drawn").src = drawnUrl;
  element("answer").scrollIntoView({ block: "nearest" });
}

export function showHistory(rows) {
  element("past").hidden = rows.length === 0;
  const items = rows.slice(-50).reverse().map(({ name, text, engine }) => {
    const item = document.createElement("li");
    item.textContent = `${name}: ${text || "nothing"} (${engine === "opencv" ? "OpenCV" : "ONNX Runtime"})`;
    return item;
  });
  element("history").replaceChildren(...items);
}

export function showKept(bytes, version) {
  const size = bytes ? `${megabytes(bytes)} MB are kept on this device.` : "Nothing is kept on this device.";
  element("kept").textContent = `Version ${version}. ${size}`;
}

export function showModel(name) {
  element("model").hidden = !name;
  element("model-name").textContent = name ?? "";
}
