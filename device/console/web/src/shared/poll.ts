import { pause } from "./backoff";

/** Calls, tells the answer (null when it failed), waits so many ms and calls again, until the signal ends it. */
export async function poll<T>(call: (signal: AbortSignal) => Promise<T>, every: number, tell: (answer: T | null) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const answer = await call(signal).catch(() => null);
    if (signal.aborted) return;
    tell(answer);
    await pause(every, signal);
  }
}
