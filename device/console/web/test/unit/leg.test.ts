import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { exchange, gathered, Leg, type LegState } from "../../src/shared/leg";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As much of an RTCPeerConnection as a leg touches. */
class FakePeer extends EventTarget {
  connectionState = "new";
  iceGatheringState = "complete";
  localDescription: { sdp: string } | null = null;
  answer = "";
  bytes = 0;
  async createOffer() {
    return { type: "offer", sdp: "v=0 offer" };
  }
  async setLocalDescription(d: { sdp: string }) {
    this.localDescription = d;
    this.dispatchEvent(new Event("negotiationneeded")); // as browsers do for the first transceivers
  }
  async setRemoteDescription(d: { sdp: string }) {
    this.answer = d.sdp;
  }
  async getStats() {
    return new Map([["T", { type: "transport", bytesReceived: this.bytes }]]);
  }
  close() {
    this.connectionState = "closed";
  }
  become(state: string) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

function room(status = 201) {
  const calls: { method: string; url: string; keepalive: boolean }[] = [];
  const box = { status };
  const call = (async (url: string | URL, init: RequestInit) => {
    calls.push({ method: init.method!, url: String(url), keepalive: init.keepalive ?? false });
    if (init.method === "DELETE") return new Response(null, { status: 200 });
    if (box.status === 0) throw new TypeError("refused");
    if (box.status !== 201) return new Response('{"code":"unauthorized"}', { status: box.status });
    const response = new Response("v=0 answer", { status: 201, headers: { Location: `s/${calls.length}`, ETag: '"e1"' } });
    Object.defineProperty(response, "url", { value: "https://box.test/whep" });
    return response;
  }) as typeof fetch;
  const peers: FakePeer[] = [];
  const states: LegState[] = [];
  const leg = new Leg({
    url: "/whep",
    token: "t",
    prepare: () => {},
    onState: (state) => states.push(state),
    call,
    connect: () => {
      peers.push(new FakePeer());
      return peers.at(-1) as unknown as RTCPeerConnection;
    },
    random: () => 0,
  });
  const posts = () => calls.filter((c) => c.method === "POST").length;
  const deletes = () => calls.filter((c) => c.method === "DELETE").map((c) => c.url);
  return { leg, peers, states, calls, posts, deletes, box };
}

const settle = (ms = 1) => vi.advanceTimersByTimeAsync(ms);

test("the answer's Location is absolute, its ETag kept", async () => {
  const response = new Response("sdp", { status: 201, headers: { Location: "/whip/77", ETag: '"x"' } });
  Object.defineProperty(response, "url", { value: "https://box.test/whip" });
  const answer = await exchange((async () => response) as unknown as typeof fetch, "/whip", "t", "offer");
  expect(answer).toEqual({ sdp: "sdp", location: "https://box.test/whip/77", etag: '"x"' });
});

test("anything but 201 is refused with its problem code", async () => {
  const call = (async () => new Response('{"code":"busy"}', { status: 503, headers: { "Retry-After": "3" } })) as unknown as typeof fetch;
  await expect(exchange(call, "/whip", "t", "offer")).rejects.toMatchObject({ code: "busy", retryAfter: 3 });
});

test("gathering is waited for, but not for ever", async () => {
  const peer = new FakePeer();
  peer.iceGatheringState = "gathering";
  const done = vi.fn();
  void gathered(peer as unknown as RTCPeerConnection, 500).then(done);
  await settle(400);
  expect(done).not.toHaveBeenCalled();
  await settle(200);
  expect(done).toHaveBeenCalled();
});

test("a connection stands, is stopped, and says so to the box", async () => {
  const { leg, peers, states, calls } = room();
  leg.start();
  await settle();
  peers[0]!.become("connected");
  expect(states).toEqual(["connecting", "connected"]);
  expect(peers[0]!.answer).toBe("v=0 answer");
  leg.stop();
  expect(peers[0]!.connectionState).toBe("closed");
  expect(calls.at(-1)).toEqual({ method: "DELETE", url: "https://box.test/s/1", keepalive: true });
  expect(leg.state).toBe("off");
  await settle(60_000);
  expect(peers).toHaveLength(1);
});

test("a failed connection is made again, from nothing", async () => {
  const { leg, peers, posts, deletes } = room();
  leg.start();
  await settle();
  peers[0]!.become("connected");
  peers[0]!.become("failed");
  await settle(310);
  expect(peers).toHaveLength(2);
  expect(posts()).toBe(2);
  expect(deletes()).toEqual(["https://box.test/s/1"]);
  peers[1]!.become("connected");
  expect(leg.connections).toBe(2);
  leg.stop();
});

test("a short disconnection is waited out, a longer one is not", async () => {
  const { leg, peers } = room();
  leg.start();
  await settle();
  peers[0]!.become("connected");
  peers[0]!.become("disconnected");
  await settle(2000);
  peers[0]!.become("connected");
  await settle(10_000);
  expect(peers).toHaveLength(1);
  peers[0]!.become("disconnected");
  await settle(3400);
  expect(peers).toHaveLength(2);
  leg.stop();
});

test("a box that is away is tried until it is back; a refused token more slowly", async () => {
  const { leg, peers, posts, states, box } = room(0);
  leg.start();
  await settle(1000);
  expect(posts()).toBeGreaterThan(2);
  box.status = 401;
  await settle(310);
  const before = posts();
  expect(states.at(-1)).toBe("refused");
  await settle(9000);
  expect(posts()).toBe(before);
  box.status = 201;
  await settle(1100);
  peers.at(-1)!.become("connected");
  expect(leg.state).toBe("connected");
  leg.stop();
});

test("a connection that never stands is given up", async () => {
  const { leg, peers } = room();
  leg.start();
  await settle(11_000);
  expect(peers.length).toBeGreaterThan(1);
  leg.stop();
});

test("probe keeps a living connection and replaces a dead one", async () => {
  const { leg, peers } = room();
  leg.start();
  await settle();
  peers[0]!.become("connected");
  const alive = leg.probe();
  await settle(100);
  peers[0]!.bytes = 900;
  await settle(3000);
  await alive;
  expect(peers).toHaveLength(1);
  const dead = leg.probe();
  await settle(3000);
  await dead;
  await settle(310);
  expect(peers).toHaveLength(2);
  leg.stop();
});

test("only a wish to renegotiate after the answer counts", async () => {
  const { leg, peers } = room();
  leg.start();
  await settle();
  expect(leg.negotiations).toBe(0);
  peers[0]!.dispatchEvent(new Event("negotiationneeded"));
  expect(leg.negotiations).toBe(1);
  leg.stop();
});

test("stopped by the box: no DELETE", async () => {
  const { leg, peers, deletes } = room();
  leg.start();
  await settle();
  peers[0]!.become("connected");
  leg.stop(false);
  expect(deletes()).toEqual([]);
});
