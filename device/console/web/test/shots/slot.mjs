// A place in the browser where one scene after the other is shown: windows and the far end of the media cost more than
// most scenes do, so they are kept from scene to scene.
import { writeFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { NO_FAR } from "./far.mjs";
import { Mock } from "./mock.mjs";
import { follow, LIMIT } from "./steps.mjs";

const LONGEST = 10 * 60_000; // ms for a whole scene: every wait in it has a limit of its own, but a page can hang

export class Slot {
  #browser;
  #dist;
  #out;
  #far;
  #kept = new Map(); // scale → a window that nothing is left in

  /** dist holds the pages, out takes the pictures. */
  constructor({ browser, far, dist, out }) {
    this.#browser = browser;
    this.#dist = dist;
    this.#out = out;
    this.#far = far;
  }

  /** Shows one scene; returns what is wrong with it, and which files tell more. */
  async run({ name, run, media = false }) {
    const problems = [];
    const shown = []; // the windows that it opens
    const far = media ? this.#far : NO_FAR;
    const mock = new Mock(this.#dist, far);
    const address = await mock.listen();
    const open = (path, options = {}) => this.#open(address, path, options, { problems, shown });
    try {
      await limited(run({ address, mock, far, problems, open }));
    } catch (error) {
      problems.push(oneLine(error));
    }
    const kept = problems.length > 0 ? await this.#evidence(name, shown) : "";
    for (const one of shown) await this.#putBack(one, problems.length === 0);
    await mock.close();
    await far.hangUp().catch((error) => problems.push(`far end: ${oneLine(error)}`));
    return { problems, kept };
  }

  /** A page with the address; what it complains of in the console is a problem. clock: the scene sets its time. */
  async #open(address, path, { width = 1280, height = 800, scale = 1, language = "de", init, clock = false }, { problems, shown }) {
    const window = await this.#window(scale, clock);
    shown.push(window);
    const { page, context } = window;
    Object.assign(window, { problems, address, log: [], scripts: [] });
    await context.grantPermissions(["camera", "microphone"], { origin: address });
    await page.setViewportSize({ width, height });
    window.scripts.push(await page.addInitScript((value) => localStorage.setItem("plenum.language", value), language));
    if (init) window.scripts.push(await page.addInitScript(init));
    await page.goto(address + path);
    return page;
  }

  async #window(scale, clock) {
    const kept = clock ? undefined : this.#kept.get(scale);
    if (kept) {
      this.#kept.delete(scale);
      return kept;
    }
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: scale, locale: "de-DE", timezoneId: "Europe/Berlin" });
    context.setDefaultTimeout(LIMIT);
    context.setDefaultNavigationTimeout(LIMIT);
    if (clock) await context.clock.install();
    const page = await context.newPage();
    follow(page);
    const window = { page, context, scale, clock };
    listen(window);
    return window;
  }

  /** Keeps the window for the next scene if nothing of this one stays in it; else it goes. */
  async #putBack(window, well) {
    const { page, context, scale, clock, scripts } = window;
    try {
      if (!well || clock || this.#kept.has(scale)) throw new Error("not kept");
      for (const script of scripts) await script.dispose();
      await page.evaluate(() => (localStorage.clear(), sessionStorage.clear()));
      await page.goto("about:blank");
      this.#kept.set(scale, window);
    } catch {
      await context.close().catch(() => {}); // the browser itself is gone: the suite says so
    }
  }

  /** Keeps what the pages of a failed scene showed; returns where. */
  async #evidence(name, shown) {
    const kept = [];
    for (const [i, { page, log }] of shown.entries()) {
      const file = `${this.#out}/${name}.failed${i > 0 ? i : ""}`;
      const keep = async (ending, write) => {
        try {
          await write(`${file}.${ending}`);
          kept.push(`${file}.${ending}`);
        } catch {
          // a page that hangs shows nothing; the rest still helps
        }
      };
      await keep("log", (path) => writeFileSync(path, [page.url(), ...log, ""].join("\n")));
      await keep("png", (path) => page.screenshot({ path, timeout: 20_000 }));
      await keep("html", async (path) => writeFileSync(path, await limited(page.content(), 20_000)));
    }
    return kept.join(" ");
  }
}

/** Notes what the page of a window says, for the scene that it is shown in now. */
function listen(window) {
  const { page } = window;
  page.on("pageerror", (error) => {
    window.log.push(`error: ${error.stack}`);
    window.problems.push(`page: ${error.message}`);
  });
  page.on("console", (message) => {
    window.log.push(`${message.type()}: ${message.text()}`);
    // The browser itself reports calls that the scene makes fail on purpose, and loads the icon of a page that this
    // window has left already.
    const left = /^Loading the image '(http:\/\/[^/]+)\/assets\/icon/.exec(message.text())?.[1];
    const own = left === undefined || left === window.address;
    if (message.type() === "error" && own && !/Failed to load resource|net::ERR/.test(message.text())) window.problems.push(`console: ${message.text()}`);
  });
  page.on("requestfailed", (request) => window.log.push(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText}`));
}

/** What went wrong, without the colours and lines that are for a terminal. */
function oneLine(error) {
  return stripVTControlCharacters(String(error.message ?? error)).replace("Call log:", "").split(/\s*\n\s*/).join(" ").trim();
}

async function limited(promise, ms = LONGEST) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done after ${ms / 1000} s`)), ms)));
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
  return promise;
}
