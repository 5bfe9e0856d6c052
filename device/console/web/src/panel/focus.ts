import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Place {
  row: string;
  action: string;
  index: number;
}

/**
 * Keeps the keyboard's place in a list whose rows come, go and move under it: on the same row if it is still there,
 * else on the row that took its place, else on the element marked data-rest.
 */
export function useKeptFocus(list: RefObject<HTMLElement | null>): void {
  const last = useRef<Place | null>(null);
  useLayoutEffect(() => {
    const root = list.current;
    if (!root) return;
    const remember = (event: FocusEvent) => {
      const button = event.target instanceof HTMLElement ? event.target : null;
      const row = button?.closest<HTMLElement>("[data-row]");
      if (!button?.dataset.action || !row) return void (last.current = null);
      const rows = [...root.querySelectorAll("[data-row]")];
      last.current = { row: row.dataset.row!, action: button.dataset.action, index: rows.indexOf(row) };
    };
    // Focus that goes to something else was moved by the person; focus that goes nowhere was lost with its row.
    const forget = (event: FocusEvent) => {
      if (event.relatedTarget !== null && !root.contains(event.relatedTarget as Node)) last.current = null;
    };
    root.addEventListener("focusin", remember);
    root.addEventListener("focusout", forget);
    return () => {
      root.removeEventListener("focusin", remember);
      root.removeEventListener("focusout", forget);
    };
  }, [list]);

  useLayoutEffect(() => {
    const root = list.current;
    const place = last.current;
    if (!root || !place || (document.activeElement !== document.body && document.activeElement !== null)) return;
    const rows = [...root.querySelectorAll<HTMLElement>("[data-row]")];
    const row = rows.find((r) => r.dataset.row === place.row) ?? rows[Math.min(place.index, rows.length - 1)];
    const button = row?.querySelector<HTMLElement>(`[data-action="${place.action}"]`) ?? row?.querySelector<HTMLElement>("[data-action]");
    (button ?? root.querySelector<HTMLElement>("[data-rest]"))?.focus();
  });
}

/** Puts the keyboard onto the element with this id when what had the focus inside the root went away. */
export function useFocusHome(root: RefObject<HTMLElement | null>, home: string): void {
  const last = useRef<Element | null>(null);
  useLayoutEffect(() => {
    const element = root.current;
    const remember = (event: FocusEvent) => void (last.current = event.target as Element);
    element?.addEventListener("focusin", remember);
    return () => element?.removeEventListener("focusin", remember);
  }, [root, root.current]);
  useLayoutEffect(() => {
    const lost = last.current !== null && !last.current.isConnected;
    if (lost && (document.activeElement === document.body || document.activeElement === null)) document.getElementById(home)?.focus();
    if (lost) last.current = null;
  });
}
