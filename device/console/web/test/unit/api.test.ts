import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Api, ApiError, newKey } from "../../src/shared/api";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ok = () => new Response('{"seq":2,"repeated":false}', { status: 200 });
const refusal = (status: number, code: string, headers = {}) =>
  new Response(JSON.stringify({ type: "about:blank", status, code }), { status, headers: { "Content-Type": "application/problem+json", ...headers } });

/** A fetch that answers in turn; an Error is a network failure. */
function answers(...list: (Response | Error)[]) {
  const calls: { path: string; init: RequestInit }[] = [];
  const call = (async (path: string, init: RequestInit) => {
    calls.push({ path, init });
    const next = list.shift();
    if (!next || next instanceof Error) throw next ?? new Error("called too often");
    return next;
  }) as typeof fetch;
  return { call, calls };
}

const key = (init: RequestInit) => new Headers(init.headers).get("Idempotency-Key");

test("a command carries the token, a key and its body", async () => {
  const { call, calls } = answers(ok());
  await new Api("secret", call).command("grant", { person: "p-anna" });
  expect(calls[0]!.path).toBe("/api/v1/commands/grant");
  expect(new Headers(calls[0]!.init.headers).get("Authorization")).toBe("Bearer secret");
  expect(key(calls[0]!.init)).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  expect(calls[0]!.init.body).toBe('{"person":"p-anna"}');
});

test("a lost answer is asked for again with the same key", async () => {
  const { call, calls } = answers(new TypeError("network"), refusal(503, "busy"), ok());
  const done = new Api("t", call).command("next", {});
  await vi.runAllTimersAsync();
  await done;
  expect(calls).toHaveLength(3);
  expect(new Set(calls.map((c) => key(c.init))).size).toBe(1);
});

test("two commands never share a key", () => {
  expect(new Set(Array.from({ length: 1000 }, newKey)).size).toBe(1000);
});

test("a refusal is final and keeps its code", async () => {
  const { call, calls } = answers(refusal(409, "limit"));
  await expect(new Api("t", call).command("next", {})).rejects.toMatchObject({ code: "limit", status: 409 });
  expect(calls).toHaveLength(1);
});

test("a box that stays away is told as a network problem", async () => {
  const { call, calls } = answers(...Array.from({ length: 9 }, () => new TypeError("network")));
  const done = expect(new Api("t", call).command("next", {})).rejects.toMatchObject({ code: "network" });
  await vi.runAllTimersAsync();
  await done;
  expect(calls).toHaveLength(4);
});

test("an attempt that hangs is given up", async () => {
  const call = ((_: string, init: RequestInit) =>
    new Promise((_, reject) => init.signal!.addEventListener("abort", () => reject(new Error("aborted"))))) as typeof fetch;
  const done = expect(new Api("t", call).session("1234")).rejects.toMatchObject({ code: "network" });
  await vi.advanceTimersByTimeAsync(8000);
  await done;
});

test("the wait after too many PINs is handed on", async () => {
  const { call } = answers(refusal(429, "too_many_tries", { "Retry-After": "42" }));
  await expect(new Api("", call).session("1")).rejects.toMatchObject({ code: "too_many_tries", retryAfter: 42 });
});

test("devices and the self-test; empty lists may come as null", async () => {
  const json = (body: unknown) => new Response(JSON.stringify(body), { status: 200 });
  const { call, calls } = answers(json({ devices: null }), json({ devices: [{ id: "camera/A" }] }), json({ at: "2026-11-23T17:00:00Z", go: false, checks: null }));
  const api = new Api("secret", call);
  const signal = new AbortController().signal;
  expect(await api.devices(signal)).toEqual([]);
  expect(await api.devices(signal)).toEqual([{ id: "camera/A" }]);
  expect(await api.selftest()).toEqual({ at: "2026-11-23T17:00:00Z", go: false, checks: [] });
  expect(calls.map((c) => c.path)).toEqual(["/api/v1/devices", "/api/v1/devices", "/api/v1/selftest"]);
  for (const { init } of calls) expect(new Headers(init.headers).get("Authorization")).toBe("Bearer secret");
});

test("a self-test may take its time and is not sent twice", async () => {
  let calls = 0;
  const call = ((_: string, init: RequestInit) => {
    calls++;
    return new Promise((_, reject) => init.signal!.addEventListener("abort", () => reject(new Error("aborted"))));
  }) as typeof fetch;
  let failed = "";
  void new Api("t", call).selftest().catch((error: ApiError) => (failed = error.code));
  await vi.advanceTimersByTimeAsync(25_000);
  expect(failed).toBe("");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(failed).toBe("network");
  expect(calls).toBe(1);
});

test.each([
  [401, "unauthorized"],
  [500, "internal"],
])("a %d without a problem document is %s", async (status, code) => {
  const { call } = answers(new Response("<html>", { status }));
  const error = await new Api("", call).session("1").catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ code });
});
