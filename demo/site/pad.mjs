// A field to draw in.
const PEN = 26;

export class Pad {
  #canvas;
  #context;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.wipe();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#context.beginPath();
      this.#context.moveTo(...this.#at(event));
      this.#line(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) for (const each of event.getCoalescedEvents?.() ?? [event]) this.#line(each);
    });
  }

  /** The drawing as a PNG file. */
  async picture() {
    const blob = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
    return new Uint8Array(await blob.arrayBuffer());
  }

  wipe() {
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    const scale = this.#canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  #line(event) {
    const context = this.#context;
    context.lineWidth = PEN;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "#111";
    context.lineTo(...this.#at(event));
    context.stroke();
  }
}
