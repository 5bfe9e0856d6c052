// What scenes and walks are made of. Nothing here waits for a time: each waits for a condition, and LIMIT only says
// when a condition counts as missed, on a machine however busy.
export const LIMIT = 90_000;

/** The element that has the focus. */
export const focused = (page) =>
  page.evaluate(() => {
    const e = document.activeElement;
    const style = getComputedStyle(e);
    return { name: e.getAttribute("aria-label") ?? e.textContent.trim(), tag: e.tagName, action: e.dataset.action ?? "", id: e.id, outline: parseFloat(style.outlineWidth), row: e.closest("[data-row]")?.dataset.person };
  });

/** Notes what is not as it must be. */
export function expectThat(problems, what, ok) {
  if (!ok) problems.push(what);
}

/** Presses Tab until an element with this action (or id) has the focus; every stop must show that it has it. */
export async function tabTo(page, target, problems, limit = 80) {
  for (let i = 0; i < limit; i++) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    if (at.tag === "BODY") continue;
    if (at.outline < 3) problems.push(`no visible focus on ${at.tag} ${at.name}`);
    if (at.action === target || at.id === target) return at;
  }
  throw new Error(`${target} is not reached by keyboard`);
}

/** Whether both media connections of a member's page stand. */
export const connected = (page) => page.evaluate(() => ["whip", "whep"].every((k) => window.__plenum.pcs[k]?.connectionState === "connected"));
/** Waits until the large picture moves. */
export const flows = (page) => page.locator('[data-slot="video.word"][data-flows="true"]').waitFor();
/** The last command, as JSON. */
export const last = (mock) => JSON.stringify(mock.commands.at(-1));

/** Waits for something to become true. */
export const until = async (what, test, ms = LIMIT) => {
  const end = Date.now() + ms;
  for (;;) {
    if (await test()) return;
    if (Date.now() >= end) throw new Error(`did not happen in ${ms / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const asked = new WeakMap(); // page → its calls that have no answer yet
const sent = new WeakMap(); // page → the addresses of all its calls
const LONG = /\/api\/v1\/(events|selftest)$/; // open for as long as they like

/** Follows what a page asks for, so that quiet and calls can tell. */
export function follow(page) {
  const open = new Set();
  const paths = [];
  asked.set(page, open);
  sent.set(page, paths);
  page.on("request", (request) => LONG.test(request.url()) || open.add(request));
  page.on("request", (request) => paths.push(new URL(request.url()).pathname));
  page.on("requestfinished", (request) => open.delete(request));
  page.on("requestfailed", (request) => open.delete(request));
}

/** How many calls to such an address a page waits for. */
export async function waitsFor(page, path) {
  await page.evaluate(() => 0); // what was sent before this is known after it
  return [...asked.get(page)].filter((request) => new URL(request.url()).pathname === path).length;
}

/**
 * How many calls to such an address a page has sent. Counted where they leave: one that the page gave up may still
 * arrive, at any time.
 */
export async function calls(page, path) {
  await page.evaluate(() => 0);
  return sent.get(page).filter((one) => one === path).length;
}

/**
 * Waits until everything that the page has sent so far is answered. Keys and clicks are sent to the page in order and
 * a command goes out with its key, so after this one that did not arrive was never sent.
 */
export async function quiet(page) {
  await page.evaluate(() => 0);
  await until("every call is answered", () => asked.get(page).size === 0);
}

/** Waits until what the page shows has taken effect: Preact begins and ends a component's work only after the next frame. */
export const effects = (page) => page.evaluate(frames);

/** Waits until the page stands as it will stay: drawn, with its fonts and pictures, and what moves held where it begins. */
export async function still(page) {
  await effects(page);
  await page.evaluate(drawn);
  await quiet(page);
  await effects(page);
  await page.evaluate(drawn);
}

// What follows runs in the page.
async function frames() {
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    await new Promise((resolve) => setTimeout(resolve));
  }
}

async function drawn() {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  while (document.querySelector("dialog:not([open])")) await frame();
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode()));
  for (const animation of document.getAnimations()) {
    if (animation instanceof CSSTransition) animation.finish();
    else {
      animation.pause();
      animation.currentTime = 0; // where a mark is strongest
    }
  }
  await frame().then(frame);
}
