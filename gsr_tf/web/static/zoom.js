// A picture that can be looked at closely: the wheel, buttons and keys zoom; dragging and arrows move.

const MOST = 16, STEP = 1.5, MOVE = 60;

/** Makes the canvas in a frame zoomable. Returns {by(factor), reset()}; `told(scale)` hears of each change. */
export function makeZoomable(frame, canvas, told) {
  let scale = 1, x = 0, y = 0; // of the canvas, in pixels of the screen from where it lies at scale 1

  function apply() {
    // What is larger than the frame covers it; what is not lies in the middle.
    const within = (offset, start, size, room) => {
      const low = room - start - scale * size, high = -start;
      return low > high ? (size - scale * size) / 2 : Math.min(high, Math.max(low, offset));
    };
    x = within(x, canvas.offsetLeft, canvas.offsetWidth, frame.clientWidth);
    y = within(y, canvas.offsetTop, canvas.offsetHeight, frame.clientHeight);
    canvas.style.transform = scale === 1 ? "" : `translate(${x}px, ${y}px) scale(${scale})`;
    frame.classList.toggle("zoomed", scale > 1);
    told(scale);
  }

  /** Zooms; the place (u, v) of the frame, by default its middle, stays where it is. */
  function by(factor, u = frame.clientWidth / 2, v = frame.clientHeight / 2) {
    const next = Math.min(MOST, Math.max(1, scale * factor)), ratio = next / scale;
    const left = u - canvas.offsetLeft, top = v - canvas.offsetTop;
    [x, y, scale] = [left - ratio * (left - x), top - ratio * (top - y), next];
    apply();
  }

  function move(right, down) {
    x += right;
    y += down;
    apply();
  }

  function reset() {
    scale = 1;
    apply();
  }

  const keys = {
    "+": () => by(STEP), "=": () => by(STEP), "-": () => by(1 / STEP), 0: reset,
    ArrowLeft: () => move(MOVE, 0), ArrowRight: () => move(-MOVE, 0), ArrowUp: () => move(0, MOVE), ArrowDown: () => move(0, -MOVE),
  };
  frame.addEventListener("keydown", (event) => {
    const arrow = event.key.startsWith("Arrow");
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey || (arrow && scale === 1)) return;
    event.preventDefault();
    keys[event.key]();
  });
  frame.addEventListener("wheel", (event) => {
    const factor = 1.0015 ** -event.deltaY;
    if (scale === 1 && factor < 1) return; // the page scrolls on
    event.preventDefault();
    const { left, top } = frame.getBoundingClientRect();
    by(factor, event.clientX - left, event.clientY - top);
  }, { passive: false });
  let held; // where the pointer was that drags
  frame.addEventListener("pointerdown", (event) => {
    if (scale === 1) return;
    frame.setPointerCapture(event.pointerId);
    held = event;
  });
  frame.addEventListener("pointermove", (event) => {
    if (!frame.hasPointerCapture(event.pointerId)) return;
    move(event.clientX - held.clientX, event.clientY - held.clientY);
    held = event;
  });
  frame.addEventListener("dblclick", (event) => {
    const { left, top } = frame.getBoundingClientRect();
    if (scale > 1) reset();
    else by(4, event.clientX - left, event.clientY - top);
  });
  addEventListener("resize", apply);
  return { by, reset };
}
