import { expect, test } from "vitest";
import { de } from "../../src/texts/de";
import { en } from "../../src/texts/en";

/** Every text as [path, value], functions called with harmless arguments. */
function texts(tree: object, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] => {
    const at = `${path}.${key}`;
    if (typeof value === "function") return [[at, String(value(2, 3, 4))]];
    return typeof value === "object" && value !== null ? texts(value as object, at) : [[at, String(value)]];
  });
}

test("both languages have the same texts, none empty", () => {
  const german = texts(de);
  const english = texts(en);
  expect(english.map(([path]) => path)).toEqual(german.map(([path]) => path));
  for (const [path, text] of [...german, ...english]) expect(text.trim(), path).not.toBe("");
});

test("every problem code of the API has words", () => {
  const codes = `not_allowed not_open already_open already_listed not_listed already_speaks not_speaking limit silenced list_empty no_way
    nothing_changed unknown_person invalid unauthorized key_reused busy internal wrong_pin too_many_tries no_pin not_ready alarm selftest_running not_now
    sitting_open nothing_offered not_local owner_set no_owner confirm service_busy absent weak_pin pin_set not_appliance`.split(/\s+/);
  for (const code of codes) expect(Object.keys(de.problem)).toContain(code);
});

const sources = import.meta.glob<string>("../../src/**/*.tsx", { query: "?raw", import: "default", eager: true });

test("no page has words of its own", () => {
  expect(Object.keys(sources).length).toBeGreaterThan(15);
  for (const [file, source] of Object.entries(sources)) {
    // Text between tags, and literal attributes that people read or hear.
    const markup = source.replace(/\{[^{}]*\}/g, "{}");
    expect(markup.match(/<[a-z][^<>]*>\s*[A-ZÄÖÜa-zäöü]{3,}[^<>{}]*<\//g), file).toBeNull();
    expect(markup.match(/\b(?:aria-label|title|placeholder|label|alt)="[^"]+"/g), file).toBeNull();
  }
});
