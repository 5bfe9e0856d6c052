import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { poll } from "../../src/shared/poll";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("asks at once and again after each answer; a failure is told and does not end it", async () => {
  const answers = [async () => 1, () => Promise.reject(new Error("away")), async () => 3];
  const told: (number | null)[] = [];
  const stop = new AbortController();
  void poll(() => answers.shift()!(), 2000, (n) => told.push(n), stop.signal);
  await vi.advanceTimersByTimeAsync(1999);
  expect(told).toEqual([1]);
  await vi.advanceTimersByTimeAsync(2);
  expect(told).toEqual([1, null]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual([1, null, 3]);
  stop.abort();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told).toHaveLength(3);
});

test("an answer after the end is not told, and the next call waits for a slow one", async () => {
  let answer = (_: number) => {};
  let calls = 0;
  const told: unknown[] = [];
  const stop = new AbortController();
  const call = () => new Promise<number>((resolve) => (calls++, (answer = resolve)));
  void poll(call, 2000, (n) => told.push(n), stop.signal);
  await vi.advanceTimersByTimeAsync(9000);
  expect(calls).toBe(1);
  stop.abort();
  answer(1);
  await vi.advanceTimersByTimeAsync(9000);
  expect(told).toEqual([]);
  expect(calls).toBe(1);
});
