// SPDX-License-Identifier: Apache-2.0
// The learning curves, drawn as SVG.

import { $, text } from "./dom.js";

const SPACE = "http://www.w3.org/2000/svg";
const WINDOW = 10;
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [320, 128, 34, 16, 6];

function draw(tag, attributes, parent, content = "") {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (content) element.textContent = content;
  parent.append(element);
}

function means(values) {
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i - WINDOW + 1), i + 1);
    return near.reduce((a, b) => a + b, 0) / near.length;
  });
}

function chart(id, points, { top, colour, dots = [], threshold = null, show = (v) => v.toFixed(2) }) {
  const svg = $(id);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const last = points.length ? points[points.length - 1][0] : 1;
  const first = points.length ? points[0][0] : 0;
  const x = (v) => LEFT + ((v - first) / Math.max(1e-9, last - first)) * (WIDTH - LEFT - 4);
  const y = (v) => TOP + (1 - Math.min(1, v / top)) * (HEIGHT - TOP - BOTTOM);
  for (const share of [0, 0.5, 1]) {
    draw("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y(share * top), y2: y(share * top) }, svg);
    draw("text", { class: "tick", x: 0, y: y(share * top) + 4 }, svg, show(share * top));
  }
  if (threshold !== null) draw("line", { class: "threshold", x1: LEFT, x2: WIDTH, y1: y(threshold), y2: y(threshold) }, svg);
  for (const [px, py] of dots) draw("circle", { class: `dot ${colour}`, cx: x(px), cy: y(py), r: 2 }, svg);
  if (points.length < 2) return;
  const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
  draw("polygon", { class: `area ${colour}`, points: `${x(first)},${y(0)} ${path} ${x(last)},${y(0)}` }, svg);
  draw("polyline", { class: `line ${colour}`, points: path }, svg);
  draw("text", { class: "tick", x: LEFT, y: HEIGHT - 2 }, svg, String(first));
  draw("text", { class: "tick", x: WIDTH, y: HEIGHT - 2, "text-anchor": "end" }, svg, String(last));
}

const percent = (v) => `${Math.round(100 * v)}%`;

export function showCurves({ episodes, loss }) {
  const judged = episodes.map((e, i) => [i + 1, e.success]).filter(([, s]) => s !== null);
  const success = means(judged.map(([, s]) => s)).map((v, i) => [judged[i][0], v]);
  const human = means(episodes.map((e) => e.human ?? 0)).map((v, i) => [i + 1, v]);
  const thresholds = episodes.map((e) => e.threshold).filter((v) => v !== null);
  const m = thresholds.length ? thresholds[thresholds.length - 1] : null;
  chart("success", success, { top: 1, colour: "one", dots: judged, threshold: m, show: percent });
  chart("human", human, { top: 1, colour: "two", dots: episodes.map((e, i) => [i + 1, e.human ?? 0]), show: percent });
  const highest = loss.length ? Math.max(1e-6, ...loss.map(([, v]) => v)) : 1;
  chart("loss", loss, { top: highest, colour: "three", show: (v) => v.toPrecision(2) });
  const end = (list, show) => (list.length ? show(list[list.length - 1][1]) : "–");
  text("success-now", end(success, percent));
  text("human-now", end(human, percent));
  text("loss-now", end(loss, (v) => v.toPrecision(3)));
  text("curves-note", episodes.length ? `${episodes.length} episodes · mean of ${WINDOW}${m === null ? "" : ` · dashed: threshold m = ${m}`}` : "No episode yet");
  return m;
}
