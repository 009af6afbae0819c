// The page: a picture in, what the server found of it on the canvas. The threshold acts here, without the server.

import { cleanMask } from "./mask.js";
import { drawScale, paint } from "./paint.js";

const LONGEST_SIDE = 2048; // of what is shown; the server reduces larger pictures
const LEVELS = 256;
const LEGENDS = {
  overlay: "probability; the outline is the flagged region, the mark is the threshold",
  heat: "probability of being manipulated; the mark is the threshold",
  boundary: "probability of lying on the edge of a manipulated region",
};
const NAMES = { overlay: "Overlay", heat: "Heat map", boundary: "Boundary", mask: "Mask", original: "The picture" };

const element = (id) => document.getElementById(id);
const chosenView = () => document.querySelector("input[name=view]:checked").value;
const percent = (share) => `${(100 * share).toFixed(share && share < 0.1 ? 2 : 1)} %`;

let model; // what /v1/model says
let shown; // the file and what was found: {file, answer, width, height, picture, probability, boundary, mask, ...}
let request = new AbortController(); // of the picture being looked at

// In.

async function examine(file) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  say(`Looking at ${file.name} …`);
  fail("");
  element("busy").hidden = false;
  try {
    await learnModel();
    checkSize(file);
    const threshold = Math.min(Math.round(model.threshold * LEVELS), LEVELS - 2);
    const resolution = element("resolution").value;
    const wanted = { threshold: threshold / LEVELS, resolution, maps: 8, max_side: LONGEST_SIDE, preview: true };
    const answer = await (await post("v1/segment", wanted, file, signal)).json();
    const found = await decode(answer);
    if (signal.aborted) return;
    shown = { file, answer, ...found };
    element("threshold").value = threshold;
    present();
  } catch (error) {
    if (signal.aborted) return;
    say("");
    if (shown?.file !== file) {
      shown = undefined;
      element("result").hidden = true;
    }
    fail(`${file.name}: ${error.message}`);
  }
  element("busy").hidden = true;
}

async function learnModel() {
  model ??= await (await answered(fetch("v1/model"))).json();
}

function checkSize(file) {
  const limit = model.limits.upload_bytes;
  if (file.size > limit) throw new Error(`the file is larger than ${limit / 1e6} MB, the server's limit.`);
}

/** The response of the server, or an Error with its words. */
async function answered(response) {
  const found = await response.catch((error) => {
    throw error.name === "AbortError" ? error : new Error("no answer. Is the server still running?");
  });
  if (found.ok) return found;
  const words = await found.json().catch(() => ({ error: { message: `the server answered ${found.status}` } }));
  throw new Error(`${words.error.message.replace(/^picture: /, "")}.`);
}

function post(path, parameters, file, signal) {
  const headers = { "Content-Type": "application/octet-stream" };
  return answered(fetch(`${path}?${new URLSearchParams(parameters)}`, { method: "POST", body: file, headers, signal }));
}

async function decode({ preview, maps }) {
  const [picture, probability, boundary] = await Promise.all([
    pixels(preview, "image/jpeg"), pixels(maps.probability, "image/png"), maps.boundary && pixels(maps.boundary, "image/png"),
  ]);
  const { width, height } = maps;
  return { width, height, picture, probability: first(probability), boundary: boundary && first(boundary) };
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** RGBA of a picture file in base64. */
async function pixels(base64, type) {
  const bitmap = await createImageBitmap(new Blob([bytesOf(base64)], { type }), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

const first = (rgba) => Uint8Array.from({ length: rgba.length / 4 }, (_, i) => rgba[4 * i]);

// Out.

const say = (words) => { element("status").textContent = words; };

/** Says what went wrong, where it is seen; "": nothing did. */
function fail(words) {
  element("error").textContent = words;
  if (words) element("error").scrollIntoView({ block: "center" });
}

/** Shows a new answer. */
function present() {
  const { answer, width, height } = shown;
  const boundary = document.querySelector("input[value=boundary]");
  boundary.disabled = !shown.boundary;
  if (boundary.disabled && boundary.checked) document.querySelector("input[value=overlay]").checked = true;
  element("result").hidden = false;
  element("drop").classList.add("small");
  element("canvas").classList.toggle("small", Math.max(width, height) < 300);
  element("name").textContent = shown.file.name;
  element("score").textContent = answer.score.toFixed(3);
  element("size").textContent = `${answer.width} × ${answer.height}`;
  element("model").textContent = answer.model;
  element("time").textContent = `${(answer.seconds.decode + answer.seconds.network).toFixed(2)} s`;
  const reduced = width < answer.width ? [`Shown at ${width} × ${height}; masks are saved at full size.`] : [];
  element("warnings").replaceChildren(...[...answer.warnings, ...reduced].map((words) => {
    const item = document.createElement("li");
    item.textContent = words;
    return item;
  }));
  threshold();
  announce();
}

const announce = () => say(`${shown.file.name}: ${summary()}.`);

const summary = () => {
  const regions = `${shown.regions} ${shown.regions === 1 ? "region" : "regions"}`;
  return shown.regions ? `${percent(shown.share)} of the pixels are flagged, in ${regions}` : "no pixel is flagged";
};

/** The mask, and what follows from it, at the slider's threshold. */
function threshold() {
  const level = element("threshold").valueAsNumber;
  const { mask, flagged, regions } = cleanMask(shown.probability, shown.width, shown.height, level);
  Object.assign(shown, { mask, regions, share: flagged / mask.length });
  const words = (level / LEVELS).toFixed(3);
  element("threshold-text").textContent = words;
  element("threshold").setAttribute("aria-valuetext", words);
  element("flagged").textContent = percent(shown.share);
  element("regions").textContent = regions;
  draw();
}

function draw() {
  const view = chosenView(), opacity = element("opacity").valueAsNumber;
  paint(element("canvas"), view, shown, opacity / 100);
  drawScale(element("scale"), view === "boundary" ? undefined : element("threshold").valueAsNumber / LEVELS);
  element("canvas").setAttribute("aria-label", `${NAMES[view]}: ${summary()}`);
  element("opacity-text").textContent = `${opacity} %`;
  element("opacity").setAttribute("aria-valuetext", `${opacity} %`);
  element("opacity").disabled = view === "original";
  element("legend").hidden = !(view in LEGENDS);
  element("legend-text").textContent = LEGENDS[view] ?? "";
  element("caption").textContent = { mask: "White: flagged", original: "As it came, upright" }[view] ?? "";
}

/** At most one call a frame. */
function everyFrame(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; action(); });
  };
}

// Downloads.

function save(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${shown.file.name.replace(/\.[^.]*$/, "")}_${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The mask as large as the picture; where it is shown reduced, the server makes it anew. */
async function saveMask() {
  if (shown.width < shown.answer.width) {
    await saveFromServer("v1/segment", { maps: 8 }, "mask.png", async (response) => {
      const { maps } = await response.json();
      return new Blob([bytesOf(maps.mask)], { type: "image/png" });
    });
    return;
  }
  const canvas = new OffscreenCanvas(shown.width, shown.height);
  paint(canvas, "mask", shown, 1);
  save(await canvas.convertToBlob(), "mask.png");
}

const saveReport = (format) => saveFromServer(
  "v1/report", { format, name: shown.file.name }, `report.${format}`, (response) => response.blob(),
);

/** Asks the server about the picture once more, at the slider's threshold, and saves what `blobOf` makes of it. */
async function saveFromServer(path, parameters, suffix, blobOf) {
  const { file } = shown, level = element("threshold").valueAsNumber, resolution = element("resolution").value;
  const buttons = [...element("downloads").children], kind = suffix.split(".")[0];
  buttons.forEach((button) => { button.disabled = true; });
  fail("");
  say(`Writing the ${kind} …`);
  try {
    save(await blobOf(await post(path, { threshold: level / LEVELS, resolution, ...parameters }, file)), suffix);
    say(`The ${kind} is saved.`);
  } catch (error) {
    say("");
    fail(`${file.name}: ${error.message}`);
  }
  buttons.forEach((button) => { button.disabled = false; });
}

// Events.

function take(files) {
  if (files.length) examine(files[0]);
}

element("file").addEventListener("change", ({ target }) => {
  take([...target.files]);
  target.value = ""; // the same file may be chosen again
});
addEventListener("paste", ({ clipboardData }) => take(clipboardData.files));
addEventListener("dragover", (event) => {
  event.preventDefault();
  element("drop").classList.add("over");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) element("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  take(event.dataTransfer.files);
});
element("threshold").addEventListener("input", everyFrame(threshold));
element("threshold").addEventListener("change", everyFrame(announce)); // after the mask of the same frame
element("resolution").addEventListener("change", () => { if (shown) examine(shown.file); });
element("opacity").addEventListener("input", everyFrame(draw));
element("views").addEventListener("change", draw);
element("download-mask").addEventListener("click", saveMask);
element("download-pdf").addEventListener("click", () => saveReport("pdf"));
element("download-png").addEventListener("click", () => saveReport("png"));

learnModel().then(() => {
  const { upload_bytes: bytes, pixels: count } = model.limits;
  element("limits").textContent += `, up to ${bytes / 1e6} MB and ${count / 1e6} megapixels`;
}).catch((error) => fail(error.message));
