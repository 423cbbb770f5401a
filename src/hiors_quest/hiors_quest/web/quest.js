// SPDX-License-Identifier: Apache-2.0
// The page: shows what the node says, sends what the person presses.

import { Headset } from "./headset.js";
import { Link } from "./link.js";
import { COLOURS } from "./scene.js";

const TITLES = {
  NONE: "No news",
  HOLD: "Holding",
  POLICY: "Policy drives",
  HANDOVER: "Handing over",
  HUMAN: "Person drives",
  STOPPED: "Stopped",
};
const TOGGLE = { take_over: "Take over", hand_back: "Hand back" };
const STALE_MS = 2000;
const CLAIM_MS = 1500;

const $ = (id) => document.getElementById(id);
const link = new Link();
const headset = new Headset(link);
const seen = { state: 0, image: 0 };
let role = { mine: false, name: "", clients: 0 };
let toggle = "take_over";
let engaged = {};
let connected = false;
let arSupported = false;

function text(id, value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
}

function notice(level, words) {
  $("notice").dataset.level = level;
  text("notice", words);
}

function showRole() {
  const watching = role.name ? `You watch. ${role.name} is the operator` : "You watch. Nobody operates";
  text("role", role.mine ? `You operate as ${role.name}` : watching);
  document.body.classList.toggle("operator", role.mine);
  text("claim", role.mine ? "Leave controls" : "Take controls");
  const taken = Boolean(role.name) && !role.mine;
  $("claim").disabled = !connected || taken;
  $("start").disabled = !connected || taken || !arSupported;
  $("name").disabled = role.mine;
  for (const button of document.querySelectorAll("[data-operator]")) button.disabled = !connected || !role.mine;
  $("rezero").disabled ||= !headset.active;
  $("stop").disabled = !connected;
}

function showStart() {
  const label = headset.active ? "Leave AR" : arSupported ? "Enter AR" : "No AR in this browser";
  text("start", label);
}

function list(parent, items, make) {
  parent.replaceChildren(...items.map(make));
}

function line(tag, className, words) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = words;
  return element;
}

function titleOf(control) {
  const name = control.authority ?? "NONE";
  return name === "HUMAN" && control.operator ? `${control.operator} drives` : TITLES[name];
}

function showControl(control) {
  const name = control.authority ?? "NONE";
  document.body.dataset.authority = name;
  text("authority", titleOf(control));
  text("reason", control.reason);
  document.body.classList.toggle("trouble", control.problems.length > 0);
  const problems = $("problems");
  if (problems.dataset.shown !== control.problems.join()) {
    problems.dataset.shown = control.problems.join();
    list(problems, control.problems, (p) => line("li", "", p));
  }
  $("resume").hidden = name !== "STOPPED";
  text("policy", control.policy || "–");
  text("rate", control.rate ? `${control.rate.toFixed(1)} Hz` : "–");
}

function showEpisode(episode, pending) {
  text("task", episode?.task || "–");
  text("episode-id", episode?.id || "–");
  const outcome = episode && episode.outcome !== "none" ? `, ${episode.outcome}` : "";
  text("episode-state", episode ? `${episode.state}${outcome}` : "–");
  $("pending").hidden = pending.length === 0;
  document.body.classList.toggle("label-pending", pending.length > 0);
  const rest = pending.length > 1 ? ` and ${pending.length - 1} more` : "";
  text("pending", pending.length ? `Waits for your label: ${pending.at(-1)}${rest}` : "");
}

function advise(reason, latched) {
  return latched ? `${reason}: let go, then grip` : reason;
}

function showHands(hands) {
  const shown = JSON.stringify(hands);
  if ($("hands").dataset.shown === shown) return;
  $("hands").dataset.shown = shown;
  list($("hands"), hands, ({ hand, arm, engaged: closed, latched, reason }) => {
    const card = line("div", "hand", "");
    card.dataset.state = closed ? "engaged" : latched ? "latched" : "open";
    card.append(line("b", "", hand), line("span", "arm", `arm ${arm}`), line("p", "", closed ? "engaged" : advise(reason, latched)));
    return card;
  });
}

function feel(hands) {
  for (const { hand, engaged: closed, latched } of hands) {
    if (closed && !engaged[hand]) headset.pulse(0.3, 30, 1, hand);
    if (!closed && engaged[hand] && latched) headset.pulse(0.7, 120, 1, hand);
    engaged[hand] = closed;
  }
}

function panelOf(state) {
  const name = state.control.authority ?? "NONE";
  const latched = state.hands.find((h) => h.latched);
  const label = state.label_pending.length ? "Label: A success, B failure" : "";
  const next = name === "STOPPED" ? "Resume on the page" : `Y: ${TOGGLE[state.toggle].toLowerCase()}`;
  const trouble = state.control.problems[0] ?? (latched ? `${latched.hand} ${advise(latched.reason, true)}` : "");
  return {
    title: role.mine ? titleOf(state.control) : "You watch",
    colour: COLOURS[name],
    lines: [trouble || state.control.reason, label || next].filter(Boolean),
    hands: state.hands,
  };
}

link.addEventListener("status", ({ detail }) => {
  connected = detail.state === "up";
  $("link").dataset.state = detail.state;
  text("link", detail.text);
  if (!connected) {
    role = { mine: false, name: "", clients: 0 };
    headset.show({ title: "Connection lost", colour: COLOURS.STOPPED, lines: [detail.text], hands: [] });
  }
  showRole();
});

link.addEventListener("role", ({ detail }) => {
  const before = role;
  role = detail;
  if (role.mine && !before.mine) localStorage.setItem("hiors-quest-name", role.name);
  showRole();
});

link.addEventListener("state", ({ detail: state }) => {
  seen.state = performance.now();
  document.body.classList.remove("stale");
  toggle = state.toggle;
  text("toggle", TOGGLE[toggle]);
  showControl(state.control);
  showEpisode(state.episode, state.label_pending);
  showHands(state.hands);
  feel(state.hands);
  headset.show(panelOf(state));
});

link.addEventListener("image", ({ detail: blob }) => {
  seen.image = performance.now();
  const image = $("camera");
  const address = URL.createObjectURL(blob);
  image.onload = () => URL.revokeObjectURL(address);
  image.src = address;
  image.hidden = false;
});

link.addEventListener("notice", ({ detail }) => notice(detail.level, detail.text));
link.addEventListener("refused", ({ detail }) => notice("error", `Refused by the node: ${detail.text}`));
link.addEventListener("pulse", ({ detail }) => headset.pulse(detail.strength, detail.ms, detail.times));

headset.addEventListener("change", () => {
  showStart();
  showRole();
});

function claim() {
  return link.send({ t: "claim", name: $("name").value.trim() || "operator" });
}

function becomeOperator() {
  if (role.mine) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CLAIM_MS);
    link.addEventListener("role", ({ detail }) => {
      clearTimeout(timer);
      resolve(detail.mine);
    }, { once: true });
    claim();
  });
}

$("start").addEventListener("click", async () => {
  if (headset.active) {
    await headset.leave();
    return;
  }
  if (!(await becomeOperator())) return;
  try {
    await headset.enter();
  } catch (error) {
    notice("error", `AR did not start: ${error.message}`);
  }
});

$("claim").addEventListener("click", () => (role.mine ? link.send({ t: "leave" }) : claim()));
$("toggle").addEventListener("click", () => link.send({ t: "press", action: toggle }));
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => link.send({ t: "press", action: button.dataset.action }));
}

setInterval(() => {
  const now = performance.now();
  const silent = connected && now - seen.state > STALE_MS;
  document.body.classList.toggle("stale", silent);
  if (silent) text("link", "No news from the node");
  else if (connected) text("link", "Connected");
  const old = now - seen.image > STALE_MS;
  $("camera").classList.toggle("old", old);
  const note = headset.active ? "Paused while you are in AR" : seen.image ? "The image is old" : "No camera image";
  $("camera-note").hidden = !old && seen.image > 0;
  text("camera-note", note);
}, 250);

$("name").value = localStorage.getItem("hiors-quest-name") ?? "";
arSupported = await Headset.supported();
showStart();
showRole();
link.open();
