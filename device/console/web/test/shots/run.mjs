// Shows every page in many moments on a stand-in for the API, takes a picture of each, checks it for accessibility,
// and walks through by keyboard. Usage: npm run build && npm run shots [-- part-of-a-name]; pictures, and what a failed
// scene left, are in test/shots/out. SHOTS_VERBOSE=1 names every scene, SHOTS_AT_ONCE=1 shows one after the other.
import { existsSync } from "node:fs";

const here = new URL(".", import.meta.url).pathname;
const web = new URL("../../", import.meta.url).pathname;
const dist = `${web}dist`;
const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";

function missing() {
  if (!existsSync(`${web}node_modules/playwright-core`)) return "node_modules is missing: run make web";
  if (!existsSync(`${dist}/panel.html`)) return `${dist} holds no pages: run make web`;
  if (!existsSync(executable)) return `${executable} is missing: run make test-packages`;
  return "";
}

const lacks = missing();
if (lacks) {
  console.log(lacks);
  process.exitCode = 1;
} else {
  const { suite } = await import("./suite.mjs");
  const atOnce = Number(process.env.SHOTS_AT_ONCE) || undefined;
  const well = await suite({ executable, dist, out: `${here}out`, wanted: process.argv[2] ?? "", atOnce });
  process.exit(well ? 0 : 1); // whatever a browser that died has left open
}
