// Walks through what the house does by itself: alarms, devices, the self-test, and opening without a device.
import { devices, items, moments, reports, troubled } from "./council.mjs";
import { calls, effects, expectThat, flows, focused, last, quiet, tabTo, until } from "./steps.mjs";

const DEVICES = "/api/v1/devices";
const A_WHILE = 6000; // ms of the page's time: three looks at the devices, and not yet the silence of a broken stream

async function signedIn(open, options) {
  const page = await open("/panel", options);
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();
  return page;
}

/** An alarm comes, its contact gets free, the chair ends it; all by keyboard. */
async function alarm({ mock, open, problems }) {
  mock.show(moments.waiting());
  const page = await signedIn(open);
  const { alarm } = moments.alarm();
  await page.locator('[data-action="next"]').focus();
  mock.change({ alarm, speakers: [] });
  const words = page.locator('.alarm [role="alert"]');
  await words.waitFor();
  const text = await words.innerText();
  expectThat(problems, `the alarm says ${text}`, /Alarm:\s+Die Sitzung ruht\. Bitte den Anweisungen im Saal folgen\./.test(text) && text.includes("Brandmeldekontakt Foyer") && /seit (\d\d:\d\d:\d\d|\d+\. \S+, \d\d:\d\d)/.test(text));
  expectThat(problems, "no word that the contact is still on", (await page.locator(".alarm").innerText()).includes("Kontakt steht noch an"));
  expectThat(problems, "the alarm can be ended while its contact is on", (await page.locator('[data-action="all-clear"]').count()) === 0);
  await until("the title says Alarm", async () => (await page.title()).startsWith("Alarm"));

  const sent = mock.commands.length;
  for (const action of ["next", "my-mic", "hold", "grant"]) {
    const button = page.locator(`[data-action="${action}"]`).first();
    await button.focus();
    await page.keyboard.press("Enter");
    expectThat(problems, `${action} is not disabled`, (await button.getAttribute("aria-disabled")) === "true");
  }
  const why = await page.locator('[data-action="grant"]').first().getAttribute("aria-describedby");
  expectThat(problems, "no reason why the word cannot be given", /niemand das Wort/.test(await page.locator(`#${why}`).innerText()));
  await quiet(page);
  expectThat(problems, `a disabled button sent ${last(mock)}`, mock.commands.length === sent);

  mock.change({ alarm: { ...alarm, over: true } });
  await page.locator('[data-action="all-clear"]').waitFor();
  await page.locator("body").evaluate(() => document.activeElement.blur());
  await tabTo(page, "all-clear", problems);
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  expectThat(problems, "the harmless answer has not the focus", (await focused(page)).action === "dialog-no");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await quiet(page);
  expectThat(problems, "Escape ended the alarm", mock.commands.length === sent);
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  await tabTo(page, "dialog-yes", problems);
  await page.keyboard.press("Enter");
  await until("all_clear is sent", () => last(mock) === '{"name":"all_clear","body":{}}');
  expectThat(problems, `with it ${mock.commands.length - sent} commands were sent`, mock.commands.length === sent + 1);
  await page.locator(".alarm").waitFor({ state: "detached" });
  expectThat(problems, `with the alarm the focus went to ${(await focused(page)).tag}`, (await focused(page)).tag === "MAIN");
  await tabTo(page, "grant", problems);
}

/** A contact that comes back on while the chair is being asked takes the question away. */
async function alarmAgain({ mock, open, problems }) {
  mock.show(moments.alarmOver());
  const page = await signedIn(open);
  await page.locator('[data-action="all-clear"]').click();
  await page.locator("dialog[open]").waitFor();
  mock.change({ alarm: moments.alarm().alarm });
  await page.locator("dialog").waitFor({ state: "detached" });
  mock.change({ alarm: moments.alarmOver().alarm });
  await page.locator('[data-action="all-clear"]').waitFor();
  expectThat(problems, "the question came back by itself", (await page.locator("dialog[open]").count()) === 0);
}

/** A remote member raises the hand during an alarm. */
async function alarmMember({ mock, open, problems }) {
  mock.show({ ...moments.empty(), alarm: moments.alarm().alarm });
  const page = await open("/member#anna");
  await page.locator('.alarm [role="alert"]').waitFor();
  await tabTo(page, "raise", problems);
  const described = (await page.locator('[data-action="raise"]').getAttribute("aria-describedby")).split(" ");
  const words = await Promise.all(described.map((id) => page.locator(`#${id}`).innerText()));
  expectThat(problems, `raising the hand is described by ${words}`, words.some((w) => /niemand das Wort/.test(w)));
  await page.keyboard.press("Enter");
  await page.locator('[data-action="lower"]').waitFor();
  mock.change({ alarm: null });
  await page.locator(".alarm").waitFor({ state: "detached" });
  expectThat(problems, "focus is lost after the alarm", (await focused(page)).action === "lower");
}

/** The hall screen: an alarm takes all of it, outlives the connection, and leaves it as it was. */
async function alarmScreen({ mock, open, problems }) {
  mock.show(moments.speaking());
  const page = await open("/screen#screen", { width: 1920, height: 1080 });
  await flows(page);
  mock.change({ alarm: moments.alarm().alarm, speakers: [], word: { kind: "hall" } });
  await page.locator(".screen-alarmed").waitFor();
  const { width, height } = await page.locator(".screen-alarmed").boundingBox();
  expectThat(problems, `the alarm is ${width}x${height}`, width === 1920 && height === 1080);
  const { speakers, word } = moments.speaking();
  mock.change({ alarm: null, speakers, word });
  await flows(page);
  const connections = await page.evaluate(() => window.__plenum.connections.whep);
  expectThat(problems, `the alarm cost ${connections - 1} connections`, connections === 1);
  mock.change({ alarm: moments.alarm().alarm });
  await page.locator(".screen-alarmed").waitFor();
  await mock.goAway();
  await page.locator(".screen-alarmed", { hasText: "Keine Verbindung zur Anlage" }).waitFor();
  expectThat(problems, "an alarm goes with the connection", (await page.locator(".screen-follow").count()) === 1);
}

/** Opening while required devices are red, by keyboard. */
async function opening({ mock, open, problems }) {
  const one = items([troubled()[0], ...devices().slice(1)]);
  mock.show({ ...moments.ready(), items: one });
  const page = await signedIn(open);
  await page.locator(".readiness", { hasText: "Nicht bereit: Totale (Kamera)" }).waitFor();
  await tabTo(page, "open", problems);
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  await quiet(page);
  expectThat(problems, "opening did not ask", mock.commands.length === 0);
  const at = await focused(page);
  expectThat(problems, `the first question has not the focus but ${at.tag} ${at.action}`, at.action === "waive");
  const yes = page.locator('[data-action="dialog-yes"]');
  expectThat(problems, "opening is possible without a tick", (await yes.getAttribute("aria-disabled")) === "true");
  await page.keyboard.press("Space");
  await until("opening is possible with every tick", async () => (await yes.getAttribute("aria-disabled")) === null);

  mock.change({ items: items(troubled()) }); // another one fails while the chair reads
  await page.locator('[data-item="microphone/Saal"]').waitFor();
  expectThat(problems, "a new red device needs no tick", (await yes.getAttribute("aria-disabled")) === "true");
  await yes.focus();
  await page.keyboard.press("Enter");
  await quiet(page);
  expectThat(problems, "a disabled button opened the sitting", mock.commands.length === 0);
  await page.locator('[data-item="camera/Totale"]').focus();
  await tabTo(page, "waive", problems);
  await page.keyboard.press("Space");
  await tabTo(page, "dialog-yes", problems);
  await page.keyboard.press("Enter");
  await until("open is sent with both names", () => last(mock) === '{"name":"open","body":{"overrides":["camera/Totale","microphone/Saal"]}}');
  expectThat(problems, `with it ${mock.commands.length} commands were sent`, mock.commands.length === 1);
  await page.locator("dialog").waitFor({ state: "detached" });
  await until("the panel names them", async () => (await page.locator(".readiness").innerText()).includes("Trotz Ausfall eröffnet: Totale (Kamera), Saal (Mikrofon)"));
  await tabTo(page, "show-devices", problems);
  await page.keyboard.press("Enter");
  await page.locator('[data-device="camera/Totale"]').waitFor();
  expectThat(problems, "the way to the devices loses the focus", (await focused(page)).id === "tab-devices");
}

/** The box knows of a red device before the page does: its refusal leads to the same question. */
async function openingRace({ mock, open, problems }) {
  mock.show(moments.ready());
  const page = await signedIn(open);
  mock.refusals.push("not_ready");
  await page.locator('[data-action="open"]').click();
  await page.locator("dialog[open]").waitFor();
  mock.change({ items: items(troubled()) });
  await page.locator('[data-item="microphone/Saal"]').waitFor();
  await page.locator('[data-action="dialog-no"]').click();
  await page.locator("dialog").waitFor({ state: "detached" });
  await quiet(page);
  expectThat(problems, "cancelling opened the sitting", mock.view.phase === "ready");
  expectThat(problems, "the refusal is not told", (await page.locator(".refusal").innerText()).includes("Erforderliche Geräte sind nicht bereit"));
}

/** The devices follow the house while they are looked at, and only then; the self-test goes on behind other tabs. */
async function house({ mock, open, problems }) {
  mock.show(moments.ready());
  const page = await signedIn(open, { clock: true });
  await effects(page);
  await page.clock.fastForward(A_WHILE);
  await quiet(page);
  expectThat(problems, "devices are asked for before anybody looks", (await calls(page, DEVICES)) === 0);
  await page.locator("#tab-list").focus();
  await page.keyboard.press("ArrowLeft");
  await until("arrow keys reach the devices", async () => (await focused(page)).id === "tab-devices");
  await page.locator('[data-device="camera/Totale"].device-live').waitFor();
  mock.devices = troubled();
  await page.locator('[data-device="camera/Totale"].device-lost').waitFor();
  mock.devices = null;
  await page.locator(".house .notice").waitFor();
  mock.devices = devices();
  await page.locator('[data-device="camera/Totale"].device-live').waitFor();

  let finish;
  mock.selftest = new Promise((resolve) => (finish = resolve));
  mock.report = reports.noGo();
  await tabTo(page, "selftest", problems);
  await page.keyboard.press("Enter");
  const live = page.locator('.selftest-now[aria-live="polite"]');
  await until("the self-test says that it runs", async () => (await live.innerText()).includes("Der Selbsttest läuft"));
  expectThat(problems, "a second self-test can be started", (await page.locator('[data-action="selftest"]').getAttribute("aria-disabled")) === "true");
  await page.locator("#tab-list").click();
  await page.locator(".house").waitFor({ state: "detached" });
  await effects(page);
  await quiet(page);
  const before = await calls(page, DEVICES);
  await page.clock.fastForward(A_WHILE);
  await quiet(page);
  expectThat(problems, "devices are asked for while nobody looks", (await calls(page, DEVICES)) === before);
  finish();
  await until("the outcome is announced on another tab", async () => /Selbsttest: Nicht bereit/.test((await page.locator(".kern-sr-only[aria-live]").allInnerTexts()).join()));
  await page.locator("#tab-devices").click();
  await page.locator(".verdict-no").waitFor();
  expectThat(problems, "a line of the self-test is missing", (await page.locator(".check").count()) === mock.report.checks.length);
  expectThat(problems, "what was left out is not marked", (await page.locator(".check-left .check-outcome").innerText()) === "ausgelassen");
  await tabTo(page, "selftest-dismiss", problems);
  await page.keyboard.press("Enter");
  await page.locator(".verdict").waitFor({ state: "detached" });
  expectThat(problems, "focus is lost with the result", (await focused(page)).action === "selftest");
}

export const houseWalks = {
  "walk-alarm": alarm,
  "walk-alarm-again": alarmAgain,
  "walk-alarm-member": alarmMember,
  "walk-alarm-screen": alarmScreen,
  "walk-opening": opening,
  "walk-opening-race": openingRace,
  "walk-house": house,
};
