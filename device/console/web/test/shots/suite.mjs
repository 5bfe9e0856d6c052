// Shows all scenes and walks in one browser, several at a time, and says what came out.
import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { chromium } from "playwright-core";
import { complaints } from "./check.mjs";
import { Far } from "./far.mjs";
import { scenes } from "./scenes.mjs";
import { Slot } from "./slot.mjs";
import { still } from "./steps.mjs";
import { walks } from "./walks.mjs";

const FLAGS = `--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync
  --use-fake-device-for-media-stream=fps=10 --use-fake-ui-for-media-stream --autoplay-policy=no-user-gesture-required
  --allow-loopback-in-peer-connection --disable-features=WebRtcHideLocalIpsWithMdns`.split(/\s+/);
const STEP = 25; // scenes between two lines of progress

/** Shows every scene and walk whose name holds wanted; returns whether all were as they must be. */
export async function suite({ executable, dist, out, wanted, atOnce = availableParallelism() + 1 }) {
  if (wanted === "") rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  // Walks first: they take longest, and the last of them must not be alone at the end.
  const all = [...walks, ...scenes.map((scene) => ({ ...scene, run: shown(scene, out) }))];
  const chosen = all.filter(({ name }) => name.includes(wanted));
  if (chosen.length === 0) console.log(`No scene has "${wanted}" in its name; names are in test/shots/scenes.mjs and walks*.mjs.`);
  const result = await inOneBrowser(executable, chosen, atOnce, { dist, out });
  console.log(`${result.passed} passed, ${chosen.length - result.passed} failed`);
  return result.passed > 0 && result.passed === chosen.length;
}

/** A scene as a task: shown, photographed and checked. */
function shown(scene, out) {
  return async ({ mock, far, problems, open }) => {
    mock.show(scene.view());
    scene.before?.({ mock });
    const page = await open(scene.path, scene);
    await scene.act?.({ page, mock, far });
    await still(page);
    await page.screenshot({ path: `${out}/${scene.name}.png` });
    problems.push(...(await complaints(page)));
  };
}

async function inOneBrowser(executable, tasks, atOnce, places) {
  const began = Date.now();
  const result = { passed: 0, failed: [] };
  let browser;
  try {
    browser = await chromium.launch({ executablePath: executable, args: FLAGS, timeout: 180_000 });
  } catch (error) {
    console.log(`Chromium (${executable}) does not start: ${String(error.message).split("\n")[0]}. Look at free memory and disk, then run again.`);
    return result;
  }
  const died = new Promise((resolve) => browser.once("disconnected", resolve));
  const far = new Far(browser);
  const waiting = [...tasks];
  const underWay = new Set();
  const work = async (slot) => {
    for (let task; browser.isConnected() && (task = next(waiting, underWay)); ) {
      underWay.add(task);
      const { problems, kept } = await slot.run(task);
      // A browser that ends closes its windows first: what comes of that is no fault of the scene.
      if (problems.some((text) => /has been closed|open a new tab/.test(text))) await Promise.race([died, new Promise((resolve) => setTimeout(resolve, 5000))]);
      if (!browser.isConnected()) return; // told below, once for all
      underWay.delete(task);
      tell(result, task.name, problems, kept);
      const done = result.passed + result.failed.length;
      if (done % STEP === 0) console.log(`      ${done} of ${tasks.length}, ${Math.round((Date.now() - began) / 1000)} s`);
    }
  };
  const all = Array.from({ length: Math.min(atOnce, tasks.length) }, () => work(new Slot({ browser, far, ...places })));
  await Promise.race([Promise.all(all), died]); // not every call to a browser that died comes back
  if (!browser.isConnected()) {
    console.log(`Chromium ended in the middle of ${[...underWay].map(({ name }) => name).join(", ")}; ${waiting.length} more were not shown. It was ended from outside, by somebody or for want of memory (dmesg tells): run again.`);
  }
  await browser.close().catch(() => {}); // gone already
  if (result.failed.length > 0) console.log(`failed: ${result.failed.join(" ")}`);
  return result;
}

/**
 * Takes the next task. Of those with media always one and never two: each is work for a whole core, they share the far
 * end, and one after the other they take as long as all the rest beside them.
 */
function next(waiting, underWay) {
  const taken = [...underWay].some(({ media }) => media);
  const of = (kind) => waiting.findIndex(({ media = false }) => media === kind);
  const at = taken || of(true) < 0 ? of(false) : of(true);
  return at < 0 ? undefined : waiting.splice(at, 1)[0];
}

function tell(result, name, problems, kept) {
  if (problems.length === 0) result.passed++;
  else result.failed.push(name);
  if (problems.length > 0) console.log([`FAIL  ${name}`, ...problems, kept && `kept: ${kept}`].filter(Boolean).join("\n        "));
  else if (process.env.SHOTS_VERBOSE) console.log(`ok    ${name}`);
}
