// Colours: a view of the picture as pixels, and the legend.

// Matplotlib's "inferno" at 0, 1/16, ..., 1.
const INFERNO = [
  [0, 0, 4], [11, 7, 36], [33, 12, 74], [61, 9, 101], [87, 16, 110], [113, 25, 110], [138, 34, 106], [163, 44, 97],
  [188, 55, 84], [210, 70, 68], [228, 90, 49], [241, 115, 29], [249, 142, 9], [252, 172, 17], [249, 203, 53],
  [242, 234, 105], [252, 255, 164],
];
const HEAT = Array.from({ length: 256 }, (_, level) => {
  const place = (level / 255) * (INFERNO.length - 1), low = Math.min(Math.floor(place), INFERNO.length - 2);
  return INFERNO[low].map((value, c) => value + (INFERNO[low + 1][c] - value) * (place - low));
});
const WHITE = [255, 255, 255], BLACK = [0, 0, 0];

/**
 * How each view covers the grey picture: the colour of pixel i, and how much of it at full opacity.
 * Views that are not here show the picture as it is.
 */
const LAYERS = {
  overlay: ({ probability }) => ({ colour: (i) => HEAT[probability[i]], cover: (i) => probability[i] / 255 }),
  heat: ({ probability }) => ({ colour: (i) => HEAT[probability[i]], cover: () => 1 }),
  boundary: ({ boundary }) => ({ colour: (i) => HEAT[boundary[i]], cover: () => 1 }),
  mask: ({ mask }) => ({ colour: (i) => (mask[i] ? WHITE : BLACK), cover: () => 1 }),
};

/** Draws a view. `found`: {width, height, picture (RGBA), probability, boundary, mask}; opacity: 0..1. */
export function paint(canvas, view, found, opacity) {
  const { width, height, picture } = found;
  const image = new ImageData(width, height);
  if (view in LAYERS) {
    cover(image.data, picture, LAYERS[view](found), opacity);
  } else {
    image.data.set(picture);
  }
  if (view === "overlay") outline(image.data, found);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function cover(pixels, picture, layer, opacity) {
  for (let i = 0, p = 0; p < pixels.length; i++, p += 4) {
    const grey = 0.299 * picture[p] + 0.587 * picture[p + 1] + 0.114 * picture[p + 2];
    const share = opacity * layer.cover(i), colour = layer.colour(i);
    for (let c = 0; c < 3; c++) pixels[p + c] = grey + share * (colour[c] - grey);
    pixels[p + 3] = 255;
  }
}

/** The mask's inner edge: white, with black inside it, to be seen on any ground. */
function outline(pixels, { mask, width, height }) {
  const thick = Math.max(1, Math.round(Math.max(width, height) / 400));
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x];
  const deep = (x, y, d) => inside(x - d, y) && inside(x + d, y) && inside(x, y - d) && inside(x, y + d);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!mask[i]) continue;
      const edge = !deep(x, y, thick);
      if (edge || !deep(x, y, 2 * thick)) pixels.fill(edge ? 255 : 0, 4 * i, 4 * i + 3);
    }
  }
}

/** The colour scale, with a mark at the threshold (0..1), if there is one. */
export function drawScale(canvas, threshold) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    context.fillStyle = `rgb(${HEAT[Math.floor((x / canvas.width) * 256)].join(" ")})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
  if (threshold === undefined) return;
  const x = threshold * canvas.width;
  context.fillStyle = "black";
  context.fillRect(x - 3, 0, 6, canvas.height);
  context.fillStyle = "white";
  context.fillRect(x - 1.5, 0, 3, canvas.height);
}
