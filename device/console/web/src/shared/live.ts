import { problem } from "./api";
import { Backoff, pause } from "./backoff";
import { StreamParser } from "./sse";
import type { GoneCode, View } from "./types";

/** What a page knows at this moment. */
export interface LiveState {
  /** The last view of the sitting; kept while the connection is broken. */
  view: View | null;
  /** The connection is broken or silent: the view may be out of date. */
  stale: boolean;
  /** Set when the page is finished until the person acts. */
  end: GoneCode | "unauthorized" | null;
  /** Box time minus this machine's time, ms. */
  offset: number;
  /** How often a snapshot came; grows with every reconnection. */
  snapshots: number;
}

/** Applies a change to a view: it holds only the top-level keys that changed. Older changes are dropped. */
export function merge(view: View | null, change: Partial<View>): View | null {
  if (view === null) return null; // nothing to change yet: the snapshot comes first
  if (change.seq !== undefined && change.seq < view.seq) return view;
  return { ...view, ...change };
}

export interface LiveOptions {
  token: string;
  call?: typeof fetch;
  clock?: () => number;
  random?: () => number;
}

const SILENCE = 15_000; // ms without a byte; the box beats every 10 s
const GRACE = 2_000; // ms a broken connection may take to come back before the page says so
const REFUSED_WAIT = 10_000; // ms between attempts with a token that the box does not know

/**
 * Follows the sitting: one snapshot, then changes, over fetch (EventSource cannot send the bearer token). It
 * reconnects for ever by itself, except when the box ended the stream on purpose.
 */
export class Live {
  state: LiveState = { view: null, stale: false, end: null, offset: 0, snapshots: 0 };
  readonly #listeners = new Set<() => void>();
  readonly #backoff: Backoff;
  #run: AbortController | null = null;
  #wait: AbortController | null = null;
  #grace: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: LiveOptions) {
    this.#backoff = new Backoff(300, 5000, options.random);
  }

  /** Calls back after every change of state; returns the way to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins, or begins again after an end. */
  start(): void {
    this.stop();
    this.#set({ end: null, stale: false });
    const run = new AbortController();
    this.#run = run;
    void this.#loop(run.signal);
  }

  stop(): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#run?.abort();
    this.#run = null;
  }

  /** Tries at once instead of waiting out the backoff: the network came back, or the page was shown again. */
  hurry(): void {
    this.#wait?.abort();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#follow(signal);
      if (signal.aborted) return;
      if (this.state.end === "replaced" || this.state.end === "revoked") return;
      this.#broken();
      this.#wait = new AbortController();
      const wait = AbortSignal.any([signal, this.#wait.signal]);
      await pause(this.state.end === "unauthorized" ? REFUSED_WAIT : this.#backoff.next(), wait);
    }
  }

  /** One connection, until it ends for whatever reason. */
  async #follow(signal: AbortSignal): Promise<void> {
    const hangUp = new AbortController();
    let silence = setTimeout(() => hangUp.abort(), SILENCE);
    try {
      const call = this.options.call ?? fetch;
      const response = await call("/api/v1/events", {
        headers: { Authorization: `Bearer ${this.options.token}`, Accept: "text/event-stream" },
        cache: "no-store",
        signal: AbortSignal.any([signal, hangUp.signal]),
      });
      if (!response.ok || response.body === null) {
        const refused = await problem(response);
        if (refused.status === 401 || refused.status === 403) this.#set({ end: "unauthorized" });
        return;
      }
      const parser = new StreamParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => hangUp.abort(), SILENCE);
        for (const event of parser.push(value)) this.#take(event.type, event.data);
      }
    } catch {
      // broken, silent or stopped: the loop decides what comes next
    } finally {
      clearTimeout(silence);
      // Silence is already the proof that the page is out of date.
      if (hangUp.signal.aborted && !signal.aborted) this.#set({ stale: this.state.view !== null });
      hangUp.abort();
    }
  }

  #take(type: string, data: string): void {
    switch (type) {
      case "snapshot": {
        const view = JSON.parse(data) as View;
        this.#backoff.reset();
        clearTimeout(this.#grace);
        this.#grace = undefined;
        this.#set({ view, stale: false, end: null, offset: this.#offset(view.now), snapshots: this.state.snapshots + 1 });
        break;
      }
      case "change":
        this.#set({ view: merge(this.state.view, JSON.parse(data) as Partial<View>) });
        break;
      case "gone": {
        const { code } = JSON.parse(data) as { code: GoneCode };
        // "closing" is a restart of the box: it comes back by itself.
        if (code !== "closing") this.#set({ end: code });
        break;
      }
    }
  }

  #offset(now: string): number {
    return Date.parse(now) - (this.options.clock ?? Date.now)();
  }

  #broken(): void {
    this.#grace ??= setTimeout(() => this.#set({ stale: this.state.view !== null }), GRACE);
  }

  #set(part: Partial<LiveState>): void {
    this.state = { ...this.state, ...part };
    for (const listener of this.#listeners) listener();
  }
}
