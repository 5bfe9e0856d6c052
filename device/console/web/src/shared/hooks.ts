import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Api, ApiError } from "./api";
import { Live, type LiveState } from "./live";
import { RepeatGuard } from "./repeat";
import type { CommandName, Commands } from "./types";

/** Follows the sitting with a token for as long as the component lives. */
export function useLive(token: string): { live: Live; state: LiveState } {
  const [live] = useState(() => new Live({ token }));
  const [state, setState] = useState(live.state);
  useEffect(() => {
    const stop = live.subscribe(() => setState(live.state));
    const hurry = () => live.hurry();
    const shown = () => document.visibilityState === "visible" && live.hurry();
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", shown);
    live.start();
    return () => {
      removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", shown);
      stop();
      live.stop();
    };
  }, [live]);
  return { live, state };
}

/** The time on the box's clock in ms, drawn again at every full second of that clock. */
export function useNow(offset: number): number {
  const [now, setNow] = useState(() => Date.now() + offset);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const tick = () => {
      const at = Date.now() + offset;
      setNow(at);
      timer = setTimeout(tick, 1005 - (at % 1000));
    };
    tick();
    return () => clearTimeout(timer);
  }, [offset]);
  return now;
}

export interface Sender {
  /** Sends a command; not when the press was a double tap, or while the same command is under way. */
  send: <N extends CommandName>(name: N, body: Commands[N]) => Promise<boolean>;
  /** The problem code of the last command that failed. */
  error: string | null;
  dismiss: () => void;
}

/** Sends commands and keeps the last refusal for the page to show. */
export function useCommands(api: Api): Sender {
  const [error, setError] = useState<string | null>(null);
  const underWay = useRef(new Set<string>());
  const [guard] = useState(() => new RepeatGuard());
  useEffect(() => {
    const press = (event: MouseEvent) => guard.press(event);
    const key = (event: KeyboardEvent) => guard.key(event);
    addEventListener("click", press, true); // before any button hears of it
    addEventListener("keydown", key, true);
    return () => {
      removeEventListener("click", press, true);
      removeEventListener("keydown", key, true);
    };
  }, [guard]);
  const send = useCallback(
    async <N extends CommandName>(name: N, body: Commands[N]) => {
      const key = name + JSON.stringify(body);
      if (guard.repeated || underWay.current.has(key)) return false;
      underWay.current.add(key);
      setError(null);
      try {
        await api.command(name, body);
        return true;
      } catch (problem) {
        setError(problem instanceof ApiError ? problem.code : "internal");
        return false;
      } finally {
        underWay.current.delete(key);
      }
    },
    [api, guard],
  );
  return { send, error, dismiss: useCallback(() => setError(null), []) };
}

/** The value of the render before this one. */
export function usePrevious<T>(value: T): T | undefined {
  const ref = useRef<T | undefined>(undefined);
  const before = ref.current;
  useEffect(() => {
    ref.current = value;
  });
  return before;
}
