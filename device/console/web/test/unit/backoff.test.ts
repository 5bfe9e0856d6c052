import { expect, test } from "vitest";
import { Backoff } from "../../src/shared/backoff";

test("waits double up to the cap and begin again after success", () => {
  const longest = new Backoff(300, 5000, () => 1);
  expect(Array.from({ length: 7 }, () => longest.next())).toEqual([300, 600, 1200, 2400, 4800, 5000, 5000]);
  longest.reset();
  expect(longest.next()).toBe(300);
});

test("jitter stays within 0.3 and 5 s", () => {
  const backoff = new Backoff();
  for (let i = 0; i < 1000; i++) {
    const wait = backoff.next();
    expect(wait).toBeGreaterThanOrEqual(300);
    expect(wait).toBeLessThanOrEqual(5000);
  }
});
