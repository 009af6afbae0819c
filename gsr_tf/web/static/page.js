// The page: pictures in, what the server found of one on the canvas. The threshold acts here, without the server.

import { cleanMask } from "./mask.js";
import { drawScale, paint } from "./paint.js";
import { DONE, FAILED, WAITING, createQueue } from "./queue.js";
import { bytesOf, decode, learnModel, post, segment } from "./server.js";
import { makeZoomable } from "./zoom.js";

const LEVELS = 256;
const KEPT = 8; // answers, of several megabytes each
const LEGENDS = {
  overlay: "probability; the outline is the flagged region, the mark is the threshold",
  heat: "probability of being manipulated; the mark is the threshold",
  boundary: "probability of lying on the edge of a manipulated region",
};
const NAMES = { overlay: "Overlay", heat: "Heat map", boundary: "Boundary", mask: "Mask", original: "The picture" };

const element = (id) => document.getElementById(id);
const chosenView = () => document.querySelector("input[name=view]:checked").value;
const percent = (share) => `${(100 * share).toFixed(share && share < 0.1 ? 2 : 1)} %`;
const levelOf = (threshold) => Math.min(Math.round(threshold * LEVELS), LEVELS - 2);

let model; // what /v1/model says
let current; // the entry of the queue that is shown, or will be when it is done
let shown; // the file, who answered and what: {file, model, answer, width, height, picture, probability, boundary, mask, ...}
let chosenFor; // the model, and its own threshold, for which the slider's was chosen

// In.

const answered = new Set(); // the entries whose answers are kept, the latest last
const queue = createQueue({ list: element("pictures"), text: element("queue-text"), look, changed });

/** New pictures; the first of them is shown when nothing else is on its way. */
function take(files) {
  if (!files.length) return;
  const idle = element("busy").hidden;
  const [first] = queue.add(files, { resolution: element("resolution").value });
  element("queue").hidden = queue.entries.length < 2;
  if (idle) choose(first);
}

let pasted = 0;

/** A pasted picture that is no file is called image.png by every browser; numbers tell them apart. */
function numbered(file) {
  return file.name === "image.png" ? new File([file], `image ${++pasted}.png`, { type: file.type }) : file;
}

async function look(entry) {
  element("busy").hidden = false;
  if (entry === current || !shown) say("Looking at ", nameOf(entry.file), " …");
  await learn();
  entry.model = model;
  entry.answer = await segment(entry.file, levelOf(model.threshold) / LEVELS, entry.resolution, model.limits.upload_bytes);
  keep(entry);
}

/** Asks who the server is: it may have been started anew, with another model or other limits, since the page was opened. */
async function learn() {
  const told = await learnModel();
  if (JSON.stringify(told) === JSON.stringify(model)) return;
  model = told;
  introduce();
}

/** The latest answers, and that to the picture that is shown; for any other the server is asked again. */
function keep(entry) {
  answered.delete(entry);
  answered.add(entry);
  const old = [...answered].slice(0, -KEPT).filter((other) => other !== current);
  for (const other of old) {
    other.answer = undefined;
    answered.delete(other);
  }
}

/** An entry is done or has failed, or is chosen by a person; one that failed is then looked at again. */
function changed(entry, chosen) {
  element("busy").hidden = !queue.entries.some(({ state }) => state !== DONE && state !== FAILED);
  if (chosen) choose(entry);
  else if (entry === current) showCurrent();
  else if (!shown) say(); // that it was looked at
  if (chosen && entry.state === FAILED) lookAgain(entry);
}

/** At the resolution that the box says. */
function lookAgain(entry) {
  entry.resolution = element("resolution").value;
  queue.again(entry);
}

function choose(entry) {
  current = entry;
  if (entry.state === DONE && (!entry.answer || entry.model !== model)) queue.again(entry);
  queue.mark(entry);
  fail();
  showCurrent();
}

async function showCurrent() {
  const entry = current;
  if (entry.state === FAILED) {
    if (shown?.file === entry.file) element("resolution").value = shown.answer.resolution; // the other one was refused
    else hideResult();
    fail(nameOf(entry.file), `: ${entry.error.message}`);
  } else if (entry.state === DONE) {
    const found = await decode(entry.answer);
    if (entry !== current) return;
    const same = shown?.file === entry.file;
    shown = { file: entry.file, model: entry.model, answer: entry.answer, ...found };
    fail();
    startThreshold(entry.model);
    element("resolution").value = entry.resolution;
    present();
    if (!same) zoom.reset();
  } else {
    element("resolution").value = entry.resolution;
    say(nameOf(entry.file), `: ${entry.state}`);
  }
}

/** A threshold that was chosen holds for the pictures that follow, until another model answers. */
function startThreshold({ fingerprint, threshold: own }) {
  if (chosenFor === `${fingerprint} ${own}`) return;
  chosenFor = `${fingerprint} ${own}`;
  element("threshold").value = levelOf(own);
}

// Out.

/** A file's name, to stand among words: where it runs from right to left, they do not. */
function nameOf({ name }) {
  const isolated = document.createElement("bdi");
  isolated.textContent = name;
  return isolated;
}

const say = (...words) => element("status").replaceChildren(...words);

/** Says what went wrong, where it is seen; without words: nothing did. */
function fail(...words) {
  element("error").replaceChildren(...words);
  if (!words.length) return;
  say();
  element("error").scrollIntoView({ block: "center" });
}

/** What was found of another picture is no answer to this one. */
function hideResult() {
  shown = undefined;
  element("result").hidden = true;
}

/** The server's limits, and what holds for the included model alone and is said of no other. */
function introduce() {
  const { upload_bytes: bytes, pixels: count } = model.limits;
  element("bounds").textContent = `, up to ${bytes / 1e6} MB and ${count / 1e6} megapixels`;
  for (const words of document.querySelectorAll(".included")) words.hidden = !model.card;
  for (const link of document.querySelectorAll("a.card")) link.href = model.card;
}

/** The thresholds to choose from; where one was measured, at this resolution, what that says. */
function offerPoints() {
  const { model: by, answer } = shown, alarms = answer.resolution === "whole" ? by.false_alarms : null;
  element("alarms").textContent = alarms ? `${alarms.usual} ${alarms.few}` : "";
  element("few").hidden = !alarms;
  point(element("usual"), "Model's own", by.threshold);
  if (alarms) point(element("few"), "Few false alarms", alarms.threshold);
}

function point(button, name, value) {
  button.textContent = `${name}: ${Number(value.toFixed(3))}`;
  button.dataset.level = levelOf(value);
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
  offerPoints();
  threshold();
  announce();
}

const announce = () => say(nameOf(shown.file), `: ${summary()}.`);

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
  for (const button of element("points").children) button.setAttribute("aria-pressed", String(Number(button.dataset.level) === level));
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

function save(blob, suffix, { name }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name.replace(/\.[^.]*$/, "")}_${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

let writing = false;

/** Saves what `make` makes of what is shown, and says so; until then the buttons keep the focus and do nothing. */
async function write(suffix, make) {
  if (writing) return;
  const found = shown, kind = suffix.split(".")[0];
  setWriting(true);
  fail();
  say(`Writing the ${kind} …`);
  try {
    save(await make(found), suffix, found.file);
    say(`The ${kind} is saved.`);
  } catch (error) {
    fail(nameOf(found.file), `: ${error.message}`);
  }
  setWriting(false);
}

function setWriting(value) {
  writing = value;
  for (const button of element("downloads").children) button.setAttribute("aria-disabled", String(value));
}

/** The mask as large as the picture; where it is shown reduced, the server makes it anew. */
async function makeMask(found) {
  if (found.width < found.answer.width) {
    const { maps } = await (await askAgain("v1/segment", { maps: 8 }, found)).json();
    return new Blob([bytesOf(maps.mask)], { type: "image/png" });
  }
  const canvas = new OffscreenCanvas(found.width, found.height);
  paint(canvas, "mask", found, 1);
  return canvas.convertToBlob();
}

async function makeReport(format, found) {
  return (await askAgain("v1/report", { format, name: found.file.name }, found)).blob();
}

/** The response to what is shown, at the slider's threshold, of the model that found it. */
async function askAgain(path, parameters, { file, model: by, answer }) {
  const threshold = element("threshold").valueAsNumber / LEVELS;
  await learn();
  if (by !== model) throw new Error("the server was started anew, with other settings. Give it the picture again.");
  return post(path, { threshold, resolution: answer.resolution, ...parameters }, file);
}

// Events.

element("file").addEventListener("change", ({ target }) => {
  take([...target.files]);
  target.value = ""; // the same file may be chosen again
});
addEventListener("paste", ({ clipboardData }) => {
  const files = [...clipboardData.files].map(numbered);
  if (!files.length) fail("The browser hands over no picture that was pasted. Choose its file, or drop it here.");
  take(files);
});
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
  const files = [...event.dataTransfer.files];
  if (!files.length) fail("What was dropped is no file. Save the picture first, then drop its file here.");
  take(files);
});
element("threshold").addEventListener("input", everyFrame(threshold));
element("threshold").addEventListener("change", everyFrame(announce)); // after the mask of the same frame
element("resolution").addEventListener("change", () => {
  if (!current) return;
  fail();
  for (const entry of queue.entries) if (entry.state === WAITING) entry.resolution = element("resolution").value;
  lookAgain(current);
});
element("opacity").addEventListener("input", everyFrame(draw));
element("views").addEventListener("change", draw);
element("download-mask").addEventListener("click", () => write("mask.png", makeMask));
for (const format of ["pdf", "png"]) {
  element(`download-${format}`).addEventListener("click", () => write(`report.${format}`, (found) => makeReport(format, found)));
}

element("points").addEventListener("click", ({ target }) => {
  if (!target.dataset.level) return;
  element("threshold").value = target.dataset.level;
  threshold();
  announce();
});

const zoom = makeZoomable(element("frame"), element("canvas"), (scale) => {
  const focused = document.activeElement;
  const words = `${Math.round(100 * scale)} %`;
  if (element("zoom-text").textContent !== words) element("zoom-text").textContent = words; // it is read out each time
  element("zoom-out").disabled = element("zoom-reset").disabled = scale === 1;
  if (focused?.disabled) element("zoom-in").focus(); // or nothing has the focus
});
element("zoom-in").addEventListener("click", () => zoom.by(1.5));
element("zoom-out").addEventListener("click", () => zoom.by(1 / 1.5));
element("zoom-reset").addEventListener("click", zoom.reset);

learn().catch((error) => fail(error.message));
