// What is asked of the server, and its answers as pixels.

const LONGEST_SIDE = 2048; // of what is shown; the server reduces larger pictures

/** The model and the server's limits, as they are now. */
export const learnModel = async () => (await answered(fetch("v1/model"))).json();

/** What the server found in a picture file of at most `limit` bytes: its JSON. */
export async function segment(file, threshold, resolution, limit) {
  if (file.size > limit) throw new Error(`the file is larger than ${limit / 1e6} MB, the server's limit.`);
  const wanted = { threshold, resolution, maps: 8, max_side: LONGEST_SIDE, preview: true };
  return (await post("v1/segment", wanted, file)).json();
}

/** The response to a picture file; an Error with the server's words where it is none. */
export async function post(path, parameters, file) {
  const headers = { "Content-Type": "application/octet-stream" };
  const body = await read(file);
  return answered(fetch(`${path}?${new URLSearchParams(parameters)}`, { method: "POST", body, headers }));
}

/** A file's bytes. A file itself is not sent: where it is gone, Firefox waits for ever, and WebKit sends an empty one. */
async function read(file) {
  const bytes = await file.arrayBuffer().catch(() => undefined);
  if (bytes?.byteLength === file.size) return bytes; // Firefox reads what was written since, too
  throw new Error("the file cannot be read: it is a folder, or was moved, changed or deleted.");
}

async function answered(response) {
  const found = await response.catch(() => {
    throw new Error("no answer. Is the server still running?");
  });
  if (found.ok) return found;
  const words = await found.json().catch(() => ({ error: { message: `the server answered ${found.status}` } }));
  throw new Error(`${words.error.message.replace(/^picture: /, "")}.`);
}

/** An answer's picture and maps: {width, height, picture (RGBA), probability, boundary (null: none)}. */
export async function decode({ preview, maps }) {
  const [picture, probability, boundary] = await Promise.all([
    pixels(preview, "image/jpeg"), pixels(maps.probability, "image/png"), maps.boundary && pixels(maps.boundary, "image/png"),
  ]);
  const { width, height } = maps;
  return { width, height, picture, probability: first(probability), boundary: boundary && first(boundary) };
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** RGBA of a picture file in base64. */
async function pixels(base64, type) {
  const bitmap = await createImageBitmap(new Blob([bytesOf(base64)], { type }), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

const first = (rgba) => Uint8Array.from({ length: rgba.length / 4 }, (_, i) => rgba[4 * i]);
