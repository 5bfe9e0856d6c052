// Shows every page in many moments on a stand-in for the API, takes a picture of each, checks it for accessibility,
// and walks through by keyboard. Usage: npm run build && npm run shots [-- part-of-a-name]; pictures in test/shots/out.
import { mkdirSync, rmSync } from "node:fs";
import { chromium } from "playwright-core";
import { complaints } from "./check.mjs";
import { farEnd } from "./far.mjs";
import { Mock } from "./mock.mjs";
import { scenes } from "./scenes.mjs";
import { walks } from "./walks.mjs";

const here = new URL(".", import.meta.url).pathname;
const out = `${here}out`;
const wanted = process.argv[2] ?? "";

const FLAGS = `--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync
  --use-fake-device-for-media-stream --use-fake-ui-for-media-stream --autoplay-policy=no-user-gesture-required
  --allow-loopback-in-peer-connection --disable-features=WebRtcHideLocalIpsWithMdns`.split(/\s+/);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
let passed = 0;
let failed = 0;

async function one(name, task) {
  if (!name.includes(wanted)) return;
  const problems = [];
  const far = await farEnd(await browser.newContext());
  const mock = new Mock(`${here}../../dist`, far);
  const address = await mock.listen();
  try {
    await task({ address, mock, far, problems });
  } catch (error) {
    problems.push(String(error.message ?? error));
  }
  for (const context of browser.contexts()) await context.close();
  await mock.close();
  if (problems.length === 0) passed++;
  else failed++;
  console.log(problems.length === 0 ? `ok    ${name}` : `FAIL  ${name}\n        ${problems.join("\n        ")}`);
}

/** A page in a context of its own; what it complains of in the console is a problem. */
async function open(address, path, options, problems) {
  const { width = 1280, height = 800, scale = 1, language = "de", init } = options;
  const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale, locale: "de-DE", timezoneId: "Europe/Berlin" });
  await context.grantPermissions(["camera", "microphone"], { origin: address });
  await context.addInitScript((value) => localStorage.setItem("plenum.language", value), language);
  if (init) await context.addInitScript(init);
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`page: ${error.message}`));
  page.on("console", (message) => {
    // The browser itself reports calls that the scene makes fail on purpose.
    if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  await page.goto(address + path);
  return page;
}

if (!wanted) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

for (const scene of scenes) {
  await one(scene.name, async ({ address, mock, far, problems }) => {
    mock.show(scene.view());
    scene.before?.({ mock });
    const page = await open(address, scene.path, scene, problems);
    await scene.act?.({ page, mock, far });
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(scene.settle ?? 300);
    await page.screenshot({ path: `${out}/${scene.name}.png` });
    problems.push(...(await complaints(page)));
  });
}
for (const [name, walk] of Object.entries(walks)) {
  await one(name, (all) => walk({ ...all, open: (path, options = {}) => open(all.address, path, options, all.problems) }));
}

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
