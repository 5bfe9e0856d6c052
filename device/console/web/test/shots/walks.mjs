// Walks through the pages: by keyboard alone, and through a restart of the box.
import { moments } from "./council.mjs";
import { holdSound } from "./scenes.mjs";
import { connected, expectThat, flows, focused, last, quiet, tabTo, until } from "./steps.mjs";
import { houseWalks } from "./walks-house.mjs";
import { serviceWalks } from "./walks-service.mjs";

async function panelByKeyboard({ mock, open, problems }) {
  mock.show(moments.waiting());
  const page = await open("/panel");
  await page.keyboard.type("123456"); // the PIN field has the focus
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();

  await tabTo(page, "grant", problems);
  const before = await focused(page);
  await page.keyboard.press("Enter");
  await until("grant is sent", () => mock.commands.at(-1)?.name === "grant");
  await page.locator(`.request[data-person="${before.row}"]`).waitFor({ state: "detached" });
  const after = await focused(page);
  expectThat(problems, `focus went to ${after.tag} ${after.name} after granting`, after.action === "grant" && after.row !== before.row);

  await tabTo(page, "down", problems);
  const moved = await focused(page);
  const place = () => page.locator(".request").evaluateAll((rows, person) => rows.findIndex((row) => row.dataset.person === person), moved.row);
  const was = await place();
  await page.keyboard.press("Space");
  await until("move is sent", () => mock.commands.at(-1)?.name === "move");
  await until("the row moves down", async () => (await place()) === was + 1);
  const still = await focused(page);
  expectThat(problems, `after moving down the focus is on ${still.row} ${still.action}`, still.row === moved.row && still.action === "down");

  await page.locator("#tab-list").focus();
  await page.keyboard.press("ArrowRight");
  await until("arrow keys reach the people", async () => (await focused(page)).id === "tab-people");
  await tabTo(page, "search", problems);
  await page.keyboard.type("hrg"); // finds nobody
  await page.keyboard.press("Control+A");
  await page.keyboard.type("petersen");
  await tabTo(page, "to-list", problems);
  await page.keyboard.press("Enter");
  await until("request for another is sent", () => last(mock) === '{"name":"request","body":{"person":"p-17","queue":true}}');

  await tabTo(page, "clear", problems);
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  expectThat(problems, "the harmless answer has not the focus", (await focused(page)).action === "dialog-no");
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  expectThat(problems, "focus is lost after the dialog", (await focused(page)).action === "clear");
  await quiet(page);
  expectThat(problems, "Escape must not clear", mock.commands.at(-1).name !== "priority");

  await page.locator('[data-action="hold"]').focus();
  await page.keyboard.press("Enter");
  await until("hold is sent", () => last(mock) === '{"name":"priority","body":{"priority":"hold"}}');
  await page.locator('[data-action="hold"][aria-pressed="true"]').waitFor();
  await page.keyboard.press("Enter");
  await until("release is sent", () => last(mock) === '{"name":"priority","body":{"priority":"release"}}');
  expectThat(problems, `title is ${await page.title()}`, /^\(\d\) Rednerliste/.test(await page.title()));
}

/** The list moves up under the finger: a double tap must not give the word to two people, nor a held key. */
async function doubleTap({ mock, open, problems }) {
  mock.show(moments.waiting());
  const page = await open("/panel");
  await page.locator("#pin").fill("123456");
  await page.keyboard.press("Enter");
  const { x, y, width, height } = await page.locator('.request [data-action="grant"]').first().boundingBox();
  const at = [x + width / 2, y + height / 2];
  await page.mouse.click(...at);
  await page.locator('.request [data-action="grant"]').nth(5).waitFor({ state: "detached" }); // the list has moved up
  const under = await page.evaluate(([left, top]) => document.elementFromPoint(left, top).closest("button")?.dataset.action, at);
  expectThat(problems, `under the finger is now ${under}`, under === "grant");
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  await quiet(page);
  expectThat(problems, `a double tap sent ${mock.commands.length} commands`, mock.commands.length === 1);
  await page.locator('[data-action="next"]').focus();
  for (let i = 0; i < 5; i++) await page.keyboard.down("Enter"); // the first press and four repetitions
  await page.keyboard.up("Enter");
  await quiet(page);
  expectThat(problems, `a held key sent ${mock.commands.length - 1} commands`, mock.commands.length === 2);
  // One press more, and it is the only one that came after.
  await page.locator('[data-action="hold"]').focus();
  await page.keyboard.press("Enter");
  await until("hold is sent", () => mock.commands.at(-1)?.name === "priority");
  await quiet(page);
  const sent = mock.commands.map(({ name }) => name).join();
  expectThat(problems, `sent ${sent}`, sent === "grant,next,priority");
}

async function memberByKeyboard({ mock, open, problems }) {
  mock.show({ ...moments.empty() });
  const page = await open("/member#anna");
  await page.locator(".floor").waitFor();
  await tabTo(page, "raise", problems);
  await page.keyboard.press("Enter");
  await page.locator('[data-action="lower"]').waitFor();
  expectThat(problems, "focus is lost after raising the hand", (await focused(page)).action === "lower");
  mock.change({ requests: [], speakers: [{ ...moments.speaking().speakers[1] }] });
  await page.locator(".my-word").waitFor();
  await until("the word is announced", async () => /Sie haben das Wort/.test(await page.locator('[aria-live="assertive"]').innerText()));
  await page.locator('[data-action="yield"]').focus();
  await page.keyboard.press("Enter");
  await until("yield is sent", () => mock.commands.at(-1)?.name === "yield");
  await page.locator(".my-word").waitFor({ state: "detached" });
}

/** Sound that the browser holds back needs one touch, no more. */
async function soundHeld({ mock, open }) {
  mock.show(moments.waiting());
  const page = await open("/member#anna", { init: holdSound });
  await page.locator('[data-action="sound-on"]').click();
  await page.locator('[data-action="sound-on"]').waitFor({ state: "detached" });
}

/** The box goes and comes back; nobody touches anything. */
async function restart({ mock, open, problems }) {
  mock.show(moments.speaking());
  const page = await open("/member#anna");
  const frames = () => page.evaluate(async () => (await window.__plenum.stats())["video.word"]?.framesDecoded ?? 0);
  const made = () => page.evaluate(() => window.__plenum.connections);
  await until("both connections stand", () => connected(page));
  await until("frames come", async () => (await frames()) > 5);
  await until("sound comes", () => page.evaluate(async () => ((await window.__plenum.stats())["audio.hall"]?.audioLevel ?? 0) > 0.01));
  await mock.goAway();
  await page.locator(".notice-loud").waitFor();
  await until("both connections are given up", () => page.evaluate(() => ["whip", "whep"].every((k) => window.__plenum.pcs[k]?.connectionState !== "connected")));
  const sent = mock.commands.length;
  const tried = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/commands/yield"));
  await page.locator('[data-action="yield"]').click(); // pressed while the box is away: sent when it is back
  await tried;
  mock.comeBack();
  await until("the notice goes", async () => (await page.locator(".notice-loud").count()) === 0);
  await until("the command arrives", () => mock.commands.length > sent);
  await until("both connections stand again", () => connected(page));
  const then = await frames();
  await until("frames come again", async () => (await frames()) > then + 5);
  await quiet(page);
  expectThat(problems, `the command arrived ${mock.commands.length - sent} times`, mock.commands.length === sent + 1);
  const negotiations = await page.evaluate(() => window.__plenum.negotiations);
  expectThat(problems, `${negotiations} renegotiations`, negotiations === 0);
  const connections = await made();
  expectThat(problems, `connections ${JSON.stringify(connections)}`, connections.whip === 2 && connections.whep === 2);
}

/** Another window takes the link: media end here, and come back when asked for. */
async function replaced({ address, mock, open, problems }) {
  mock.show(moments.waiting());
  const page = await open("/member#anna", { clock: true });
  await until("both connections stand", () => connected(page));
  mock.gone("replaced");
  await page.locator('[data-action="retry"]').waitFor();
  const ended = () => page.evaluate(() => window.__plenum.pcs.whip === null && window.__plenum.pcs.whep === null);
  await until("media end when replaced", ended);
  for (let i = 0; i < 12; i++) await page.clock.fastForward(5000); // any wait of the page is over after a minute
  await quiet(page);
  expectThat(problems, "media go on after being replaced", await ended());
  await page.locator('[data-action="retry"]').click();
  await until("media are back", () => connected(page));
  const before = mock.deleted;
  await page.goto(`${address}/`);
  await until("leaving says so to the box", () => mock.deleted >= before + 2);
}

/** The hall screen through a restart. */
async function screenRestart({ mock, open }) {
  mock.show(moments.speaking());
  const page = await open("/screen#screen", { width: 1920, height: 1080 });
  await flows(page);
  await mock.goAway();
  await page.locator(".screen-slate").waitFor();
  mock.comeBack();
  await flows(page);
}

const ways = {
  "walk-panel-keyboard": panelByKeyboard,
  "walk-double-tap": doubleTap,
  "walk-member-keyboard": memberByKeyboard,
  "walk-sound-held": soundHeld,
  "walk-restart": restart,
  "walk-replaced": replaced,
  "walk-screen-restart": screenRestart,
  ...houseWalks,
  ...serviceWalks,
};
const withMedia = /member|sound|restart|replaced|screen/;

export const walks = Object.entries(ways).map(([name, run]) => ({ name, run, media: withMedia.test(name) }));
