// SPDX-License-Identifier: Apache-2.0
// The socket to the node: token, reconnection, and nothing of what the messages mean.

const KEY = "hiors-token";
const FINAL = new Map([
  [4401, "Wrong token. Open the address that the node printed."],
  [4400, "The node dropped this page: too many malformed messages."],
]);
const CROWDED = 16384;

function takeToken() {
  const given = location.hash.slice(1);
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? "";
}

export class Link extends EventTarget {
  #socket = null;
  #token = takeToken();
  #wait = 500;

  constructor() {
    super();
    addEventListener("hashchange", () => {
      this.#token = takeToken();
      this.#wait = 500;
      this.#socket?.close();
      this.open();
    });
  }

  get token() {
    return this.#token;
  }

  open() {
    if (!this.#token) {
      this.#emit("status", { state: "refused", text: "No token. Open the address that the node printed." });
      return;
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`);
    socket.binaryType = "blob";
    this.#socket = socket;
    socket.onopen = () => this.send({ t: "hello", token: this.#token });
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
  }

  send(message) {
    const ready = this.#socket?.readyState === WebSocket.OPEN;
    if (ready) this.#socket.send(JSON.stringify(message));
    return ready;
  }

  // A frame that would only wait behind others is worth less than the next one.
  sendFresh(message) {
    return (this.#socket?.bufferedAmount ?? CROWDED) < CROWDED && this.send(message);
  }

  #take(data) {
    if (data instanceof Blob) {
      this.#emit("image", data);
      return;
    }
    const message = JSON.parse(data);
    if (message.t === "role") {
      this.#wait = 500;
      this.#emit("status", { state: "up", text: "Connected" });
    }
    this.#emit(message.t, message);
  }

  #closed(code) {
    if (FINAL.has(code)) {
      this.#emit("status", { state: "refused", text: FINAL.get(code) });
      return;
    }
    this.#emit("status", { state: "down", text: "Reconnecting" });
    setTimeout(() => this.open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, 5000);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
