// Every page in the moments that matter: name, path, view, window, and what is done before the picture is taken.
import { moments, reports, troubled } from "./council.mjs";

const signIn = async ({ page }) => {
  await page.locator("#pin").fill("123456");
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();
};
const media = async ({ page }) => {
  await page.locator('[data-slot="video.word"][data-flows="true"]').waitFor({ timeout: 15_000 });
};
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
const both = (...tasks) => async (all) => {
  for (const task of tasks) await task(all);
};
const cut = async ({ page, mock }) => {
  await mock.goAway();
  await page.waitForTimeout(3200);
};
const click = (action) => ({ page }) => page.locator(`[data-action="${action}"]`).first().click();
const tab = (name) => ({ page }) => page.locator(`#tab-${name}`).click();

const settled = ({ page }) => page.waitForTimeout(300);
const devicesTab = both(tab("devices"), ({ page }) => page.locator(".device").first().waitFor());
const inTrouble = ({ mock }) => void (mock.devices = troubled());
const tickAll = async ({ page }) => {
  for (const box of await page.locator("dialog input[type=checkbox]").all()) await box.check();
};
const tested = both(click("selftest"), ({ page }) => page.locator(".verdict").waitFor());

const PORTRAIT = { width: 800, height: 1280 };
const ZOOM = { width: 640, height: 400, scale: 2 }; // 1280x800 at 200 %
const HALL = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844, scale: 2 };

const chair = (name, view, more = {}) => ({ name: `panel-${name}`, path: "/panel", view, ...more, act: both(signIn, more.act ?? (() => {})) });
const member = (name, view, more = {}) => ({ name: `member-${name}`, path: "/member#anna", view, settle: 2500, ...more });
const screen = (name, view, more = {}) => ({ name: `screen-${name}`, path: "/screen#screen", view, ...HALL, ...more });

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
  chair("stale", moments.waiting, { act: cut }),
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
  chair("replaced", moments.waiting, { act: ({ mock }) => mock.gone("replaced") }),

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
  chair("opening-healed", moments.oneRed, { act: both(click("open"), ({ mock }) => mock.change({ items: moments.ready().items })) }),
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
  chair("devices-none", moments.ready, { act: both(({ mock }) => void (mock.devices = []), tab("devices"), settled) }),
  chair("devices-stale", moments.red, { act: both(devicesTab, ({ mock }) => void (mock.devices = null), ({ page }) => page.locator(".house .notice").waitFor()) }),
  chair("selftest-running", moments.ready, { act: both(devicesTab, ({ mock }) => void (mock.selftest = new Promise(() => {})), click("selftest")), settle: 2500 }),
  chair("selftest-go", moments.empty, { act: both(devicesTab, tested) }),
  chair("selftest-no-go", moments.ready, { act: both(({ mock }) => void (mock.report = reports.noGo()), devicesTab, tested) }),
  chair("selftest-english", moments.ready, { act: both(({ mock }) => void (mock.report = reports.noGo()), devicesTab, tested), language: "en", ...PORTRAIT }),
  chair("selftest-refused", moments.ready, {
    act: both(devicesTab, ({ mock }) => void mock.refusals.push("selftest_running"), click("selftest"), ({ page }) => page.locator(".selftest .notice").waitFor()),
  }),

  { name: "member-no-link", path: "/member", view: moments.empty },
  { name: "member-expired", path: "/member#unknown", view: moments.empty, language: "en" },
  member("ready", moments.ready, { act: media }),
  member("idle", moments.desk, { act: media, view: () => ({ ...moments.desk(), requests: [] }) }),
  member("listed", annaFirst, { act: media }),
  member("devices", annaFirst, { act: both(media, ({ page }) => page.locator(".own summary").click(), ({ page }) => page.locator(".quality summary").click()) }),
  member("speaking", moments.speaking, { act: media }),
  member("swapped", moments.waiting, { act: both(media, click("swap")) }),
  member("silenced", annaSilenced, { act: media }),
  member("denied", moments.waiting, { act: media, init: refuseDevices }),
  member("denied-speaking", moments.speaking, { act: media, init: refuseDevices, language: "en" }),
  member("sound-held", moments.waiting, { act: media, init: holdSound }),
  member("unrecorded", moments.unrecorded, { act: media }),
  member("stale", moments.waiting, { act: both(media, cut) }),
  member("frozen", moments.waiting, { act: both(media, ({ far }) => far.freeze(true)), settle: 4500 }),
  member("replaced", moments.waiting, { act: both(media, ({ mock }) => mock.gone("replaced")) }),
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
  screen("alarm-lost", moments.alarm, { act: cut }),
  screen("alarm-upright", moments.alarm, { width: 1080, height: 1920 }),
  screen("ready", moments.ready),
  screen("nobody", moments.empty),
  screen("desk", moments.desk),
  screen("remote", moments.speaking, { act: media }),
  screen("remote-frozen", moments.speaking, { act: both(media, ({ far }) => far.freeze(true)), settle: 4500 }),
  screen("silenced", moments.silenced),
  screen("unrecorded", moments.unrecorded),
  screen("lost", moments.speaking, { act: cut }),
  screen("english", moments.speaking, { act: media, language: "en" }),
  screen("small", moments.desk, { width: 1280, height: 720 }),
  { name: "screen-bad-link", path: "/screen#unknown", view: moments.empty, ...HALL },
];
