import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Live, merge } from "../../src/shared/live";
import { request, view } from "./view";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A box whose event streams the test writes by hand. */
class Box {
  streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  calls = 0;
  down = false;
  status = 200;

  call = (async (_: string, init: RequestInit) => {
    this.calls++;
    if (this.down) throw new TypeError("refused");
    if (this.status !== 200) return new Response('{"code":"unauthorized"}', { status: this.status });
    return new Response(
      new ReadableStream<Uint8Array>({
        start: (controller) => {
          this.streams.push(controller);
          init.signal!.addEventListener("abort", () => {
            try {
              controller.error(new Error("aborted"));
            } catch {
              // the stream had ended already
            }
          });
        },
      }),
    );
  }) as typeof fetch;

  async say(text: string) {
    this.streams.at(-1)!.enqueue(new TextEncoder().encode(text));
    await vi.advanceTimersByTimeAsync(1);
  }
  event = (type: string, data: unknown) => this.say(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
}

async function connected() {
  const box = new Box();
  const live = new Live({ token: "t", call: box.call, random: () => 0, clock: () => 1000 });
  live.start();
  await vi.advanceTimersByTimeAsync(1);
  await box.event("snapshot", view({ seq: 5, now: "1970-01-01T00:00:03.000Z" }));
  return { box, live };
}

test("merge replaces only the keys that came", () => {
  const before = view({ seq: 5, requests: [request(1, "a")] });
  const after = merge(before, { seq: 6, silenced: true })!;
  expect(after).toEqual({ ...before, seq: 6, silenced: true });
  expect(before.silenced).toBe(false);
});

test("merge drops what is older, and changes before the first snapshot", () => {
  const before = view({ seq: 5 });
  expect(merge(before, { seq: 4, silenced: true })).toBe(before);
  expect(merge(null, { seq: 4, silenced: true })).toBeNull();
});

test("a snapshot, then changes; the clock offset is known", async () => {
  const { box, live } = await connected();
  expect(live.state).toMatchObject({ stale: false, end: null, offset: 2000, snapshots: 1 });
  await box.event("change", { seq: 6, limit: 2 });
  expect(live.state.view).toMatchObject({ seq: 6, limit: 2, body: "Rat der Stadt Musterstadt" });
  live.stop();
});

test("a broken stream is followed again without a word when it comes back at once", async () => {
  const { box, live } = await connected();
  box.streams.at(-1)!.close();
  await vi.advanceTimersByTimeAsync(310);
  expect(box.calls).toBe(2);
  await box.event("snapshot", view({ seq: 9 }));
  await vi.advanceTimersByTimeAsync(5000);
  expect(live.state).toMatchObject({ stale: false, snapshots: 2 });
  live.stop();
});

test("a box that stays away makes the view stale, is tried for ever, and heals by itself", async () => {
  const { box, live } = await connected();
  box.down = true;
  box.streams.at(-1)!.close();
  await vi.advanceTimersByTimeAsync(2100);
  expect(live.state.stale).toBe(true);
  expect(live.state.view).not.toBeNull();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(box.calls).toBeGreaterThan(100); // random() = 0: always the shortest wait
  box.down = false;
  await vi.advanceTimersByTimeAsync(400);
  await box.event("snapshot", view({ seq: 9 }));
  expect(live.state).toMatchObject({ stale: false, end: null });
  live.stop();
});

test("beats keep a quiet stream; 15 s of silence make it stale and it is opened again", async () => {
  const { box, live } = await connected();
  for (let i = 0; i < 3; i++) {
    await vi.advanceTimersByTimeAsync(10_000);
    await box.say(": beat\n\n");
  }
  expect(live.state.stale).toBe(false);
  await vi.advanceTimersByTimeAsync(14_900);
  expect(live.state.stale).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(live.state.stale).toBe(true);
  await vi.advanceTimersByTimeAsync(400);
  expect(box.calls).toBe(2);
  live.stop();
});

test("replaced and revoked end it; start begins again", async () => {
  for (const code of ["replaced", "revoked"] as const) {
    const { box, live } = await connected();
    await box.event("gone", { code });
    box.streams.at(-1)!.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(live.state.end).toBe(code);
    expect(box.calls).toBe(1);
    live.start();
    await vi.advanceTimersByTimeAsync(1);
    await box.event("snapshot", view());
    expect(live.state).toMatchObject({ end: null, stale: false });
    live.stop();
  }
});

test("a restart of the box is not an end", async () => {
  const { box, live } = await connected();
  await box.event("gone", { code: "closing" });
  box.streams.at(-1)!.close();
  await vi.advanceTimersByTimeAsync(400);
  expect(live.state.end).toBeNull();
  expect(box.calls).toBe(2);
  live.stop();
});

test("an unknown token is said, and tried again now and then", async () => {
  const box = new Box();
  box.status = 401;
  const live = new Live({ token: "t", call: box.call, random: () => 0 });
  live.start();
  await vi.advanceTimersByTimeAsync(9000);
  expect(live.state.end).toBe("unauthorized");
  expect(box.calls).toBe(1);
  box.status = 200;
  await vi.advanceTimersByTimeAsync(1500);
  await box.event("snapshot", view());
  expect(live.state.end).toBeNull();
  live.stop();
});

test("hurry cuts a wait short, stop ends everything", async () => {
  const box = new Box();
  box.status = 401;
  const live = new Live({ token: "t", call: box.call, random: () => 0 });
  live.start();
  await vi.advanceTimersByTimeAsync(10);
  live.hurry();
  await vi.advanceTimersByTimeAsync(10);
  expect(box.calls).toBe(2);
  live.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(box.calls).toBe(2);
});
