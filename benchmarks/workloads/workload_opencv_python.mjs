// The operations of workload_opencv_python.py that opencv-js has, on an image of the same size and content.
import { createRequire } from "node:module";

const SECONDS = 1.0;
const require = createRequire("/mnt/package/");
let cv = require("/mnt/package");
if (cv instanceof Promise) cv = await cv;
// Older Emscripten's module has a `then` that resolves to the module itself: `await` would never end.
delete cv.then;
if (!cv.Mat) await new Promise((resolve) => (cv.onRuntimeInitialized = resolve));

const [height, width] = [1080, 1920];
const pixels = new Uint8Array(height * width * 3);
let seed = 7;
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) {
    const at = (y * width + x) * 3;
    const base = [(x * 255) / width, (y * 255) / height, ((x >> 5) + (y >> 5)) % 2 ? 180 : 60];
    for (let c = 0; c < 3; c++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      pixels[at + c] = Math.max(0, Math.min(255, base[c] + ((seed >> 16) % 25) - 12));
    }
  }
}
const image = cv.matFromArray(height, width, cv.CV_8UC3, pixels);
const [grey, blurred, binary] = [new cv.Mat(), new cv.Mat(), new cv.Mat()];
cv.cvtColor(image, grey, cv.COLOR_BGR2GRAY);
cv.GaussianBlur(grey, blurred, new cv.Size(9, 9), 2);
cv.threshold(blurred, binary, 120, 255, cv.THRESH_BINARY);
const kernel = cv.matFromArray(5, 5, cv.CV_32F, Array.from({ length: 25 }, (_, i) => (1 + (i % 7)) / 98));
const spectrum = new cv.Mat();
grey.roi(new cv.Rect(0, 0, 1024, 1024)).convertTo(spectrum, cv.CV_32F);
const half = new cv.Size(width / 2, height / 2);

/** Each call makes its result anew, as OpenCV for Python does. */
const into = (operation) => () => {
  const result = new cv.Mat();
  operation(result);
  result.delete();
};
const cases = {
  "resize nearest": into((to) => cv.resize(image, to, half, 0, 0, cv.INTER_NEAREST)),
  "resize linear": into((to) => cv.resize(image, to, new cv.Size(1280, 720), 0, 0, cv.INTER_LINEAR)),
  "resize area": into((to) => cv.resize(image, to, half, 0, 0, cv.INTER_AREA)),
  "cvtColor grey": into((to) => cv.cvtColor(image, to, cv.COLOR_BGR2GRAY)),
  "GaussianBlur 7": into((to) => cv.GaussianBlur(image, to, new cv.Size(7, 7), 1.5)),
  "medianBlur 5": into((to) => cv.medianBlur(image, to, 5)),
  Canny: into((to) => cv.Canny(grey, to, 60, 150)),
  threshold: into((to) => cv.threshold(grey, to, 120, 255, cv.THRESH_BINARY)),
  "filter2D 5x5": into((to) => cv.filter2D(image, to, -1, kernel)),
  findContours: () => {
    const [contours, hierarchy] = [new cv.MatVector(), new cv.Mat()];
    cv.findContours(binary, contours, hierarchy, cv.RETR_TREE, cv.CHAIN_APPROX_SIMPLE);
    contours.delete();
    hierarchy.delete();
  },
  "dft 1024": into((to) => cv.dft(spectrum, to)),
};

const found = {};
for (const [name, operation] of Object.entries(cases)) {
  operation();
  const times = [];
  const until = performance.now() + SECONDS * 1000;
  while (times.length < 3 || performance.now() < until) {
    const start = performance.now();
    operation();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  found[name] = times[times.length >> 1];
}
console.log(`RESULT ${JSON.stringify(found)}`);
process.exit(0);
