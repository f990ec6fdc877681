// The `chromium-worker` engine: Pyodide in a module worker of a page.
import { startChromium } from "./browser.mjs";

export const start = (session) => startChromium(session, "worker");
