import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { clock, duration, moment, timeOfDay, timesOfDay } from "../../src/shared/time";

beforeAll(() => void vi.stubEnv("TZ", "Europe/Berlin"));
afterAll(() => void vi.unstubAllEnvs());

test("times of day are the reader's", () => {
  expect(timeOfDay("2026-11-23T17:04:09.950Z")).toBe("18:04:09");
  expect(timeOfDay("2026-07-01T17:04:09.950Z", true)).toBe("19:04:09.9");
  expect(clock(Date.parse("2026-11-23T23:00:00Z"))).toBe("00:00");
});

test("only requests of the same second get tenths", () => {
  expect(timesOfDay(["2026-11-23T17:00:01.120Z", "2026-11-23T17:00:01.980Z", "2026-11-23T17:00:02.000Z"])).toEqual([
    "18:00:01.1",
    "18:00:01.9",
    "18:00:02",
  ]);
  expect(timesOfDay([])).toEqual([]);
});

test("a moment of another day has its day", () => {
  const now = Date.parse("2026-11-23T17:30:00Z");
  expect(moment("2026-11-23T17:04:09Z", now, "de")).toBe("18:04:09");
  expect(moment("2026-11-22T17:04:09Z", now, "de")).toBe("22. Nov., 18:04");
  expect(moment("2026-11-22T23:30:00Z", now, "en")).toBe("00:30:00"); // the reader's day
  expect(moment("2026-10-02T06:00:00Z", now, "en")).toBe("2 Oct, 08:00");
});

test.each([
  [-500, "0:00"],
  [0, "0:00"],
  [59_999, "0:59"],
  [61_000, "1:01"],
  [3_599_999, "59:59"],
  [3_600_000, "1:00:00"],
  [36_125_000, "10:02:05"],
])("%d ms last %s", (ms, text) => expect(duration(ms)).toBe(text));
