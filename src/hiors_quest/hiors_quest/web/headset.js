// SPDX-License-Identifier: Apache-2.0
// The XR session: what the headset and the controllers do, as messages. Decides nothing about the robot.

import { Scene } from "./scene.js";

const HELD = 0.5;
const NAMES = { left: { 3: "stick", 4: "x", 5: "y" }, right: { 3: "stick", 4: "a", 5: "b" } };

const round = (value) => Math.round(value * 1e7) / 1e7;
const unit = (value) => round(Math.min(1, Math.max(0, value ?? 0)));

function quaternion({ x, y, z, w }) {
  const length = Math.hypot(x, y, z, w) || 1;
  return [x, y, z, w].map((v) => round(v / length));
}

function describe(source, pose) {
  const { buttons } = source.gamepad;
  const { position: p, orientation } = pose.transform;
  const held = Object.entries(NAMES[source.handedness]).filter(([i]) => buttons[i]?.value >= HELD);
  return {
    pose: [round(p.x), round(p.y), round(p.z), ...quaternion(orientation)],
    emulated: pose.emulatedPosition,
    trigger: unit(buttons[0]?.value),
    squeeze: unit(buttons[1]?.value),
    buttons: held.map(([, name]) => name),
  };
}

export class Headset extends EventTarget {
  #link;
  #session = null;
  #space = null;
  #scene = null;
  #sequence = 0;

  constructor(link) {
    super();
    this.#link = link;
  }

  static async supported() {
    return Boolean(await navigator.xr?.isSessionSupported("immersive-ar").catch(() => false));
  }

  get active() {
    return this.#session !== null;
  }

  async enter() {
    const session = await navigator.xr.requestSession("immersive-ar", { requiredFeatures: ["local-floor"] });
    try {
      this.#scene = await Scene.create(session);
      this.#space = await session.requestReferenceSpace("local-floor");
    } catch (error) {
      await session.end();
      throw error;
    }
    this.#session = session;
    session.addEventListener("end", () => this.#ended());
    session.addEventListener("visibilitychange", () => this.#hidden());
    session.requestAnimationFrame((time, frame) => this.#frame(time, frame));
    this.dispatchEvent(new Event("change"));
  }

  async leave() {
    await this.#session?.end();
  }

  show(state) {
    this.#scene?.show(state);
  }

  pulse(strength, ms, times = 1, hand = null) {
    for (const source of this.#session?.inputSources ?? []) {
      if (hand && source.handedness !== hand) continue;
      const actuator = source.gamepad?.hapticActuators?.[0];
      for (let i = 0; i < times; i++) setTimeout(() => actuator?.pulse?.(strength, ms), 2 * i * ms);
    }
  }

  #frame(time, frame) {
    if (!this.#session) return;
    this.#session.requestAnimationFrame((t, f) => this.#frame(t, f));
    const hands = { left: null, right: null };
    for (const source of this.#session.inputSources) {
      if (!source.gamepad || !source.gripSpace || !(source.handedness in hands)) continue;
      const pose = frame.getPose(source.gripSpace, this.#space);
      if (pose) hands[source.handedness] = describe(source, pose);
    }
    const viewer = frame.getViewerPose(this.#space);
    this.#send(hands, viewer && quaternion(viewer.transform.orientation));
    if (hands.left?.buttons.includes("x")) this.#scene.recentre();
    if (viewer) this.#scene.draw(viewer, hands);
  }

  #send(hands, head) {
    const visible = this.#session.visibilityState === "visible";
    this.#link.sendFresh({
      t: "frame",
      n: this.#sequence++,
      time: performance.now() / 1000,
      visible,
      head: head ?? null,
      ...hands,
    });
  }

  #hidden() {
    if (this.#session?.visibilityState !== "visible") this.#send({ left: null, right: null }, null);
  }

  #ended() {
    this.#session = null;
    this.#scene = null;
    this.#link.send({ t: "end" });
    this.dispatchEvent(new Event("change"));
  }
}
