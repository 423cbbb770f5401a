// SPDX-License-Identifier: Apache-2.0
// Small steps on the page. Texts are always set as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function text(id, value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
}

export function make(tag, className = "", content = "", parent = null) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content) element.textContent = content;
  parent?.append(element);
  return element;
}

export function number(value, unit = "", digits = 1) {
  return value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit ? ` ${unit}` : ""}`;
}

export function spans(parent, list) {
  parent.replaceChildren(...list.map(({ authority, start, end }) => {
    const part = document.createElement("i");
    part.dataset.who = authority;
    part.style.width = `${100 * (end - start)}%`;
    return part;
  }));
}
