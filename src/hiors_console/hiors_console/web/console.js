// SPDX-License-Identifier: Apache-2.0
// The page: shows what the node says, sends what the person presses.

import { Cameras } from "./cameras.js";
import { showCurves } from "./curves.js";
import { $, make, number, text } from "./dom.js";
import { Drive } from "./drive.js";
import { Episodes } from "./episodes.js";
import { showFleet } from "./fleet.js";
import { Link } from "./link.js";

const TITLES = {
  NONE: "No news", HOLD: "Holding", POLICY: "Policy drives", HANDOVER: "Handing over", HUMAN: "Person drives", STOPPED: "Stopped",
};
const LABEL_KEYS = { KeyS: "success", KeyF: "failure", KeyD: "discard", KeyU: "undo" };
const STALE_MS = 2000;
const CLAIM_MS = 1500;
const CURVES_MS = 5000;

const link = new Link();
const drive = new Drive(link);
const cameras = new Cameras();
const episodes = new Episodes(fetchWithToken, showTarget);
let role = { mine: false, name: "", clients: 0 };
let toggle = "take_over";
let connected = false;
let heard = 0;
let imageRate = 10;
let curvesDue = 0;

async function fetchWithToken(path) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${link.token}` } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

const myName = () => $("name").value.trim() || "operator";

function notice(level, message) {
  $("notice").dataset.level = level;
  text("notice", message);
}

function showRole() {
  drive.mine = role.mine && connected;
  document.body.classList.toggle("operator", role.mine);
  const watchers = role.clients > 1 ? ` · ${role.clients} consoles` : "";
  const who = role.mine ? `You operate as ${role.name}` : role.name ? `${role.name} is the operator` : "Nobody operates";
  text("role", connected ? who + watchers : "");
  text("claim", role.mine ? "Leave controls" : "Take controls");
  $("claim").disabled = !connected || (!role.mine && role.name !== "");
  const moves = !["NONE", "STOPPED"].includes(document.body.dataset.authority);
  for (const button of document.querySelectorAll("[data-operator]")) {
    const free = button.id === "toggle" && role.name === "";
    button.disabled = !connected || !(role.mine || free) || ((button.id === "toggle" || "moves" in button.dataset) && !moves);
  }
  for (const button of document.querySelectorAll("[data-label], #stages button, #stop")) button.disabled = !connected;
}

function showControl(control) {
  const name = control.authority ?? "NONE";
  document.body.dataset.authority = name;
  text("authority", name === "HUMAN" && control.operator ? `${control.operator} drives` : TITLES[name]);
  text("reason", control.reason);
  $("problems").replaceChildren(...control.problems.map((problem) => make("li", "", problem)));
  $("resume").hidden = name !== "STOPPED";
  text("rate", number(control.rate, "Hz"));
  text("period", `${number(control.period_p50_ms)} / ${number(control.period_p99_ms, "ms")}`);
}

function showHealth({ latency, limiter, learner, checkpoint, devices }) {
  text("delay", `${number(latency.chunk_p50_ms)} / ${number(latency.chunk_max_ms, "ms")}`);
  text("limiter", limiter.share ? `${Math.round(100 * limiter.share)}%: ${limiter.reasons.join("; ")}` : "quiet");
  text("learner-state", learner?.state ?? "no learner");
  text("learner-message", learner && learner.message !== learner.state ? learner.message : "");
  text("learner-step", learner?.step ? `${learner.step} · loss ${number(learner.loss, "", 4)}` : "–");
  text("learner-data", learner ? `${learner.episodes} online + ${learner.demonstrations} demonstrations` : "–");
  const { active, published } = checkpoint;
  const newer = published && published.version !== active?.version ? ` (${published.version} waits)` : "";
  text("checkpoint", active ? `${active.version} acts${newer}` : published?.version ?? "–");
  $("devices").replaceChildren(...devices.map(({ level, name, message }) => {
    const item = make("li");
    item.dataset.level = level;
    item.title = `${name}: ${message}`;
    make("span", "", name, item);
    make("span", "soft", message, item);
    return item;
  }));
}

function showTarget(id) {
  text("target", id || "the running or newest unlabelled one");
  $("untarget").hidden = !id;
}

function becomeOperator() {
  if (role.mine) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CLAIM_MS);
    link.addEventListener("role", ({ detail }) => {
      clearTimeout(timer);
      resolve(detail.mine);
    }, { once: true });
    link.send({ t: "claim", name: myName() });
  });
}

function label(action, rewards = []) {
  const episode = episodes.selected;
  const sent = link.send({ t: "label", episode, action: action ?? "", rewards, name: myName() });
  if (!sent) notice("error", "Not connected: the label was not sent.");
  else if (episode && action !== "undo") episodes.select(episodes.next(episode) || episode);
}

async function loadCurves() {
  if (!connected || document.hidden || performance.now() < curvesDue) return;
  curvesDue = performance.now() + CURVES_MS;
  try {
    const m = showCurves(await (await fetchWithToken("api/curves")).json());
    text("threshold", m === null ? "–" : String(m));
  } catch (error) {
    text("curves-note", error.message);
  }
}

link.addEventListener("status", ({ detail }) => {
  connected = detail.state === "up";
  $("link").dataset.state = detail.state;
  text("link", detail.text);
  if (connected) {
    heard = performance.now();
    link.send({ t: "watch", rate: imageRate });
    curvesDue = 0;
  } else {
    role = { mine: false, name: "", clients: 0 };
  }
  showRole();
});
link.addEventListener("role", ({ detail }) => {
  role = detail;
  if (role.mine) localStorage.setItem("hiors-name", role.name);
  showRole();
});
link.addEventListener("configuration", ({ detail }) => {
  imageRate = detail.image_rate;
  cameras.configure(detail.cameras);
  drive.configure(detail);
});
link.addEventListener("state", ({ detail: state }) => {
  heard = performance.now();
  document.body.classList.remove("stale");
  toggle = state.toggle;
  text("toggle", toggle === "hand_back" ? "Hand back" : "Take over");
  showControl(state.control);
  showHealth(state);
  drive.show(state.drive);
  showFleet(state.fleet, state.own);
  showRole();
  const waiting = state.label_pending.length;
  document.body.classList.toggle("label-pending", waiting > 0);
  $("pending").hidden = waiting === 0;
  text("pending", `${waiting} waiting`);
  document.title = waiting ? `(${waiting}) hiors · Console` : "hiors · Console";
});
link.addEventListener("episodes", ({ detail }) => {
  episodes.show(detail.episodes);
  showTarget(episodes.selected);
  curvesDue = Math.min(curvesDue, performance.now() + 500);
});
link.addEventListener("image", ({ detail }) => cameras.show(detail));
link.addEventListener("notice", ({ detail }) => notice(detail.level, detail.text));
link.addEventListener("refused", ({ detail }) => notice("error", `Refused by the node: ${detail.text}`));

$("claim").addEventListener("click", () => link.send(role.mine ? { t: "leave" } : { t: "claim", name: myName() }));
$("toggle").addEventListener("click", async () => {
  if (await becomeOperator()) link.send({ t: "press", action: toggle });
});
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => link.send({ t: "press", action: button.dataset.action }));
}
for (const button of document.querySelectorAll("[data-label]")) {
  button.addEventListener("click", () => label(button.dataset.label));
}
$("stages").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = $("rewards").value.split(/[\s,;]+/).filter(Boolean);
  const rewards = words.map(Number);
  if (!rewards.length || rewards.some((v) => !Number.isFinite(v))) {
    notice("error", "Stage rewards are numbers, such as 0.5, 0.5.");
    return;
  }
  label(null, rewards);
  $("rewards").value = "";
});
$("untarget").addEventListener("click", () => episodes.select(episodes.selected));
addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=range]), select") || $("replay").open;
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (drive.key(event) || event.repeat) return;
  if (event.code in LABEL_KEYS && connected) label(LABEL_KEYS[event.code]);
});

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}
setTheme(localStorage.getItem("hiors-theme") ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
$("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  localStorage.setItem("hiors-theme", next);
  setTheme(next);
});

setInterval(() => {
  const silent = connected && performance.now() - heard > STALE_MS;
  document.body.classList.toggle("stale", silent);
  if (connected) text("link", silent ? "No news from the node" : "Connected");
  cameras.age();
  loadCurves();
}, 250);

$("name").value = localStorage.getItem("hiors-name") ?? "";
showTarget("");
showRole();
link.open();
