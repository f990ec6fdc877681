// The worker that Python runs in, as functions that return promises. One that died is started again.

export class PythonTrouble extends Error {
  constructor({ text, expected }) {
    super(text);
    this.expected = expected;
  }
}

export class Python {
  #worker = null;
  #waiting = new Map();
  #next = 0;
  #onStage;
  #kept = {};

  constructor(onStage) {
    this.#onStage = onStage;
  }

  /** Start Python and return what the worker says of itself. `kept`: where next.mjs keeps what. */
  start(kept) {
    this.#kept = kept;
    this.#worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => this.#heard(data));
    this.#worker.addEventListener("error", (event) => this.#died(event.message || "Python could not be started"));
    return this.call("start", kept);
  }

  /** Call a method of the worker; the buffers in `moved` are handed over, not copied. */
  call(method, given = {}, moved = []) {
    this.#next += 1;
    const id = this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, ...given }, moved);
    });
  }

  /** Start anew after a call that ended Python. */
  async restart() {
    this.#worker.terminate();
    return this.start(this.#kept);
  }

  #heard(data) {
    if ("stage" in data) {
      this.#onStage(data.stage, data.milliseconds);
      return;
    }
    const { resolve, reject } = this.#waiting.get(data.id);
    this.#waiting.delete(data.id);
    if (!data.error) {
      resolve(data.result);
      return;
    }
    const trouble = new PythonTrouble(data.error);
    if (!data.error.fatal) reject(trouble);
    else this.restart().then(() => reject(trouble), reject);
  }

  #died(message) {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new PythonTrouble({ text: message, expected: false }));
  }
}
