// SPDX-License-Identifier: Apache-2.0
// A headless Chromium for the tests of the pages, driven by JSON lines on stdin:
// {"do": NAME, ...} in, {"ok": true, "value": ...} or {"ok": false, "error": ...} out.
// Its first page, "headset", has Meta's emulator of a Quest 3 in it; others are plain.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const IWER = fileURLToPath(new URL("node_modules/iwer/build/iwer.js", import.meta.url));
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];
const profile = mkdtempSync(join(tmpdir(), "hiors-page-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.argv[2],
  headless: true,
  ignoreHTTPSErrors: true,
  viewport: { width: 640, height: 400 },
  args: FLAGS,
});
const log = [];

async function newPage(withHeadset) {
  const page = await context.newPage();
  page.on("console", (message) => log.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => log.push(`error: ${error.message}`));
  page.on("request", (request) => log.push(`request: ${request.url()}`));
  if (withHeadset) {
    await page.addInitScript({ path: IWER });
    await page.addInitScript(() => {
      window.__xr = new IWER.XRDevice(IWER.metaQuest3);
      window.__xr.installRuntime({ forceInstall: true });
      window.__xr.position.set(0, 1.6, 0);
      window.__frames = (count) => new Promise((done) => {
        const step = () => (count-- > 0 ? requestAnimationFrame(step) : done());
        step();
      });
    });
  }
  return page;
}

const pages = { headset: await newPage(true) };
const pageOf = ({ page }) => pages[page ?? "headset"];

const verbs = {
  open: async ({ url, page = "headset" }) => {
    pages[page] ??= await newPage(false);
    await pages[page].goto(url);
    await pages.headset.bringToFront();
  },
  click: async (order) => pageOf(order).click(order.selector, { timeout: 30000 }),
  fill: async (order) => pageOf(order).fill(order.selector, order.value),
  text: async (order) => pageOf(order).textContent(order.selector),
  waitText: async (order) => pageOf(order).waitForFunction(
    ([selector, wanted]) => document.querySelector(selector)?.textContent.includes(wanted),
    [order.selector, order.value],
    { timeout: order.timeout ?? 10000, polling: 50 },
  ).then(() => null),
  attribute: async (order) => pageOf(order).getAttribute(order.selector, order.name),
  count: async (order) => pageOf(order).locator(order.selector).count(),
  key: async (order) => {
    await pageOf(order).bringToFront();
    await pageOf(order).keyboard[order.how ?? "press"](order.key);
  },
  size: async (order) => pageOf(order).setViewportSize({ width: order.width, height: order.height }),
  theme: async ({ page, scheme }) => pageOf({ page }).emulateMedia({ colorScheme: scheme }),
  close: async ({ page }) => {
    await pages[page].close();
    delete pages[page];
  },
  disabled: async (order) => pageOf(order).isDisabled(order.selector),
  log: async () => log.splice(0),
  screenshot: async (order) => {
    await pageOf(order).setViewportSize({ width: order.width, height: order.height });
    await pageOf(order).screenshot({ path: order.path, fullPage: order.full ?? false });
  },
  hand: async (order) => pages.headset.evaluate(async ({ hand, position, quaternion, buttons, connected }) => {
    const controller = window.__xr.controllers[hand];
    if (position) controller.position.set(...position);
    if (quaternion) controller.quaternion.set(...quaternion);
    for (const [name, value] of Object.entries(buttons ?? {})) controller.updateButtonValue(name, value);
    if (connected !== undefined) controller.connected = connected;
    const at = Date.now();
    await window.__frames(3);
    return at;
  }, order),
  move: async (order) => pages.headset.evaluate(async ({ hand, to, steps }) => {
    const { position } = window.__xr.controllers[hand];
    const from = [position.x, position.y, position.z];
    const set = [];
    for (let i = 1; i <= steps; i++) {
      position.set(...from.map((v, axis) => v + (i / steps) * (to[axis] - v)));
      set.push(Date.now());
      await window.__frames(1);
    }
    await window.__frames(3);
    return set;
  }, order),
  visibility: async ({ state }) => pages.headset.evaluate(async (wanted) => {
    window.__xr.updateVisibilityState(wanted);
    await window.__frames(3);
  }, state),
  stall: async ({ seconds }) => pages.headset.evaluate((wait) => {
    const end = performance.now() + 1000 * wait;
    while (performance.now() < end);
  }, seconds),
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    answer = { ok: true, value: (await verbs[order.do](order)) ?? null };
  } catch (error) {
    answer = { ok: false, error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await context.close();
rmSync(profile, { recursive: true, force: true });
