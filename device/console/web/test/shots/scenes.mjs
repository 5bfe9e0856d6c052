// Every page in the moments that matter: name, path, view, window, and what is done before the picture is taken.
import { moments } from "./council.mjs";

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
