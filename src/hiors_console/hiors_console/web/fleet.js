// SPDX-License-Identifier: Apache-2.0
// The robots of the ROS domain: who drives each, how well it does, what its learner does.

import { $, make, number, text } from "./dom.js";

const WORDS = {
  HOLD: "Holding", POLICY: "Policy drives", HANDOVER: "Handing over", HUMAN: "Person drives", STOPPED: "Stopped",
};
let shown = "";

const percent = (v) => (v === null ? "–" : `${Math.round(100 * v)}%`);

function fact(list, name, value) {
  const row = make("div", "", "", list);
  make("dt", "", name, row);
  make("dd", "", value, row);
}

function card(robot, own) {
  const item = make("li", robot.namespace === own ? "robot own" : "robot");
  item.dataset.authority = robot.authority ?? "NONE";
  const head = make("div", "head", "", item);
  make("b", "", robot.name, head);
  if (robot.waiting) make("span", "pill", `${robot.waiting} to label`, head);
  const driver = robot.authority === "HUMAN" && robot.operator ? `${robot.operator} drives` : WORDS[robot.authority];
  make("p", "who", driver ?? "No news", item);
  make("p", "soft trouble", robot.problems[0] ?? "", item);
  const list = make("dl", "", "", item);
  fact(list, robot.judged ? `Success of ${robot.judged}` : "Success", percent(robot.success));
  fact(list, "Learner", robot.learner ? `${robot.learner}, step ${robot.step}` : "–");
  fact(list, "Checkpoint", robot.checkpoint ?? "–");
  fact(list, "Control", number(robot.rate, "Hz"));
  return item;
}

export function showFleet(robots, own) {
  const now = JSON.stringify([robots, own]);
  if (now === shown) return;
  shown = now;
  $("fleet").hidden = robots.length < 2;
  const people = robots.filter((r) => r.authority === "HUMAN").length;
  const troubled = robots.filter((r) => r.problems.length || r.authority === "STOPPED").length;
  text("fleet-note", `${robots.length} robots · ${people} driven by people · ${troubled} in trouble`);
  $("robots").replaceChildren(...robots.map((robot) => card(robot, own)));
}
