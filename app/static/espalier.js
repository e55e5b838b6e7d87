// A page shows what the server wrote. Where something happens, this asks for the page again and puts in what changed.

const connection = document.getElementById("connection");
let asking = false;
let waiting = null;
let took = 0;

function say(words) {
  connection.textContent = words;
  connection.hidden = words === "";
}

const nameOf = (one) => one.id || one.getAttribute("aria-label") || one.getAttribute("href") || one.textContent.trim();

// What a reader has open, chosen, written or under the keyboard stays as it is.
function kept(live) {
  const open = [...live.querySelectorAll("details[open]")].map((one) => one.id);
  const checked = [...live.querySelectorAll("input:checked")].map((one) => one.value);
  const written = [...live.querySelectorAll("input[id], select[id]")].map((one) => [one.id, one.value]);
  const active = live.contains(document.activeElement) ? nameOf(document.activeElement) : "";
  const scrolled = [...live.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  return (after) => {
    for (const id of open) after.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    for (const one of after.querySelectorAll("input[type=checkbox]")) one.checked = checked.includes(one.value);
    for (const [id, value] of written) {
      const one = after.querySelector(`#${CSS.escape(id)}`);
      if (one) one.value = value;
    }
    after.querySelectorAll(".scroll").forEach((one, place) => { one.scrollLeft = scrolled[place] ?? 0; });
    if (!active) return;
    const named = [...after.querySelectorAll("a, button, summary, input, select, [tabindex]")];
    named.find((one) => nameOf(one) === active)?.focus();
  };
}

function isWriting() {
  return document.activeElement?.matches("#live input:not([type=checkbox]), #live select") ?? false;
}

async function refresh() {
  if (asking || isWriting()) return soon();
  asking = true;
  const began = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload(); // to sign in again
    if (answer.status === 404) {
      say("This is gone: somebody deleted it.");
      return stop();
    }
    if (!answer.ok) {
      say("The service cannot answer now; this page tries again.");
      return later();
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const live = document.getElementById("live");
    const found = page.getElementById("live");
    if (!live || !found) return;
    const restore = kept(live);
    live.replaceWith(found);
    restore(found);
    say("");
    if (!found.dataset.events && !found.dataset.every) stop();
  } catch {
    say("The service is not there; this page tries again.");
    later();
  } finally {
    took = performance.now() - began;
    asking = false;
  }
}

// Many events come at once; a page that takes long to write is asked for less often.
function soon() {
  waiting ??= setTimeout(() => { waiting = null; refresh(); }, Math.max(1000, 5 * took));
}

function later() {
  setTimeout(soon, 5000);
}

let source = null;
let timer = null;
let reopening = null;

// An EventSource tries again by itself where the connection broke, and never again where the answer was an error.
function follow(address) {
  source = new EventSource(address);
  // not "measuring": what is measured then is how fast networks run while nothing else does
  for (const kind of ["state", "preparing", "smoke", "candidate", "epoch", "silent", "transfer", "extended"]) {
    source.addEventListener(kind, soon);
  }
  source.addEventListener("error", () => {
    say("The service is not there; this page tries again.");
    soon();
    if (source.readyState === EventSource.CLOSED) reopening = setTimeout(() => follow(address), 5000);
  });
  source.addEventListener("open", () => { say(""); soon(); });
}

function stop() {
  source?.close();
  clearTimeout(reopening);
  clearInterval(timer);
}

const live = document.getElementById("live");
if (live?.dataset.events) {
  follow(live.dataset.events);
} else if (live?.dataset.every) {
  timer = setInterval(refresh, 1000 * Number(live.dataset.every));
}
