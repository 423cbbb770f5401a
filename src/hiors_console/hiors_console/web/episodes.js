// SPDX-License-Identifier: Apache-2.0
// The list of episodes and the replay of one of them.

import { $, make, number, spans, text } from "./dom.js";

export class Episodes {
  #fetch;
  #pictures = new Map();
  #rows = new Map();
  #replay = null;
  selected = "";
  list = [];

  constructor(fetcher, onSelect) {
    this.#fetch = fetcher;
    this.onSelect = onSelect;
    $("replay-close").addEventListener("click", () => $("replay").close());
    $("replay").addEventListener("close", () => this.#end());
    $("replay-play").addEventListener("click", () => this.#toggle());
    $("replay-time").addEventListener("input", (event) => this.#seek(event.target.value / 1000));
    $("replay-camera").addEventListener("change", () => this.#load());
  }

  show(list) {
    this.list = list;
    if (this.selected && !list.some((e) => e.id === this.selected)) this.selected = "";
    const focus = document.activeElement?.dataset?.episode;
    $("episodes").replaceChildren(...list.map((episode) => this.#row(episode)));
    if (focus) this.#rows.get(focus)?.focus();
    text("count", list.length ? `${list.length} newest` : "none yet");
  }

  select(id) {
    this.selected = id === this.selected ? "" : id;
    for (const [name, row] of this.#rows) row.setAttribute("aria-pressed", name === this.selected);
    this.onSelect(this.selected);
  }

  // After a label: the next older one that waits, else the oldest newer one.
  next(after) {
    const waiting = this.list.filter((e) => e.pending && e.id !== after).map((e) => e.id);
    return waiting.find((id) => id < after) ?? waiting.at(-1) ?? "";
  }

  #row(episode) {
    const item = make("li");
    item.className = "episode";
    const picture = make("button", "picture", "", item);
    picture.title = "Replay";
    picture.setAttribute("aria-label", `Replay ${episode.id}`);
    const row = make("button", "body", "", item);
    row.dataset.episode = episode.id;
    row.setAttribute("aria-pressed", episode.id === this.selected);
    const title = make("span", "title", "", row);
    make("b", "", episode.id, title);
    const known = episode.outcome !== "none";
    const value = episode.outcome === "return" ? ` ${episode.return}` : "";
    const badge = make("span", "badge", known ? episode.outcome + value : episode.pending ? "label me" : episode.state, title);
    badge.dataset.outcome = episode.outcome;
    const facts = [number(episode.duration, "s"), `${Math.round(100 * (episode.human_fraction ?? 0))}% human`, episode.state];
    make("span", "detail", [...facts, episode.by && `by ${episode.by}`, episode.reasons[0]].filter(Boolean).join(" · "), row);
    const bar = make("span", "spans", "", row);
    if (episode.state !== "recording") this.#picture(episode.id, picture, bar);
    make("span", "", "▶", picture);
    row.addEventListener("click", () => this.select(episode.id));
    picture.addEventListener("click", () => this.replay(episode.id));
    this.#rows.set(episode.id, row);
    return item;
  }

  async #picture(id, picture, bar) {
    if (!this.#pictures.has(id)) {
      const base = `api/episodes/${encodeURIComponent(id)}`;
      this.#pictures.set(id, Promise.all([
        this.#fetch(`${base}/thumbnail.jpg`).then((r) => r.blob()).then((b) => URL.createObjectURL(b)).catch(() => ""),
        this.#fetch(base).then((r) => r.json()).catch(() => null),
      ]));
    }
    const [address, info] = await this.#pictures.get(id);
    if (!info) this.#pictures.delete(id);
    if (address) {
      const image = make("img");
      image.alt = "";
      image.src = address;
      picture.prepend(image);
    }
    if (info) spans(bar, info.spans);
  }

  async replay(id) {
    text("replay-id", id);
    text("replay-note", "Loading");
    text("replay-facts", "");
    $("replay-image").hidden = true;
    if (!$("replay").open) $("replay").showModal();
    try {
      const info = await (await this.#fetch(`api/episodes/${encodeURIComponent(id)}`)).json();
      spans($("replay-spans"), info.spans);
      $("replay-camera").replaceChildren(...info.cameras.map((name) => {
        const option = make("option", "", name);
        option.value = name;
        return option;
      }));
      text("replay-facts", [
        info.task, number(info.duration, "s"), `${info.transitions} transitions`, `${info.interventions} intervention${info.interventions === 1 ? "" : "s"}`, info.outcome,
        info.accepted === null ? "not decided" : info.accepted ? `accepted, m = ${info.threshold}` : "rejected", ...info.reasons,
      ].join(" · "));
      this.#replay = { info, frames: [], time: 0, playing: true, before: performance.now() };
      await this.#load();
    } catch (error) {
      text("replay-note", error.message);
    }
  }

  async #load() {
    const { info } = this.#replay;
    this.#free();
    const camera = $("replay-camera").value;
    if (!camera) {
      text("replay-note", "The episode holds no image");
      return;
    }
    const answer = await this.#fetch(`api/episodes/${encodeURIComponent(info.id)}/frames/${encodeURIComponent(camera)}`);
    const data = await answer.arrayBuffer();
    const length = new DataView(data).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    let at = 4 + length;
    if (!this.#replay) return;
    this.#replay.frames = head.times.map((time, i) => {
      const address = URL.createObjectURL(new Blob([data.slice(at, at + head.sizes[i])], { type: "image/jpeg" }));
      at += head.sizes[i];
      return { time, address };
    });
    text("replay-note", "");
    $("replay-image").hidden = false;
    this.#replay.before = performance.now();
    requestAnimationFrame(() => this.#step());
  }

  #step() {
    const replay = this.#replay;
    if (!replay || !replay.frames.length) return;
    const now = performance.now();
    const passed = ((now - replay.before) / 1000) * Number($("replay-speed").value);
    replay.before = now;
    if (replay.playing) replay.time = (replay.time + passed) % (replay.info.duration + 0.6);
    const shown = replay.frames.findLast((f) => f.time <= replay.time) ?? replay.frames[0];
    const image = $("replay-image");
    if (image.src !== shown.address) image.src = shown.address;
    const at = Math.min(replay.time, replay.info.duration);
    $("replay-time").value = (1000 * at) / Math.max(1e-6, replay.info.duration);
    text("replay-clock", `${at.toFixed(1)} / ${replay.info.duration.toFixed(1)} s`);
    requestAnimationFrame(() => this.#step());
  }

  #toggle() {
    if (!this.#replay) return;
    this.#replay.playing = !this.#replay.playing;
    text("replay-play", this.#replay.playing ? "Pause" : "Play");
  }

  #seek(share) {
    if (this.#replay) this.#replay.time = share * this.#replay.info.duration;
  }

  #free() {
    for (const { address } of this.#replay?.frames ?? []) URL.revokeObjectURL(address);
    if (this.#replay) this.#replay.frames = [];
  }

  #end() {
    this.#free();
    this.#replay = null;
    text("replay-play", "Pause");
  }
}
