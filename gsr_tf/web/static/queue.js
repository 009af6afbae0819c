// Pictures that are looked at one after the other, and the list that shows how far each is.

export const WAITING = "waiting", WORKING = "looking …", DONE = "done", FAILED = "failed";

/**
 * A queue.
 *
 * list, text: elements: an ordered list, and where the progress is said.
 * look: async, looks at an entry {file, state, ...}; what it throws is kept as the entry's `error`.
 * changed: is told of an entry that is done or has failed, and of each that a person chooses.
 * Returns {add(files, asked) -> entries, again(entry), mark(entry), entries}.
 */
export function createQueue({ list, text, look, changed }) {
  const entries = [];
  let running = false, marked;

  /** New entries; `asked` is what each is to hold beside its file. */
  function add(files, asked) {
    const added = files.map((file) => ({ file, state: WAITING, ...asked }));
    for (const entry of added) list.append(item(entry));
    entries.push(...added);
    tell();
    run();
    return added;
  }

  function item(entry) {
    entry.item = document.createElement("li");
    entry.button = entry.item.appendChild(document.createElement("button"));
    entry.button.type = "button";
    entry.button.addEventListener("click", () => changed(entry, true));
    draw(entry);
    return entry.item;
  }

  /** Looks at an entry once more, before those that wait behind it; at one that is being looked at, thereafter. */
  function again(entry) {
    put(entry, { state: WAITING });
    run();
  }

  async function run() {
    if (running) return;
    running = true;
    for (let entry; (entry = entries.find(({ state }) => state === WAITING));) {
      put(entry, { state: WORKING });
      let outcome = { state: DONE };
      try {
        await look(entry);
      } catch (error) {
        outcome = { state: FAILED, error };
      }
      if (entry.state === WAITING) continue; // asked for again meanwhile
      put(entry, outcome);
      changed(entry, false);
    }
    running = false;
  }

  /** Marks the entry that is shown, and moves the list, not the page, to where it is seen. */
  function mark(entry) {
    const before = marked;
    marked = entry;
    if (before) draw(before);
    draw(entry);
    const place = entry.item.getBoundingClientRect(), top = list.getBoundingClientRect().top + list.clientTop;
    list.scrollTop += Math.max(0, place.bottom - top - list.clientHeight) + Math.min(0, place.top - top);
  }

  /** What is new of an entry; the others stay as they are, of which there may be thousands. */
  function put(entry, facts) {
    Object.assign(entry, facts);
    draw(entry);
    tell();
  }

  function draw(entry) {
    const { button, file, state, error } = entry;
    const name = document.createElement("span"), words = document.createElement("span");
    name.textContent = file.name;
    words.textContent = state === FAILED ? `failed: ${error.message}` : state;
    button.replaceChildren(name, words);
    entry.item.className = state.split(" ")[0];
    button.setAttribute("aria-current", String(entry === marked));
  }

  function tell() {
    const count = (state) => entries.filter((entry) => entry.state === state).length;
    const failed = count(FAILED), over = count(DONE) + failed;
    text.textContent = `${over} of ${entries.length} pictures looked at${failed ? `, ${failed} failed` : ""}`;
  }

  return { add, again, mark, entries };
}
