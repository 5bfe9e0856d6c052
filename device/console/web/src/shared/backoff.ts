/** Jittered, capped waiting times between attempts: never below min, at most max milliseconds. */
export class Backoff {
  #attempt = 0;

  constructor(
    private readonly min = 300,
    private readonly max = 5000,
    private readonly random: () => number = Math.random,
  ) {}

  /** The next waiting time in ms; its upper bound doubles with each call. */
  next(): number {
    const bound = Math.min(this.max, this.min * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 16);
    return Math.round(this.min + this.random() * (bound - this.min));
  }

  /** Start again from the shortest time; call it once the thing works. */
  reset(): void {
    this.#attempt = 0;
  }
}

/** Resolves after ms milliseconds, or at once when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}
