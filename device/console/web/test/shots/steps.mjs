// What walks are made of.

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

/** The last command, as JSON. */
export const last = (mock) => JSON.stringify(mock.commands.at(-1));
/** Waits for something to become true. */
export const until = async (what, test, ms = 20_000) => {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`did not happen in ${ms} ms: ${what}`);
};
