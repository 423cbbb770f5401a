// SPDX-License-Identifier: Apache-2.0
// Keys and sticks become speeds, 30 times a second, while the page is in front of the person.

import { $, make, text } from "./dom.js";

const PERIOD_MS = 33;
const QUIET = 6;
const DEAD_ZONE = 0.12;
const AXES = {
  KeyW: ["linear", 0, 1], KeyS: ["linear", 0, -1], KeyA: ["linear", 1, 1], KeyD: ["linear", 1, -1],
  KeyR: ["linear", 2, 1], KeyV: ["linear", 2, -1], KeyQ: ["angular", 2, 1], KeyE: ["angular", 2, -1],
};

const stick = (value = 0) => (Math.abs(value) < DEAD_ZONE ? 0 : Math.max(-1, Math.min(1, value)));

export class Drive {
  #link;
  #held = new Set();
  #gripper = null;
  #gripperButton = false;
  #wasEngaged = false;
  #quiet = 0;
  allowed = false;
  mine = false;

  constructor(link) {
    this.#link = link;
    addEventListener("keyup", (event) => {
      // A button that has the focus takes Space for a click.
      if (this.#held.delete(event.code)) event.preventDefault();
    });
    addEventListener("blur", () => this.#held.clear());
    document.addEventListener("visibilitychange", () => this.#held.clear());
    setInterval(() => this.#send(), PERIOD_MS);
  }

  // Whether the key belongs to driving: while the deadman is held, letters are no labels.
  key(event) {
    if (!this.allowed || !this.mine) return false;
    const drives = event.code === "Space" || (this.#held.has("Space") && (event.code in AXES || event.code === "KeyG"));
    if (!drives) return false;
    if (event.code === "KeyG" && !event.repeat) this.#gripper = this.#gripper === 0 ? 1 : 0;
    this.#held.add(event.code);
    event.preventDefault();
    return true;
  }

  configure({ drive, arms }) {
    this.allowed = drive;
    $("drive").hidden = !drive;
    $("arm-row").hidden = arms.length < 2;
    if ($("arm").options.length !== arms.length) {
      $("arm").replaceChildren(...arms.map((name) => {
        const option = make("option", "", name);
        option.value = name;
        return option;
      }));
    }
  }

  show({ engaged, reason }) {
    $("drive-state").dataset.engaged = engaged;
    const advice = this.mine ? reason : "take the controls, take over, then hold Space";
    text("drive-state", engaged ? "Driving" : advice);
  }

  #send() {
    if (!this.allowed || !this.mine) return;
    const wish = { linear: [0, 0, 0], angular: [0, 0, 0] };
    let engaged = this.#held.has("Space");
    for (const code of this.#held) {
      if (code in AXES) {
        const [kind, axis, sign] = AXES[code];
        wish[kind][axis] += sign;
      }
    }
    const pad = navigator.getGamepads?.().find((found) => found?.connected && found.mapping === "standard");
    if (pad) {
      engaged ||= pad.buttons[4].pressed;
      wish.linear[0] -= stick(pad.axes[1]);
      wish.linear[1] -= stick(pad.axes[0]);
      wish.linear[2] += pad.buttons[7].value - pad.buttons[6].value;
      wish.angular[2] -= stick(pad.axes[2]);
      wish.angular[1] -= stick(pad.axes[3]);
      if (pad.buttons[0].pressed && !this.#gripperButton) this.#gripper = this.#gripper === 0 ? 1 : 0;
      this.#gripperButton = pad.buttons[0].pressed;
    }
    if (document.hidden) engaged = false;
    if (!engaged) this.#gripper = null;
    for (const kind of ["linear", "angular"]) wish[kind] = wish[kind].map((v) => Math.max(-1, Math.min(1, v)));
    // An open deadman is told at once, then now and then: the node wants to have seen it open.
    this.#quiet = engaged || this.#wasEngaged ? 0 : (this.#quiet + 1) % QUIET;
    this.#wasEngaged = engaged;
    if (this.#quiet) return;
    this.#link.sendFresh({ t: "drive", arm: $("arm").value, engaged, gripper: this.#gripper, ...wish });
  }
}
