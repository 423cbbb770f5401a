// SPDX-License-Identifier: Apache-2.0
// The live cameras: one tile each, the newest image only.

import { $, make } from "./dom.js";

const OLD_MS = 2000;

export class Cameras {
  #tiles = [];

  configure(names) {
    if (names.length === this.#tiles.length && names.every((n, i) => n === this.#tiles[i].name)) return;
    this.#tiles = names.map((name, i) => {
      const tile = make("figure", `camera${i === 0 ? " first" : ""}`);
      const image = make("img", "", "", tile);
      image.alt = `Camera ${name}`;
      image.hidden = true;
      const note = make("p", "", "No image yet", tile);
      make("figcaption", "", name.replaceAll("_", " "), tile);
      return { name, tile, image, note, seen: 0, busy: false };
    });
    $("cameras").replaceChildren(...this.#tiles.map(({ tile }) => tile));
  }

  async show(blob) {
    const place = new Uint8Array(await blob.slice(0, 1).arrayBuffer())[0];
    const tile = this.#tiles[place];
    if (!tile || tile.busy) return;
    tile.busy = true;
    const address = URL.createObjectURL(blob.slice(1, blob.size, "image/jpeg"));
    tile.image.onload = tile.image.onerror = () => {
      tile.busy = false;
      URL.revokeObjectURL(address);
    };
    tile.image.src = address;
    tile.image.hidden = false;
    tile.note.hidden = true;
    tile.seen = performance.now();
  }

  age() {
    const now = performance.now();
    for (const tile of this.#tiles) tile.tile.classList.toggle("old", tile.seen > 0 && now - tile.seen > OLD_MS);
  }
}
