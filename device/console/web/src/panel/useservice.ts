import { useCallback, useEffect, useState } from "preact/hooks";
import { type Api, ApiError } from "../shared/api";
import { poll } from "../shared/poll";
import type { OrderName, Orders, ServiceView } from "../shared/service";

const NEAR = 1000; // ms between two looks while somebody looks, or something is under way
const FAR = 5000; // ms else

/** The technician's room as the panel knows it. */
export interface Service {
  /** Null: not known yet. */
  view: ServiceView | null;
  /** There is one: this box is an appliance. */
  there: boolean;
  /** The view is up to date. */
  fresh: boolean;
  /** Orders something; ends with an ApiError when the box refuses. */
  order: <N extends OrderName>(name: N, body: Orders[N]) => Promise<void>;
}

/** Whether something goes on of which the next moment matters. */
export function isBusy(view: ServiceView | null): boolean {
  return view !== null && (view.update.state === "installing" || view.update.state === "rebooting" || view.diagnosis.state === "writing");
}

/**
 * Asks for the technician's room again and again; the last answer stays when that fails. Near: somebody looks at it.
 * After an update the box brings new pages: this one loads them by itself.
 */
export function useService(api: Api, near: boolean): Service {
  const [view, setView] = useState<ServiceView | null>(null);
  const [there, setThere] = useState(true);
  const [fresh, setFresh] = useState(true);
  const every = near || isBusy(view) ? NEAR : FAR;
  useEffect(() => {
    if (!there) return;
    const stop = new AbortController();
    const look = (signal: AbortSignal) =>
      api.service(signal).catch((problem: unknown) => {
        if (problem instanceof ApiError && problem.code === "not_appliance") setThere(false);
        throw problem;
      });
    const tell = (answer: ServiceView | null) => {
      setFresh(answer !== null);
      if (answer !== null) setView(answer);
    };
    void poll(look, every, tell, stop.signal);
    return () => stop.abort();
  }, [api, every, there]);
  useNewPages(view?.release.version);
  const order = useCallback(
    async <N extends OrderName>(name: N, body: Orders[N]) => {
      setView(await api.order(name, body));
      setFresh(true);
    },
    [api],
  );
  return { view, there: there && view !== null, fresh, order };
}

function useNewPages(version: string | undefined): void {
  const [first, setFirst] = useState<string | undefined>(undefined);
  useEffect(() => {
    if (version === undefined) return;
    if (first === undefined) setFirst(version);
    else if (version !== first) location.reload();
  }, [version, first]);
}
