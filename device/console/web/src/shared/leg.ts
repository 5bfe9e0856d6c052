import { problem } from "./api";
import { Backoff, pause } from "./backoff";

/** How a media connection stands, in words a page can show. */
export type LegState = "off" | "connecting" | "connected" | "waiting" | "refused";

/** What the box answered to an offer (RFC 9725, section 4.2). */
export interface Answer {
  sdp: string;
  /** Absolute address of the session, for DELETE; null when the box named none. */
  location: string | null;
  etag: string | null;
}

/** Posts an offer and reads the answer. Throws ApiError when the box refuses, and TypeError without network. */
export async function exchange(call: typeof fetch, url: string, token: string, sdp: string, signal?: AbortSignal): Promise<Answer> {
  const response = await call(url, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/sdp", Accept: "application/sdp" },
    body: sdp,
    ...(signal ? { signal } : {}),
  });
  if (response.status !== 201) throw await problem(response);
  const location = response.headers.get("Location");
  return {
    sdp: await response.text(),
    // Relative to where the answer really came from: redirects have been followed by fetch.
    location: location === null ? null : new URL(location, response.url || new URL(url, document.baseURI)).href,
    etag: response.headers.get("ETag"),
  };
}

/** Ends a session at the box; keepalive lets it go out although the page is being left. */
export function release(call: typeof fetch, location: string, token: string): void {
  call(location, { method: "DELETE", headers: { Authorization: `Bearer ${token}` }, keepalive: true }).catch(() => {
    // The box notices a vanished peer by itself; this only makes it faster.
  });
}

/** Waits until all candidates are in the offer, but not longer than ms: the box has a fixed address and finds us. */
export function gathered(pc: RTCPeerConnection, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (pc.iceGatheringState === "complete") return resolve();
    const timer = setTimeout(resolve, ms);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

export interface LegOptions {
  url: string;
  token: string;
  /** Adds what this connection carries; runs once for every new RTCPeerConnection. */
  prepare: (pc: RTCPeerConnection) => void;
  onState?: (state: LegState) => void;
  call?: typeof fetch;
  connect?: () => RTCPeerConnection;
  random?: () => number;
}

const GATHER = 500; // ms; host candidates are there within a few
const CONNECT = 10_000; // ms from the offer to a connection that stands
const PATIENCE = 3_000; // ms a "disconnected" connection may take to recover by itself
const PROBE = 1_500; // ms in which a living connection receives something, if only RTCP
const REFUSED_WAIT = 10_000; // ms

/**
 * One media connection (WHIP or WHEP) that is made again, from nothing, whenever it fails, until it is stopped.
 * It never renegotiates: a change of speaker happens inside the slots.
 */
export class Leg {
  pc: RTCPeerConnection | null = null;
  state: LegState = "off";
  /** How often this connection asked for a renegotiation after its answer, over all attempts; stays 0. */
  negotiations = 0;
  /** How often a connection was made. */
  connections = 0;
  readonly #backoff: Backoff;
  readonly #call: typeof fetch;
  #run: AbortController | null = null;
  #broken: (() => void) | null = null;
  #location: string | null = null;

  constructor(private readonly options: LegOptions) {
    this.#backoff = new Backoff(300, 5000, options.random);
    this.#call = options.call ?? ((...args) => fetch(...args));
  }

  start(): void {
    if (this.#run) return;
    this.#run = new AbortController();
    void this.#loop(this.#run.signal);
  }

  /** Ends the connection, and the session at the box unless that has ended it already. */
  stop(tellBox = true): void {
    this.#run?.abort();
    this.#run = null;
    if (!tellBox) this.#location = null;
    this.#close();
    this.#set("off");
  }

  /** Makes a new connection now, without waiting for a time-out. */
  restart(): void {
    this.#broken?.();
  }

  /** Looks whether the connection still lives (the box may have been restarted) and makes a new one if not. */
  async probe(): Promise<void> {
    const pc = this.pc;
    if (pc === null || this.state !== "connected") return;
    const before = await received(pc);
    await pause(PROBE, this.#run?.signal);
    if (this.pc !== pc || pc.connectionState === "closed") return;
    if ((await received(pc)) === before) this.restart();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let refused = false;
      try {
        await this.#connect(signal);
      } catch (error) {
        refused = error instanceof Error && "status" in error && (error.status === 401 || error.status === 403);
      }
      if (signal.aborted) return;
      this.#close();
      this.#set(refused ? "refused" : "waiting");
      await pause(refused ? REFUSED_WAIT : this.#backoff.next(), signal);
    }
  }

  /** One connection from offer to end. */
  async #connect(signal: AbortSignal): Promise<void> {
    this.#set("connecting");
    const pc = this.options.connect?.() ?? new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.pc = pc;
    let answered = false;
    pc.addEventListener("negotiationneeded", () => {
      if (answered) this.negotiations++;
    });
    const ended = this.#watch(pc, signal);
    this.options.prepare(pc);
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc, GATHER);
    if (signal.aborted) return;
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(CONNECT)]);
    const answer = await exchange(this.#call, this.options.url, this.options.token, pc.localDescription!.sdp, timeout);
    if (signal.aborted) {
      if (answer.location) release(this.#call, answer.location, this.options.token);
      return;
    }
    this.#location = answer.location;
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    answered = true;
    await ended;
  }

  /** Resolves when the connection is of no more use. */
  #watch(pc: RTCPeerConnection, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let timer = setTimeout(resolve, CONNECT + GATHER);
      const changed = () => {
        clearTimeout(timer);
        if (pc.connectionState === "connected") {
          this.connections++;
          this.#backoff.reset();
          this.#set("connected");
        } else if (pc.connectionState === "failed" || pc.connectionState === "closed") {
          resolve();
        } else {
          if (this.state === "connected") this.#set("waiting");
          timer = setTimeout(resolve, pc.connectionState === "disconnected" ? PATIENCE : CONNECT);
        }
      };
      pc.addEventListener("connectionstatechange", changed);
      const end = () => {
        clearTimeout(timer);
        pc.removeEventListener("connectionstatechange", changed);
        resolve();
      };
      this.#broken = end;
      signal.addEventListener("abort", end);
    });
  }

  #close(): void {
    if (this.#location) release(this.#call, this.#location, this.options.token);
    this.#location = null;
    this.#broken = null;
    this.pc?.close();
    this.pc = null;
  }

  #set(state: LegState): void {
    if (this.state === state) return;
    this.state = state;
    this.options.onState?.(state);
  }
}

/** Bytes that came in on the transport, of whatever kind. */
async function received(pc: RTCPeerConnection): Promise<number> {
  let bytes = 0;
  for (const report of (await pc.getStats()).values()) {
    if (report.type === "transport") bytes += report.bytesReceived ?? 0;
  }
  return bytes;
}
