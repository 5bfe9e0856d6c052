import { expect, test } from "vitest";
import { type Press, RepeatGuard } from "../../src/shared/repeat";

interface Step extends Press {
  repeat?: boolean;
}
const tap = (timeStamp: number, clientX = 100, clientY = 100, isTrusted = true): Step => ({ timeStamp, clientX, clientY, isTrusted, detail: 1 });
const mouse = (timeStamp: number, detail: number): Step => ({ ...tap(timeStamp), detail, pointerType: "mouse" });
const key = (timeStamp: number, repeat = false): Step => ({ timeStamp, clientX: 0, clientY: 0, isTrusted: true, detail: 0, repeat });

test.each([
  ["a double tap", [tap(0), tap(180, 104, 97)], true],
  ["the same place again, later", [tap(0), tap(450)], false],
  ["a mouse's double click", [mouse(0, 1), mouse(180, 2)], true],
  ["two quick clicks that the system counts as two", [mouse(0, 1), mouse(180, 1)], false],
  ["another button at once", [tap(0), tap(150, 100, 160)], false],
  ["a held key", [key(0), key(500, true), key(533, true)], true],
  ["another key soon after", [key(0), key(200)], false],
  ["a program", [tap(0), tap(10, 100, 100, false)], false],
  ["the first press", [tap(5)], false],
])("%s", (_, presses, repeated) => {
  const guard = new RepeatGuard();
  for (const p of presses) {
    if (p.repeat !== undefined) guard.key({ repeat: p.repeat });
    guard.press(p);
  }
  expect(guard.repeated).toBe(repeated);
});
