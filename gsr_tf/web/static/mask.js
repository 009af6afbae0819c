// The mask at a threshold, cleaned as the server cleans it (gsr_tf/inference/postprocessing.py, paper_mask).

const REACH = 2; // a dilation by 5 x 5
const SMALLEST_OBJECT = 64;

/**
 * Flagged pixels of a map.
 *
 * levels: Uint8Array of height * width, the server's 8-bit map: level > k is probability > k / 256.
 * Returns {mask: Uint8Array of 0 and 1, flagged: pixels set, regions: 8-connected ones}.
 */
export function cleanMask(levels, width, height, threshold) {
  const mask = dilated(levels.map((level) => Number(level > threshold)), width, height);
  return { mask, ...removeSmall(mask, width, height) };
}

function dilated(mask, width, height) {
  const wide = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    if (!mask[i]) continue;
    const x = i % width;
    wide.fill(1, i - Math.min(REACH, x), i + Math.min(REACH, width - 1 - x) + 1);
  }
  const tall = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    if (!wide[i]) continue;
    const last = Math.min(i + REACH * width, mask.length - 1);
    for (let j = Math.max(i - REACH * width, i % width); j <= last; j += width) tall[j] = 1;
  }
  return tall;
}

/** Clears regions of too few pixels, in place. */
function removeSmall(mask, width, height) {
  const seen = new Uint8Array(mask.length);
  const region = new Int32Array(mask.length);
  let flagged = 0, regions = 0;
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || seen[start]) continue;
    const size = flood(start, mask, seen, region, width, height);
    if (size < SMALLEST_OBJECT) {
      for (let i = 0; i < size; i++) mask[region[i]] = 0;
    } else {
      flagged += size;
      regions += 1;
    }
  }
  return { flagged, regions };
}

/** Writes the pixels of the region around `start` into `region`; returns their number. */
function flood(start, mask, seen, region, width, height) {
  let size = 1;
  region[0] = start;
  seen[start] = 1;
  for (let next = 0; next < size; next++) {
    const x = region[next] % width, y = (region[next] - x) / width;
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        const i = v * width + u;
        if (!mask[i] || seen[i]) continue;
        seen[i] = 1;
        region[size++] = i;
      }
    }
  }
  return size;
}
