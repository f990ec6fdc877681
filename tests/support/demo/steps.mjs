// The same pre- and post-processing by our OpenCV in Python and by opencv.js, in one page, in turn; what each returns, how
// long each took, and how many bytes JavaScript copied from one array into another for a call.
export default async function run({ visit, url, given }) {
  const { context, page } = await visit("steps");
  await page.goto(`${url}/blank.html`);
  const found = await page.evaluate(async ({ rounds }) => {
    const base = `${location.origin}/`;
    const TypedArray = Object.getPrototypeOf(Uint8Array);
    let copied = 0;
    const { set, slice } = TypedArray.prototype;
    TypedArray.prototype.set = function (source, offset) {
      copied += source.byteLength ?? 0;
      return set.call(this, source, offset);
    };
    TypedArray.prototype.slice = function (...range) {
      const part = slice.apply(this, range);
      copied += part.byteLength;
      return part;
    };

    const { loadPyodide } = await import(`${base}pyodide/pyodide.mjs`);
    const pyodide = await loadPyodide({ lockFileURL: `${base}runtime-lock.json` });
    await pyodide.loadPackage(["numpy", "opencv-python"]);
    pyodide.FS.writeFile("steps.py", await (await fetch(`${base}steps.py`)).text());
    const python = pyodide.pyimport("steps");
    const module = await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${base}opencv.js`;
      script.onload = () => resolve(globalThis.cv);
      script.onerror = () => reject(new Error("opencv.js did not load"));
      document.head.append(script);
    });
    const cv = await module;
    if (!cv.Mat) await new Promise((resolve) => (cv.onRuntimeInitialized = resolve));

    const [height, width] = [1080, 1920];
    const pixels = new Uint8Array(await (await fetch(`${base}pixels.bin`)).arrayBuffer());

    /** Keep what opencv.js allocated, and delete it at the end of a call. */
    function scope(work) {
      const kept = [];
      try {
        return work((each) => (kept.push(each), each));
      } finally {
        for (const each of kept) each.delete();
      }
    }
    const javascript = {
      before() {
        return scope((own) => {
          const picture = own(new cv.Mat(height, width, cv.CV_8UC3));
          picture.data.set(pixels);
          const [grey, small, mask] = [own(new cv.Mat()), own(new cv.Mat()), own(new cv.Mat())];
          cv.cvtColor(picture, grey, cv.COLOR_BGR2GRAY);
          cv.resize(grey, small, new cv.Size(192, 108), 0, 0, cv.INTER_AREA);
          cv.threshold(small, mask, 0, 255, cv.THRESH_BINARY_INV | cv.THRESH_OTSU);
          const [contours, hierarchy] = [own(new cv.MatVector()), own(new cv.Mat())];
          cv.findContours(mask, contours, hierarchy, cv.RETR_CCOMP, cv.CHAIN_APPROX_NONE);
          return Array.from({ length: contours.size() }, (_, number) => {
            const contour = contours.get(number);
            const points = Array.from(contour.data32S);
            contour.delete();
            return points;
          });
        });
      },
      after() {
        return scope((own) => {
          const paper = own(cv.matFromArray(108, 192, cv.CV_8UC1, ramp));
          const [large, drawn] = [own(new cv.Mat()), own(new cv.Mat())];
          cv.resize(paper, large, new cv.Size(width, height), 0, 0, cv.INTER_LINEAR);
          cv.cvtColor(large, drawn, cv.COLOR_GRAY2BGR);
          cv.rectangle(drawn, new cv.Point(100, 100), new cv.Point(400, 300), new cv.Scalar(0, 160, 60), 4);
          return drawn.data.slice();
        });
      },
    };
    const ramp = Uint8Array.from({ length: 108 * 192 }, (_, number) => (number * 7) % 256);
    const call = {
      "cv2 in Python": {
        before: () => python.before(pixels),
        after: () => python.after(ramp),
      },
      "opencv.js": javascript,
    };

    const result = {};
    for (const step of ["before", "after"]) {
      const row = (result[step] = {});
      for (const engine of Object.keys(call)) {
        copied = 0;
        let answer = call[engine][step]();
        const bytes = copied;
        if (answer.toJs) {
          const proxy = answer;
          answer = proxy.toJs();
          proxy.destroy();
        }
        if (step === "after") {
          const digest = await crypto.subtle.digest("SHA-256", answer);
          answer = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
        } else {
          answer = Array.from(answer, (each) => Array.from(each));
        }
        row[engine] = { answer, copied: bytes, times: [] };
      }
      for (let round = 0; round < rounds; round += 1) {
        for (const engine of Object.keys(call)) {
          const began = performance.now();
          const answer = call[engine][step]();
          row[engine].times.push(performance.now() - began);
          answer.destroy?.();
        }
      }
    }
    return result;
  }, given);
  await context.close();
  return found;
}
