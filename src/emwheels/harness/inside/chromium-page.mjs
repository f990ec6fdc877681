// The `chromium-page` engine: Pyodide on the main thread of a page.
import { startChromium } from "./browser.mjs";

export const start = (session) => startChromium(session, "page");
