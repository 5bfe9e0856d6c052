import { expect, test } from "vitest";
import { turnNews } from "../../src/member/word";
import { isWeak, rates } from "../../src/member/quality";
import { slateText, wordCaption } from "../../src/member/stage";
import { news } from "../../src/panel/panel";
import { choosePeople } from "../../src/panel/people";
import { heard } from "../../src/screen/screen";
import type { Person } from "../../src/shared/types";
import { de } from "../../src/texts/de";
import { en } from "../../src/texts/en";
import { request, speaker, view } from "./view";

const person = (id: string, name: string, part: Partial<Person> = {}): Person => ({ id, name, role: "member", presence: "hall", ...part });

test("people are found by name, group and seat; accents do not matter; the absent come last", () => {
  const people = [
    person("1", "Jörg Ähle", { presence: "absent", seat: "12" }),
    person("2", "Anna Beispiel", { group: "Grüne" }),
    person("3", "Bernd Muster", { group: "CDU", seat: "7" }),
    person("4", "Saal", { role: "screen" }),
  ];
  const ids = (search: string) => choosePeople(people, search).map((p) => p.id).join("");
  expect(ids("")).toBe("231");
  expect(ids("jorg")).toBe("1");
  expect(ids("grune anna")).toBe("2");
  expect(ids("7")).toBe("3");
  expect(ids("niemand")).toBe("");
});

test("the chair hears of new requests and of who speaks", () => {
  const before = view({ requests: [request(1, "A")], speakers: [speaker(1, "X")] });
  const after = view({ requests: [request(1, "A"), request(2, "B", { origin: "desk", seat: "7" })], speakers: [speaker(2, "Y")] });
  expect(news(de, before, after)).toBe("Neue Wortmeldung: B, Platz 7, Position 2. Y hat das Wort. X spricht nicht mehr");
  expect(news(de, undefined, after)).toBe("");
  expect(news(de, after, after)).toBe("");
});

test("the chair hears of required devices that fail and come back", () => {
  const camera = { id: "camera/Totale", name: "Totale", required: true, red: false, reason: "" };
  const good = view({ items: [camera, { ...camera, id: "lines/Saal", required: false, red: true }] });
  const bad = view({ items: [{ ...camera, red: true }] });
  expect(news(de, good, bad)).toBe("Totale (Kamera) ist nicht bereit");
  expect(news(de, bad, good)).toBe("Totale (Kamera) ist wieder bereit");
});

test("one's own turn is urgent, one's place in the list is not", () => {
  const idle = view();
  const second = view({ requests: [request(1, "A"), request(2, "p-anna")] });
  const first = view({ requests: [request(2, "p-anna")] });
  const speaks = view({ speakers: [speaker(3, "p-anna")] });
  expect(turnNews(de, idle, second)).toEqual(["", "Sie stehen auf Position 2 von 2."]);
  expect(turnNews(de, second, first)).toEqual(["", "Sie sind als Nächste/r an der Reihe."]);
  expect(turnNews(de, first, speaks)[0]).toMatch(/^Sie haben das Wort\./);
  expect(turnNews(de, speaks, idle)).toEqual(["Sie haben das Wort nicht mehr.", ""]);
  expect(turnNews(de, first, idle)).toEqual(["", "Ihre Wortmeldung steht nicht mehr auf der Liste."]);
  expect(turnNews(de, idle, view({ speakers: [speaker(1, "B")] }))).toEqual(["", "Es spricht: B"]);
});

test("under the chair's priority only the chair is shown as heard", () => {
  const both = [speaker(1, "A"), speaker(2, "C", { chair: true })];
  expect(heard(view({ speakers: both })).map((s) => s.person)).toEqual(["A", "C"]);
  expect(heard(view({ speakers: both, silenced: true })).map((s) => s.person)).toEqual(["C"]);
});

test("the word slot is named", () => {
  expect(wordCaption(de, view())).toBe("Saal");
  expect(wordCaption(de, view({ word: { kind: "seat", seat: "7", name: "Bernd" } }))).toBe("Bernd, Platz 7");
  expect(wordCaption(de, view({ word: { kind: "seat", seat: "7" }, speakers: [speaker(1, "B", { seat: "7" })] }))).toBe("B, Platz 7");
  expect(wordCaption(de, view({ word: { kind: "remote", name: "Anna" } }))).toBe("Anna");
});

test("without an open sitting the slate says why there is no picture, however the connection stands", () => {
  for (const connected of [true, false]) {
    expect(slateText(de, "ready", connected)).toBe("Die Sitzung ist noch nicht eröffnet. Ton und Bild beginnen mit der Eröffnung.");
    expect(slateText(en, "ready", connected)).toBe("The sitting has not been opened yet. Sound and picture begin with the opening.");
    expect(slateText(de, "closed", connected)).toBe("Die Sitzung ist geschlossen. Ton und Bild sind beendet.");
    expect(slateText(en, "closed", connected)).toBe("The sitting is closed. Sound and picture have ended.");
  }
  expect(slateText(de, "open", true)).toBe("Kein Bild");
  expect(slateText(de, "open", false)).toBe("Das Bild wird verbunden …");
});

test("rates are differences, never negative after a reconnection", () => {
  const zero = { at: 0, packets: 0, lost: 0, bytesIn: 0, bytesOut: 0, frames: 0, rtt: 20.4 };
  const later = { at: 2000, packets: 95, lost: 5, bytesIn: 250_000, bytesOut: 125_000, frames: 60, rtt: 20.4 };
  expect(rates(zero, later)).toEqual({ rtt: 20, loss: 5, fps: 30, kbitIn: 1000, kbitOut: 500 });
  expect(rates(later, { ...zero, at: 4000 })).toEqual({ rtt: 20, loss: 0, fps: 0, kbitIn: 0, kbitOut: 0 });
  expect(isWeak(rates(zero, later))).toBe(true);
});
