// Walks through what a technician does at the panel, by keyboard.
import { moments } from "./council.mjs";
import { calls, expectThat, focused, quiet, tabTo, until, waitsFor } from "./steps.mjs";
import { OWNER, rooms } from "./technician.mjs";

const SERVICE = "/api/v1/service"; // what the box says of itself
const A_WHILE = 6000; // ms of the page's time: longer than from one look at the box to the next

async function atService({ mock, open }, room, { view = moments.ready(), ...options } = {}) {
  mock.service = room;
  mock.show(view);
  const page = await open("/panel", options);
  await page.locator("#pin:focus").waitFor();
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await page.locator("#tab-service").waitFor();
  return page;
}

const order = (mock) => JSON.stringify(mock.orders.at(-1));
const live = (page) => page.locator('.kern-sr-only[aria-live="polite"]').allInnerTexts();

/** From the note about a stick by the PIN and the progress to the restart and what became of it. */
async function update(all) {
  const { mock, problems } = all;
  const page = await atService(all, rooms.calm(), { clock: true });
  await page.clock.pauseAt(new Date(Date.now() + 3_600_000)); // from here to the next resume only as much goes by as is said
  await quiet(page);
  const before = await calls(page, SERVICE);
  Object.assign(mock.service, rooms.offered());
  await page.clock.runFor(4_900);
  await quiet(page);
  const again = (await calls(page, SERVICE)) - before;
  expectThat(problems, `the box is asked too often: ${again}`, again <= 1);
  await page.clock.runFor(A_WHILE - 4_900);
  await page.clock.resume();
  await page.locator('.readiness[role="status"]', { hasText: "PLENUM-140" }).waitFor();
  await tabTo(page, "show-service", problems);
  await page.keyboard.press("Enter");
  await page.locator('[data-update="offered"]').waitFor();
  expectThat(problems, "the way to the technician's area loses the focus", (await focused(page)).id === "tab-service");

  await tabTo(page, "install", problems);
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  expectThat(problems, "the PIN has not the focus", (await focused(page)).id === "step");
  await page.keyboard.press("Enter");
  await until("an empty PIN is refused", async () => (await page.locator(".pin-problem").innerText()).includes("zuerst die PIN"));
  await page.keyboard.type("111222");
  await page.keyboard.press("Enter");
  await until("a wrong PIN is told", async () => (await page.locator(".pin-problem").innerText()).includes("PIN ist falsch"));
  expectThat(problems, "after a wrong PIN the field has not the focus", (await focused(page)).id === "step");
  expectThat(problems, "a wrong PIN stays in the field", (await page.locator("#step").inputValue()) === "");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  expectThat(problems, "Escape loses the place", (await focused(page)).action === "install");
  await quiet(page);
  expectThat(problems, `Escape ordered ${order(mock)}`, mock.orders.length === 0);
  await page.keyboard.press("Enter");
  let answer;
  mock.ordered = new Promise((resolve) => (answer = resolve));
  await page.locator("#step").waitFor();
  await page.keyboard.type(OWNER);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter"); // once more, while the box has not answered
  await until("the order is on its way", async () => (await waitsFor(page, "/api/v1/service/install")) > 0);
  expectThat(problems, "a second Enter orders again", (await waitsFor(page, "/api/v1/service/install")) === 1);
  answer();
  await page.locator('[data-update="installing"]').waitFor();
  await quiet(page);
  expectThat(problems, `ordered ${mock.orders.length} times ${order(mock)}`, mock.orders.length === 1 && order(mock) === `{"name":"install","body":{"pin":"${OWNER}"}}`);
  await until("the place is not lost with the button", async () => (await focused(page)).id === "tab-service");

  await progress(page, mock, problems);
  await reboot(page, mock, problems);
}

/** Notes in the page what a screen reader hears, what it has heard already first. */
function listen() {
  window.heard = [];
  for (const region of document.querySelectorAll('.kern-sr-only[aria-live="polite"]')) {
    const hear = () => region.innerText && !window.heard.includes(region.innerText) && window.heard.push(region.innerText);
    hear();
    new MutationObserver(hear).observe(region, { childList: true, characterData: true, subtree: true });
  }
}

/** The bar moves with the box; a screen reader hears the quarters, on other tabs too. */
async function progress(page, mock, problems) {
  const bar = page.locator('[role="progressbar"]');
  const width = () => bar.locator("div").evaluate((element) => element.getBoundingClientRect().width);
  await page.evaluate(listen);
  let before = -1;
  for (const percent of [7, 12, 26, 41, 58]) {
    mock.service.update = { ...mock.service.update, percent };
    await until(`the bar says ${percent}`, async () => (await bar.getAttribute("aria-valuenow")) === String(percent));
    await until(`the bar moves to ${percent}`, async () => (await width()) > before + 5);
    await bar.evaluate((element) => Promise.all(element.getAnimations({ subtree: true }).map((moves) => moves.finished)));
    before = await width();
  }
  const heard = () => page.evaluate(() => window.heard.filter((text) => /^(Update|Version)/.test(text)));
  await until("the last quarter is said", async () => (await heard()).some((text) => text.includes("50")));
  expectThat(problems, `a screen reader hears ${(await heard()).join(" | ")}`, (await heard()).length === 3);
  await page.locator("#tab-list").click();
  mock.service.update = { ...mock.service.update, state: "installed", percent: 100 };
  await until("the end is said on another tab", async () => (await live(page)).some((text) => text.includes("Version 1.4.0 ist installiert")));
  await page.locator("#tab-service").click();
}

/** The restart: the box goes, comes back with new pages, and says what became of the update. */
async function reboot(page, mock, problems) {
  await tabTo(page, "reboot", problems);
  await page.keyboard.press("Enter");
  await page.locator("#step").waitFor();
  await page.keyboard.type(OWNER);
  await page.keyboard.press("Enter");
  await page.locator('[data-update="rebooting"]').waitFor();
  await mock.goAway();
  await page.locator(".alarms .notice").waitFor();
  mock.service = rooms.updated();
  const loaded = page.waitForEvent("load");
  mock.comeBack();
  await loaded; // the pages of the new version
  await page.locator(".outcome").waitFor();
  expectThat(problems, "the outcome is not told on the list", (await page.locator(".outcome").innerText()).includes("Update gelungen: Version 1.4.0"));
  await tabTo(page, "show-service", problems);
  await page.keyboard.press("Enter");
  await tabTo(page, "acknowledge", problems);
  await page.keyboard.press("Enter");
  await page.locator(".outcome").waitFor({ state: "detached" });
  expectThat(problems, `acknowledged by ${order(mock)}`, order(mock) === '{"name":"acknowledge","body":{}}');
  expectThat(problems, "the place is lost with the outcome", (await focused(page)).id === "tab-service");
}

/** During a sitting a stick is noticed and nothing can be ordered; the note can be closed and comes back with the next stick. */
async function sitting(all) {
  const { mock, problems } = all;
  const page = await atService(all, { ...rooms.offered(), sitting: true }, { view: moments.speaking() });
  await page.locator('[data-action="dismiss-stick"]').waitFor();
  expectThat(problems, "the note leads away from the sitting", (await page.locator('[data-action="show-service"]').count()) === 0);
  await tabTo(page, "dismiss-stick", problems);
  await page.keyboard.press("Enter");
  await page.locator('[data-action="dismiss-stick"]').waitFor({ state: "detached" });
  mock.service = { ...mock.service, sticks: [{ ...mock.service.sticks[0], id: "another" }] };
  await page.locator('[data-action="dismiss-stick"]').waitFor();
  await page.locator("#tab-service").click();
  for (const action of ["install", "reset"]) {
    const button = page.locator(`[data-action="${action}"]`);
    await button.focus();
    await page.keyboard.press("Enter");
    expectThat(problems, `${action} is possible during a sitting`, (await button.getAttribute("aria-disabled")) === "true" && (await page.locator("dialog").count()) === 0);
    const why = await button.getAttribute("aria-describedby");
    expectThat(problems, `${action} does not say why not`, /Sitzung/.test(await page.locator(`#${why}`).innerText()));
  }
}

/** A factory reset asks for the name of the box and the PIN; a refusal leads back to what it is about. */
async function reset(all) {
  const { mock, problems } = all;
  const page = await atService(all, rooms.calm());
  await page.locator("#tab-service").click();
  await tabTo(page, "reset", problems);
  await page.keyboard.press("Enter");
  await page.locator("#step").waitFor();
  await page.keyboard.type("saal-2");
  await page.keyboard.press("Enter");
  await until("the PIN is asked for", async () => (await page.locator("dialog label").innerText()).includes("Eigentümer-PIN"));
  await page.keyboard.type(OWNER);
  await page.keyboard.press("Enter");
  await until("the wrong name is told", async () => (await page.locator(".pin-problem").innerText()).includes("nicht der Name"));
  expectThat(problems, "the wrong name is not asked for again", (await page.locator("dialog label").innerText()).includes("Name des Geräts"));
  expectThat(problems, `a wrong name ordered ${order(mock)}`, mock.orders.length === 0);
  await page.keyboard.type("saal-1");
  await page.keyboard.press("Enter");
  await until("the PIN is asked for again", async () => (await page.locator("dialog label").innerText()).includes("Eigentümer-PIN"));
  for (const digit of OWNER) await page.locator(`[data-action="digit-${digit}"]`).click(); // by touch
  await page.locator('[data-action="step-next"]').click();
  await until("the reset is ordered", () => order(mock) === `{"name":"reset","body":{"pin":"${OWNER}","confirm":"saal-1"}}`);
  await page.locator("dialog").waitFor({ state: "detached" });
  await until("it is told", async () => (await page.locator(".technician").innerText()).includes("Das Gerät wird zurückgesetzt"));
}

/** Technician mode on and off, and a stick's setup. */
async function technician(all) {
  const { mock, problems } = all;
  const page = await atService(all, rooms.setup());
  await page.locator("#tab-service").click();
  await tabTo(page, "apply-setup", problems);
  await page.keyboard.press("Enter");
  await page.locator("#step").waitFor();
  await page.keyboard.type(OWNER);
  await page.keyboard.press("Enter");
  await page.locator('[data-setup="applied"]').waitFor();
  for (const on of [true, false]) {
    await page.locator('[data-action="technician"]').focus();
    await page.keyboard.press("Enter");
    await page.locator("#step").waitFor();
    await page.keyboard.type(OWNER);
    const ordered = Date.now();
    await page.keyboard.press("Enter");
    await page.locator(`[data-technician="${on ? "on" : "off"}"]`).waitFor();
    await page.locator("dialog").waitFor({ state: "detached" });
    expectThat(problems, `ordered ${order(mock)}`, order(mock) === `{"name":"technician","body":{"pin":"${OWNER}","on":${on}}}`);
    expectThat(problems, "the place is lost with the dialog", (await focused(page)).action === "technician");
    if (on) await timeLeft(page, mock, ordered, problems);
  }
}

/** The time left is told as it was at some moment between the order and now. */
async function timeLeft(page, mock, ordered, problems) {
  const text = await page.locator(".mode-left").innerText();
  const [, minutes, seconds] = /noch (\d+):(\d\d)/.exec(text) ?? [];
  const told = 1000 * (60 * minutes + Number(seconds));
  const end = mock.service.technician.until.getTime();
  expectThat(problems, `the time left is told as ${text}`, told <= end - ordered && told >= end - Date.now() - 1000);
}

/** A new box: the owner's PIN, the chair's, and then the panel; all by keyboard. */
async function firstBoot({ mock, open, problems }) {
  mock.first = { owner: false, chair: false, local: true };
  mock.service = rooms.calm();
  mock.show(moments.ready());
  const page = await open("/panel");
  const words = async (text) => until(text, async () => (await page.locator("main").innerText()).includes(text));
  await words("Eigentümer-PIN festlegen");
  expectThat(problems, "the PIN has not the focus", (await focused(page)).id === "step");
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await words("zu leicht zu erraten");
  await quiet(page);
  expectThat(problems, "a weak PIN was sent", mock.orders.length === 0);
  await page.locator("#step").fill(OWNER);
  await page.keyboard.press("Enter");
  await words("PIN wiederholen");
  expectThat(problems, "the second PIN has not the focus", (await focused(page)).id === "step");
  await page.keyboard.type(OWNER);
  await page.keyboard.press("Enter");
  await words("PIN der Sitzungsleitung festlegen");
  await page.keyboard.type("402917");
  await page.keyboard.press("Enter");
  await words("PIN wiederholen");
  await page.keyboard.type("402917");
  await page.keyboard.press("Enter");
  await page.locator("#pin").waitFor();
  expectThat(problems, `sent ${JSON.stringify(mock.orders)}`, JSON.stringify(mock.orders) === `[{"name":"owner","body":{"pin":"${OWNER}"}},{"name":"chair","body":{"pin":"402917"}}]`);
  await words("Die PIN ist festgelegt");
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();
}

/** What is no appliance has no technician's area, and is not asked for it again. */
async function noAppliance(all) {
  const { mock, open, problems } = all;
  mock.show(moments.ready());
  const page = await open("/panel", { clock: true });
  let asked = 0;
  page.on("request", (request) => request.url().includes("/service") && asked++);
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();
  for (let i = 0; i < 3; i++) {
    await quiet(page);
    await page.clock.fastForward(A_WHILE);
  }
  await quiet(page);
  expectThat(problems, `asked ${asked} times`, asked <= 2);
  expectThat(problems, "there is a technician's area", (await page.locator("#tab-service").count()) === 0);
}

export const serviceWalks = {
  "walk-service-update": update,
  "walk-service-sitting": sitting,
  "walk-service-reset": reset,
  "walk-service-technician": technician,
  "walk-service-first": firstBoot,
  "walk-service-none": noAppliance,
};
