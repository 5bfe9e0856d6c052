import { expect, test } from "vitest";
import { byKind } from "../../src/panel/devices";
import { kept } from "../../src/panel/opening";
import { itemName, notReady } from "../../src/panel/readiness";
import { outcome, sorted, verdict } from "../../src/panel/selftest";
import type { Check, Device, Item } from "../../src/shared/types";
import { de } from "../../src/texts/de";
import { en } from "../../src/texts/en";
import { otherTexts } from "../../src/texts";

const item = (id: string, red: boolean, required = true): Item => ({ id, name: id, required, red, reason: "" });
const device = (id: string, kind: string): Device => ({ id, kind, name: id, device: "", required: false, state: "live", reason: "", mode: "", since: "" });
const check = (id: string, part: Partial<Check> = {}): Check => ({ id, name: id, required: true, ok: true, left: false, text_de: "", text_en: "", took_ns: 0, ...part });

test("only what is required and red keeps a sitting from opening", () => {
  expect(notReady([item("a", true), item("b", false), item("c", true, false)]).map((i) => i.id)).toEqual(["a"]);
});

test("a device is named with its kind, and a kind that this page does not know is left out", () => {
  expect(itemName(de, "camera/Totale", "Totale")).toBe("Totale (Kamera)");
  expect(itemName(en, "camera/Totale", "Totale", "ready again")).toBe("Totale (camera, ready again)");
  expect(itemName(de, "laser/X", "X")).toBe("X");
  expect(itemName(de, "clock", "Uhr")).toBe("Uhr");
  expect(itemName(de, "constructor/X", "X")).toBe("X");
});

test("a tick is worth nothing once its device was well meanwhile", () => {
  expect(kept(["a", "b"], [item("b", true), item("c", true)])).toEqual(["b"]);
});

test("devices stand by kind; unknown kinds come last, empty ones not at all", () => {
  const list = [device("1", "laser"), device("2", "desk"), device("3", "camera"), device("4", "camera")];
  expect(byKind(list).map(([kind, some]) => [kind, some.map((d) => d.id).join("")])).toEqual([
    ["camera", "34"],
    ["desk", "2"],
    ["other", "1"],
  ]);
});

test("what needs somebody comes first in a self-test; what was left out is neither good nor bad", () => {
  const checks = [check("good"), check("left", { ok: false, left: true }), check("minor", { ok: false, required: false }), check("bad", { ok: false }), check("fine")];
  expect(sorted(checks).map((c) => c.id)).toEqual(["bad", "minor", "left", "good", "fine"]);
  expect(checks.map(outcome)).toEqual(["ok", "left", "bad", "bad", "ok"]);
  expect(verdict(de, { at: "", go: false, checks })).toBe("2 von 5 in Ordnung, 2 mit Fehler, 1 ausgelassen");
  expect(verdict(en, { at: "", go: true, checks: [check("a")] })).toBe("1 of 1 in order");
});

test("an alarm without a named contact still reads well", () => {
  expect(de.alarm.about("", "18:04:09")).toBe("seit 18:04:09.");
  expect(en.alarm.about("fire", "18:04:09")).toBe("Triggered by: fire, since 18:04:09.");
  expect(otherTexts(de)).toBe(en);
  expect(otherTexts(en)).toBe(de);
});
