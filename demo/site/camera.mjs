// The camera, if the person allows it.

export class Camera {
  #video;
  #stream = null;

  constructor(video) {
    this.#video = video;
  }

  async start() {
    if (!navigator.mediaDevices) throw new Error("This browser gives no camera to this page.");
    const wanted = { video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } } };
    this.#stream = await navigator.mediaDevices.getUserMedia(wanted);
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  /** What the camera sees now, as a JPEG file. */
  async picture() {
    const canvas = new OffscreenCanvas(this.#video.videoWidth, this.#video.videoHeight);
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    return new Uint8Array(await blob.arrayBuffer());
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = this.#video.srcObject = null;
  }
}
