// Every page in the moments that matter: name, path, view, window, and what is done before the picture is taken.
import { moments, reports, troubled } from "./council.mjs";
import { until } from "./steps.mjs";
import { OWNER, rooms } from "./technician.mjs";

const both = (...tasks) => async (all) => {
  for (const task of tasks) await task(all);
};
const seen = (selector, options) => ({ page }) => page.locator(selector, options).first().waitFor();
const signIn = async ({ page }) => {
  await page.locator("#pin").fill("123456");
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();
};
// Every picture of the page moves, one's own too, and both connections stand.
const media = async ({ page }) => {
  await page.locator('[data-slot="video.word"][data-flows="true"]').waitFor();
  await until("every picture moves", () =>
    page.evaluate(() => {
      const videos = [...document.querySelectorAll("video")].filter((video) => video.srcObject);
      const waits = document.querySelector('.quality-connecting, [data-slot^="video."][data-flows="false"]');
      const asks = document.querySelector(".own .notice-info");
      return !waits && !asks && videos.every((video) => video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
    }),
  );
};
const frozen = both(media, ({ far }) => far.freeze(true), ({ page }) => page.locator('[data-slot="video.word"][data-flows="false"]').waitFor());
const refuseDevices = () => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
};
// As a browser does that has not been touched yet: no sound before the first click.
export const holdSound = () => {
  const play = HTMLMediaElement.prototype.play;
  let touched = false; // not navigator.userActivation: the driver's own scripts count as a touch there
  addEventListener("pointerdown", () => (touched = true), true);
  HTMLMediaElement.prototype.play = function () {
    const held = this instanceof HTMLAudioElement && !touched;
    return held ? Promise.reject(new DOMException("no", "NotAllowedError")) : play.call(this);
  };
};
// The box goes, and the page says so.
const cut = (says) => both(({ mock }) => mock.goAway(), seen(says));
const click = (action) => ({ page }) => page.locator(`[data-action="${action}"]`).first().click();
const tab = (name) => ({ page }) => page.locator(`#tab-${name}`).click();

const devicesTab = both(tab("devices"), ({ page }) => page.locator(".device").first().waitFor());
const inTrouble = ({ mock }) => void (mock.devices = troubled());
const tickAll = async ({ page }) => {
  await page.locator("dialog[open]").waitFor();
  for (const box of await page.locator("dialog input[type=checkbox]").all()) await box.check();
};
const tested = both(click("selftest"), ({ page }) => page.locator(".verdict").waitFor());

// The technician's area: room is what the box says; what follows is done on its tab.
const inRoom = (room) => ({ mock }) => void (mock.service = room());
const serviceTab = both(tab("service"), ({ page }) => page.locator(".technician").waitFor());
const enter = (text) => async ({ page }) => {
  await page.locator("#step").fill(text);
  await page.locator('[data-action="step-next"]').click();
};
const refusedWith = (code) => both(({ mock }) => void mock.refusals.push(code), enter(OWNER), ({ page }) => page.locator(".pin-problem .notice").waitFor());
const into = (selector) => ({ page }) => page.locator(selector).first().scrollIntoViewIfNeeded();
const foot = ({ page }) => page.locator("#tabpanel").evaluate((panel) => {
  panel.scrollTop = panel.scrollHeight;
  if (panel.scrollHeight <= panel.clientHeight) scrollTo(0, document.body.scrollHeight);
});

const PORTRAIT = { width: 800, height: 1280 };
const ZOOM = { width: 640, height: 400, scale: 2 }; // 1280x800 at 200 %
const HALL = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844, scale: 2 };

const chair = (name, view, more = {}) => ({ name: `panel-${name}`, path: "/panel", view, ...more, act: both(signIn, more.act ?? (() => {})) });
const service = (name, room, { view = moments.ready, act = () => {}, ...more } = {}) => ({
  name: `service-${name}`,
  path: "/panel",
  view,
  ...more,
  act: both(inRoom(room), signIn, serviceTab, act),
});
const front = (name, room, { view = moments.ready, act = () => {}, ...more } = {}) => ({
  name: `front-${name}`,
  path: "/panel",
  view,
  ...more,
  act: both(inRoom(room), signIn, ({ page }) => page.locator("#tab-service").waitFor(), act),
});
const first = (name, lacks, more = {}) => ({
  name: `first-${name}`,
  path: "/panel",
  view: moments.empty,
  ...more,
  before: ({ mock }) => void (mock.first = lacks),
});
const member = (name, view, more = {}) => ({ name: `member-${name}`, path: "/member#anna", view, media: true, ...more });
const screen = (name, view, { act = () => {}, ...more } = {}) => ({
  name: `screen-${name}`,
  path: "/screen#screen",
  view,
  media: true,
  ...HALL,
  ...more,
  act: both(seen(".screen:not(.screen-slate)"), act),
});

const annaFirst = () => {
  const view = moments.waiting();
  view.requests = view.requests.slice(1);
  return view;
};
const annaSilenced = () => ({ ...moments.silenced() });

export const scenes = [
  { name: "home", path: "/", view: moments.empty },
  { name: "home-english", path: "/", view: moments.empty, language: "en" },
  { name: "home-zoom", path: "/", view: moments.empty, ...ZOOM },

  { name: "pin", path: "/panel", view: moments.empty },
  { name: "pin-portrait", path: "/panel", view: moments.empty, ...PORTRAIT },
  {
    name: "pin-wrong",
    path: "/panel",
    view: moments.empty,
    act: async ({ page }) => {
      for (const digit of ["9", "8", "7", "1"]) await page.locator(`[data-action="digit-${digit}"]`).click();
      await page.locator("button[type=submit]").click();
      await page.locator(".pin-problem .notice").waitFor();
    },
  },
  {
    name: "pin-too-many",
    path: "/panel",
    view: moments.empty,
    language: "en",
    act: async ({ page }) => {
      await page.locator("#pin").fill("0000");
      await page.keyboard.press("Enter");
      await page.locator(".pin-problem .notice").waitFor();
    },
  },

  chair("ready", moments.ready),
  chair("empty", moments.empty),
  chair("waiting", moments.waiting),
  chair("speaking", moments.speaking),
  chair("silenced", moments.silenced),
  chair("faults", moments.faults),
  chair("unrecorded", moments.unrecorded),
  chair("stale", moments.waiting, { act: cut(".notice-loud") }),
  chair("english", moments.speaking, { language: "en" }),
  chair("portrait", moments.speaking, PORTRAIT),
  chair("zoom", moments.waiting, ZOOM),
  chair("people", moments.speaking, { act: both(tab("people"), ({ page }) => page.locator("details summary").first().click()) }),
  chair("people-search", moments.speaking, { act: both(tab("people"), ({ page }) => page.locator("#search").fill("spd")), ...PORTRAIT }),
  chair("sitting", moments.waiting, { act: tab("sitting") }),
  chair("sitting-desks-down", moments.unrecorded, { act: tab("sitting"), language: "en" }),
  chair("dialog-close", moments.waiting, { act: both(tab("sitting"), click("close")) }),
  chair("dialog-clear", moments.speaking, { act: click("clear"), ...PORTRAIT }),
  chair("refused", moments.speaking, {
    act: both(({ mock }) => void mock.refusals.push("limit"), click("next"), ({ page }) => page.locator(".refusal .notice").waitFor()),
  }),
  chair("replaced", moments.waiting, { act: both(({ mock }) => mock.gone("replaced"), seen(".plain-card[role=alert]")) }),

  chair("alarm", moments.alarm),
  chair("alarm-over", moments.alarmOver),
  chair("alarm-end", moments.alarmOver, { act: click("all-clear") }),
  chair("alarm-english", moments.alarmOver, { language: "en" }),
  chair("alarm-full", moments.alarmFull),
  chair("alarm-people", moments.alarm, { act: tab("people"), ...PORTRAIT }),
  chair("alarm-zoom", moments.alarm, ZOOM),

  chair("not-ready", moments.red),
  chair("not-ready-one", moments.oneRed, { language: "en" }),
  chair("not-ready-portrait", moments.red, PORTRAIT),
  chair("opening", moments.red, { act: click("open") }),
  chair("opening-ticked", moments.red, { act: both(click("open"), tickAll) }),
  chair("opening-one-english", moments.oneRed, { act: both(click("open"), tickAll), language: "en" }),
  chair("opening-zoom", moments.red, { act: click("open"), ...ZOOM }),
  chair("opening-firm", moments.firm, { act: click("open") }),
  chair("opening-firm-english", moments.firm, { act: click("open"), language: "en" }),
  chair("opening-healed", moments.oneRed, { act: both(click("open"), ({ mock }) => mock.change({ items: moments.ready().items }), ({ page }) => page.locator("dialog .waivers li").first().waitFor({ state: "detached" })) }),
  chair("opening-refused", moments.red, {
    act: both(click("open"), tickAll, ({ mock }) => void mock.refusals.push("busy"), click("dialog-yes"), ({ page }) => page.locator("dialog .notice").waitFor()),
  }),
  chair("waived", moments.waived),
  chair("failed-later", moments.failedLater),

  chair("devices", moments.empty, { act: devicesTab }),
  chair("devices-waived", moments.waived, { act: both(({ mock }) => void (mock.devices = [troubled()[0], ...mock.devices.slice(1)]), devicesTab) }),
  chair("devices-trouble", moments.red, { act: both(inTrouble, devicesTab) }),
  chair("devices-english", moments.red, { act: both(inTrouble, devicesTab), language: "en" }),
  chair("devices-portrait", moments.red, { act: both(inTrouble, devicesTab), ...PORTRAIT }),
  chair("devices-zoom", moments.red, { act: both(inTrouble, devicesTab), ...ZOOM }),
  chair("devices-none", moments.ready, { act: both(({ mock }) => void (mock.devices = []), tab("devices"), seen(".house > p:not(.mode-hint)")) }),
  chair("devices-stale", moments.red, { act: both(devicesTab, ({ mock }) => void (mock.devices = null), ({ page }) => page.locator(".house .notice").waitFor()) }),
  chair("selftest-running", moments.ready, {
    act: both(devicesTab, ({ mock }) => void (mock.selftest = new Promise(() => {})), click("selftest"), seen(".selftest-time", { hasText: /^(?!0:0[01]$)/ })),
  }),
  chair("selftest-go", moments.empty, { act: both(devicesTab, tested) }),
  chair("selftest-no-go", moments.ready, { act: both(({ mock }) => void (mock.report = reports.noGo()), devicesTab, tested) }),
  chair("selftest-english", moments.ready, { act: both(({ mock }) => void (mock.report = reports.noGo()), devicesTab, tested), language: "en", ...PORTRAIT }),
  chair("selftest-refused", moments.ready, {
    act: both(devicesTab, ({ mock }) => void mock.refusals.push("selftest_running"), click("selftest"), ({ page }) => page.locator(".selftest .notice").waitFor()),
  }),

  first("owner", { owner: false, chair: false, local: true }, { act: both(({ page }) => page.locator("#step").waitFor(), ({ page }) => page.locator("#step").fill("730164")) }),
  first("owner-weak", { owner: false, chair: false, local: true }, { act: enter("123456") }),
  first("owner-again", { owner: false, chair: false, local: true }, { act: enter("730164"), language: "en" }),
  first("owner-differs", { owner: false, chair: false, local: true }, { act: both(enter("730164"), enter("730165")) }),
  first("owner-portrait", { owner: false, chair: false, local: true }, { act: ({ page }) => page.locator("#step").waitFor(), ...PORTRAIT }),
  first("owner-zoom", { owner: false, chair: false, local: true }, { act: ({ page }) => page.locator("#step").waitFor(), ...ZOOM }),
  first("chair", { owner: true, chair: false, local: true }, { act: ({ page }) => page.locator("#step").waitFor() }),
  first("done", { owner: true, chair: false, local: true }, { act: both(enter("402917"), enter("402917"), ({ page }) => page.locator("#pin").waitFor()) }),
  first("elsewhere", { owner: false, chair: false, local: false }, { act: ({ page }) => page.locator(".plain-card").waitFor() }),
  first("elsewhere-english", { owner: false, chair: false, local: false }, { act: ({ page }) => page.locator(".plain-card").waitFor(), language: "en", ...PORTRAIT }),

  front("calm", rooms.calm),
  front("critical", rooms.conditions),
  front("error-english", rooms.oneError, { language: "en" }),
  front("error-open", rooms.oneError, { view: moments.speaking }),
  front("error-portrait", rooms.conditions, PORTRAIT),
  front("error-zoom", rooms.conditions, ZOOM),
  front("went-back", rooms.wentBack),
  front("went-back-open", rooms.wentBack, { view: moments.waiting, language: "en" }),
  front("updated", rooms.updated),
  front("interrupted", rooms.interrupted),
  front("offered", rooms.offered),
  front("stick-in-sitting", rooms.inSitting, { view: moments.speaking }),
  front("stick-in-sitting-english", rooms.inSitting, { view: moments.waiting, language: "en", ...PORTRAIT }),
  front("all-at-once", rooms.everything, { view: moments.alarmFull }),

  service("calm", rooms.calm),
  service("calm-foot", rooms.calm, { act: foot }),
  service("conditions", rooms.conditions),
  service("conditions-english", rooms.conditions, { language: "en", ...PORTRAIT }),
  service("offered", rooms.offered),
  service("offered-english", rooms.offered, { language: "en" }),
  service("offered-portrait", rooms.offered, PORTRAIT),
  service("offered-zoom", rooms.offered, ZOOM),
  service("install-pin", rooms.offered, { act: click("install") }),
  service("install-pin-zoom", rooms.offered, { act: click("install"), ...ZOOM }),
  service("install-pin-portrait", rooms.offered, { act: click("install"), ...PORTRAIT, language: "en" }),
  service("install-wrong", rooms.offered, { act: both(click("install"), enter("111222"), ({ page }) => page.locator(".pin-problem .notice").waitFor()) }),
  service("install-too-many", rooms.offered, { act: both(click("install"), refusedWith("too_many_tries")), language: "en" }),
  service("install-refused", rooms.offered, { act: both(click("install"), refusedWith("sitting_open")) }),
  service("refused", rooms.refused),
  service("installing", rooms.installing),
  service("installing-english", rooms.installing, { language: "en", ...PORTRAIT }),
  service("installed", rooms.installed),
  service("reboot-pin", rooms.installed, { act: click("reboot") }),
  service("rebooting", rooms.rebooting),
  service("rebooting-away", rooms.rebooting, { act: cut(".notice-loud") }),
  service("failed", rooms.failed),
  service("updated", rooms.updated),
  service("went-back", rooms.wentBack),
  service("went-back-english", rooms.wentBack, { language: "en" }),
  service("interrupted", rooms.interrupted),
  service("trial", rooms.trial),
  service("outcome-seen", rooms.wentBack, { act: both(click("acknowledge"), ({ page }) => page.locator(".outcome").waitFor({ state: "detached" }), foot) }),
  service("setup", rooms.setup),
  service("setup-english", rooms.setup, { language: "en", ...PORTRAIT }),
  service("setup-pin", rooms.setup, { act: click("apply-setup") }),
  service("setup-applied", rooms.setupSigned),
  service("setup-refused", rooms.setupRefused),
  service("diagnosis", rooms.diagnosis),
  service("diagnosis-written", rooms.diagnosisWritten, { language: "en" }),
  service("diagnosis-failed", rooms.diagnosisFailed),
  service("technician-on", rooms.technician, { act: into('[data-action="technician"]') }),
  service("technician-pin", rooms.calm, { act: click("technician") }),
  service("usb-refused", rooms.refusedUsb, { act: into(".refused .row:last-child") }),
  service("usb-refused-english", rooms.refusedUsb, { act: into(".refused .row:last-child"), language: "en", ...PORTRAIT }),
  service("in-sitting", rooms.inSitting, { view: moments.speaking }),
  service("in-sitting-offered", () => ({ ...rooms.offered(), sitting: true }), { view: moments.speaking }),
  service("no-owner", () => ({ ...rooms.calm(), owner: false })),
  service("stale", rooms.conditions, { act: both(({ mock }) => void (mock.serviceBusy = true), ({ page }) => page.locator(".technician .notice").waitFor()) }),
  service("reset", rooms.calm, { act: click("reset") }),
  service("reset-typed", rooms.calm, {
    act: both(click("reset"), async ({ page }) => {
      for (const key of ["s", "a", "a", "l", "-", "1"]) await page.locator(`[data-action="key-${key}"]`).click();
    }),
  }),
  service("reset-zoom", rooms.calm, { act: click("reset"), ...ZOOM }),
  service("reset-pin", rooms.calm, { act: both(click("reset"), enter("saal-1")), language: "en" }),
  service("reset-wrong-name", rooms.calm, { act: both(click("reset"), enter("saal-2"), enter(OWNER), ({ page }) => page.locator(".pin-problem .notice").waitFor()) }),
  service("resetting", rooms.calm, { act: both(click("reset"), enter("saal-1"), enter(OWNER), ({ page }) => page.locator("dialog").waitFor({ state: "detached" }), foot) }),
  service("owner-change", rooms.calm, { act: both(click("change-owner"), enter(OWNER)) }),
  service("owner-changed", rooms.calm, {
    act: both(click("change-owner"), enter(OWNER), enter("518402"), enter("518402"), ({ page }) => page.locator("dialog").waitFor({ state: "detached" }), foot),
  }),

  { name: "member-no-link", path: "/member", view: moments.empty },
  { name: "member-expired", path: "/member#unknown", view: moments.empty, act: seen('[data-action="retry"]'), language: "en" },
  // The mock sends pictures all the time; the page shows none of them outside an open sitting.
  member("ready", moments.ready, { act: both(media, seen('[data-slot="video.hall"] .slate')) }),
  member("ready-phone", moments.ready, { act: both(media, seen('[data-slot="video.word"] .slate')), language: "en", ...PHONE }),
  member("closed", moments.closed, { act: both(media, seen('[data-slot="video.word"] .slate')) }),
  member("idle", moments.desk, { act: media, view: () => ({ ...moments.desk(), requests: [] }) }),
  member("listed", annaFirst, { act: media }),
  member("devices", annaFirst, { act: both(media, ({ page }) => page.locator(".own summary").click(), ({ page }) => page.locator(".quality summary").click(), seen(".quality .facts div:nth-child(6)")) }),
  member("speaking", moments.speaking, { act: media }),
  member("swapped", moments.waiting, { act: both(media, click("swap")) }),
  member("silenced", annaSilenced, { act: media }),
  member("denied", moments.waiting, { act: both(media, seen(".own .notice[role=alert]")), init: refuseDevices }),
  member("denied-speaking", moments.speaking, { act: both(media, seen(".own .notice[role=alert]")), init: refuseDevices, language: "en" }),
  member("sound-held", moments.waiting, { act: both(media, seen('[data-action="sound-on"]')), init: holdSound }),
  member("unrecorded", moments.unrecorded, { act: media }),
  member("stale", moments.waiting, { act: both(media, cut(".notice-loud"), seen(".quality-broken, .quality-connecting"), ({ page }) => page.locator('[data-flows="true"]').first().waitFor({ state: "detached" })) }),
  member("frozen", moments.waiting, { act: frozen }),
  member("replaced", moments.waiting, { act: both(media, ({ mock }) => mock.gone("replaced"), seen('[data-action="retry"]')) }),
  member("english", moments.speaking, { act: media, language: "en" }),
  member("portrait", moments.waiting, { act: media, ...PORTRAIT }),
  member("phone", moments.speaking, { act: media, ...PHONE }),
  member("zoom", moments.waiting, { act: media, ...ZOOM }),

  member("alarm", moments.alarm, { act: media }),
  member("alarm-english", moments.alarm, { act: media, language: "en" }),
  member("alarm-phone", () => ({ ...moments.alarm(), requests: moments.alarm().requests.slice(2) }), { act: media, ...PHONE }),
  member("alarm-zoom", moments.alarm, { act: media, ...ZOOM }),

  screen("alarm", moments.alarm),
  screen("alarm-english", moments.alarmOver, { language: "en" }),
  screen("alarm-small", moments.alarm, { width: 1280, height: 720 }),
  screen("alarm-lost", moments.alarm, { act: cut(":text('Keine Verbindung zur Anlage')") }),
  screen("alarm-upright", moments.alarm, { width: 1080, height: 1920 }),
  screen("ready", moments.ready),
  screen("nobody", moments.empty),
  screen("desk", moments.desk),
  screen("remote", moments.speaking, { act: media }),
  screen("remote-frozen", moments.speaking, { act: frozen }),
  screen("silenced", moments.silenced),
  screen("unrecorded", moments.unrecorded),
  screen("lost", moments.speaking, { act: cut(".screen-slate") }),
  screen("english", moments.speaking, { act: media, language: "en" }),
  screen("small", moments.desk, { width: 1280, height: 720 }),
  { name: "screen-bad-link", path: "/screen#unknown", view: moments.empty, act: seen(".screen-slate", { hasText: "Dieser Anzeigelink gilt nicht" }), ...HALL },
];
