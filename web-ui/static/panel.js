// Keeps the status page up to date: fetches its changing part every two seconds and takes over only
// what differs, so that nothing flickers and a screen reader hears only what is new.
"use strict";

const EVERY_MS = 2000;
const GIVE_UP_MS = 5000;

const live = document.getElementById("live");
const lost = document.getElementById("lost");
let heard = new Date();

function takeOver(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, fresh);
}

function children(old, fresh) {
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, index) => {
    if (before[index]) takeOver(before[index], node);
    else old.append(node);
  });
  before.slice(after.length).forEach((node) => node.remove());
}

// The box says UTC; the reader has a zone.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[data-unix]")) {
    const at = new Date(time.dataset.unix * 1000);
    const today = at.toDateString() === new Date().toDateString();
    const day = today ? {} : { day: "numeric", month: "short" };
    const short = { ...day, hour: "2-digit", minute: "2-digit" };
    time.textContent = at.toLocaleString([], "short" in time.dataset ? short : { timeStyle: "medium" });
  }
}

async function update() {
  const answer = await fetch("/status", {
    signal: AbortSignal.timeout(GIVE_UP_MS),
    headers: { Accept: "text/html" },
  });
  if (answer.status === 401) {
    location.assign("/login");
    return;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  localTimes(fresh);
  children(live, fresh);
  heard = new Date();
  lost.hidden = true;
}

async function loop() {
  for (;;) {
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
    if (document.hidden) continue;
    try {
      await update();
    } catch {
      document.getElementById("lost-since").textContent = heard.toLocaleTimeString();
      lost.hidden = false;
    }
  }
}

localTimes(document);
loop();
