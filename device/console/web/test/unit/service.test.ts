import { expect, test } from "vitest";
import { bySeverity } from "../../src/panel/service";
import { firstSentence, urgent } from "../../src/panel/servicenotes";
import { knownPin, newPin, pinFault, stepOf } from "../../src/panel/steps";
import { stickName } from "../../src/panel/sticks";
import { remaining } from "../../src/panel/technician";
import { headline, quarter, said, unseen, updateNews } from "../../src/panel/update";
import { isBusy } from "../../src/panel/useservice";
import { mustSetUp } from "../../src/panel/first";
import { type Condition, type ServiceView, type Severity, type Update, type UpdateState, whole } from "../../src/shared/service";
import { dayAndTime, megabytes, month } from "../../src/shared/time";
import { de } from "../../src/texts/de";
import { en } from "../../src/texts/en";

const words = { text_de: "Ja.", text_en: "Yes." };
const update = (part: Partial<Update> = {}): Update => ({
  state: "idle", reason: "", version: "1.4.0", notes: "", built: "", current: "1.3.0", size: 0, percent: 0, step: "", ...words, last: null, ...part,
});
const room = (part: Partial<ServiceView> = {}): ServiceView => ({
  release: { version: "1.3.0", build: "", slot: "A", compatible: "", support_until: "" },
  sticks: [], update: update(), setup: { state: "idle", signed: false, lines: [], ...words }, diagnosis: { state: "idle", file: "", encrypted: false, ...words },
  technician: { on: false }, owner: true, sitting: false, refused_usb: [], conditions: [], ...part,
});
const condition = (code: string, severity: Severity, since = "2026-11-23T18:00:00Z"): Condition => ({ code, severity, detail: "", since, ...words });

test("the worst condition comes first, then the one that stands longest; one of an unknown severity is not lost", () => {
  const list = [condition("a", "info"), condition("b", "error", "2026-11-23T18:00:01Z"), condition("c", "error"), condition("d", "critical"), condition("e", "warning")];
  expect(bySeverity(list).map((c) => c.code).join("")).toBe("dcbea");
  expect(bySeverity([condition("x", "dire" as Severity), ...list])).toHaveLength(6);
});

test("beside the list only errors are told, and none that the panel tells in a place of its own", () => {
  const conditions = [condition("rauc-gone", "error"), condition("device-lost", "error"), condition("update-went-back", "error"), condition("record-failed", "critical"), condition("disk-low", "warning")];
  expect(urgent(room({ conditions }), true).map((c) => c.code)).toEqual(["record-failed", "rauc-gone"]);
  expect(urgent(room({ conditions }), false).map((c) => c.code)).toEqual(["rauc-gone"]);
});

test("of a long text the first sentence is told", () => {
  expect(firstSentence("Der Speicher ist voll: Bald geht nichts mehr. Keine Sitzung öffnen.")).toBe("Der Speicher ist voll: Bald geht nichts mehr.");
  expect(firstSentence("Version 1.4.0 läuft nicht. Bitte warten.")).toBe("Version 1.4.0 läuft nicht.");
  expect(firstSentence("ohne Punkt")).toBe("ohne Punkt");
});

test("a new PIN has the rules of the box", () => {
  for (const good of ["730164", "112233", "0".repeat(5) + "1", "135797", "12345678901234567890123456789012"]) expect(pinFault(de, good), good).toBeUndefined();
  for (const [bad, why] of [["", de.owner.empty], ["12a456", de.owner.digits], ["73016", de.owner.short], ["7".repeat(31) + "01", de.owner.long]] as const) expect(pinFault(de, bad), bad).toBe(why);
  for (const weak of ["111111", "123456", "987654", "3456789"]) expect(pinFault(en, weak), weak).toBe(en.owner.weak);
});

test("the second entry of a PIN must be the same", () => {
  const [fresh, again] = newPin(de, "fresh", "PIN");
  expect(fresh!.check("730164", {})).toBeUndefined();
  expect(again!.check("730164", { fresh: "730164" })).toBeUndefined();
  expect(again!.check("", { fresh: "730164" })).toBe(de.owner.empty);
  expect(again!.check("730165", { fresh: "730164" })).toBe(de.owner.differs);
  expect(knownPin(de).check("", {})).toBe(de.owner.empty);
  expect(knownPin(de).check("1", {})).toBeUndefined();
});

test("a refusal leads back to the field that it is about", () => {
  const change = [knownPin(de, "old"), ...newPin(de, "fresh", "PIN")];
  expect(stepOf("wrong_pin", change)).toBe(0);
  expect(stepOf("weak_pin", change)).toBe(1);
  expect(stepOf("busy", change)).toBeUndefined();
  expect(stepOf("too_many_tries", [{ ...knownPin(de), name: "confirm" }, knownPin(de)])).toBe(1);
});

test("an update is told in every state, and in quarters to a screen reader", () => {
  const states: UpdateState[] = ["offered", "refused", "installing", "installed", "rebooting", "failed"];
  for (const state of states) expect(headline(de, update({ state })), state).not.toBe("");
  expect(updateNews(de, update())).toBe("");
  const said = [0, 3, 24, 25, 42, 49, 50, 74, 75, 99, 100].map((percent) => updateNews(de, update({ state: "installing", percent })));
  expect(new Set(said).size).toBe(5);
  expect(quarter(99)).toBe(75);
  expect(updateNews(en, update({ state: "installed" }))).toBe("Version 1.4.0 is installed");
});

test("an outcome is told till it was seen", () => {
  const last = { result: "went-back" as const, version: "1.4.0", from: "1.3.0", at: "2026-11-23T18:00:00Z", seen: false, ...words };
  expect(unseen(room({ update: update({ last }) }))).toBe(last);
  expect(unseen(room({ update: update({ last: { ...last, seen: true } }) }))).toBeNull();
  expect(unseen(room())).toBeNull();
  expect([said(de, last), said(en, last)]).toEqual(["Ja.", "Yes."]);
});

test("what goes on is looked at more often", () => {
  expect(isBusy(null)).toBe(false);
  expect(isBusy(room({ update: update({ state: "installed" }) }))).toBe(false);
  expect(isBusy(room({ update: update({ state: "installing" }) }))).toBe(true);
  expect(isBusy(room({ diagnosis: { state: "writing", file: "", encrypted: false, ...words } }))).toBe(true);
});

test("a box is taken into service on its own screen only; elsewhere a missing PIN of the chair is told at login", () => {
  expect(mustSetUp(null)).toBe(false);
  expect(mustSetUp({ owner: false, chair: true, local: false })).toBe(true);
  expect(mustSetUp({ owner: true, chair: false, local: true })).toBe(true);
  expect(mustSetUp({ owner: true, chair: false, local: false })).toBe(false);
});

test("lists that the box leaves out are empty", () => {
  const raw = { ...room(), sticks: null, conditions: null, refused_usb: [{ name: "x", ids: "1:2", classes: null }], setup: { state: "idle", signed: false, lines: null, ...words } };
  const view = whole(raw as unknown as ServiceView);
  expect([view.sticks, view.conditions, view.setup.lines, view.refused_usb[0]!.classes]).toEqual([[], [], [], []]);
});

test("times, sizes and names of the box", () => {
  expect(remaining("2026-11-23T18:30:00Z", Date.parse("2026-11-23T18:00:59Z"))).toBe("29:01");
  for (const none of [undefined, null, "", "0001-01-01T00:00:00Z"]) expect(remaining(none, 0)).toBe("");
  expect(month("2031-12", "de")).toBe("Dezember 2031");
  expect(month("soon", "de")).toBe("soon");
  expect(dayAndTime("2026-10-02T12:00:00", "en")).toBe("2 October 2026, 12:00");
  expect(dayAndTime("unknown", "de")).toBe("unknown");
  expect([megabytes(184_320_000, "de"), megabytes(1_250_000, "de"), megabytes(1_250_000, "en")]).toEqual(["184 MB", "1,3 MB", "1.3 MB"]);
  const stick = { id: "usb-1", label: "", drive: "Kingston", kind: "other", busy: false, ...words };
  expect([stickName({ ...stick, label: "PLENUM" }), stickName(stick), stickName({ ...stick, drive: "" })]).toEqual(["PLENUM", "Kingston", "usb-1"]);
});
