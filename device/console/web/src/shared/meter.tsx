import { useEffect, useRef } from "preact/hooks";

const INTERVAL = 66; // ms between two readings

/** A level meter (EN 301 549, 6.5.5): shows at once that there is sound. read returns 0..1. */
export function LevelMeter({ label, read, live = false }: { label: string; read: () => number; live?: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let shown = 0;
    let beats = 0;
    const timer = setInterval(() => {
      shown = Math.max(read(), shown * 0.8); // falls slower than it rises
      if (bar.current) bar.current.style.transform = `scaleX(${shown.toFixed(3)})`;
      // Assistive technology gets it once a second, not fifteen times.
      if (beats++ % 15 === 0) root.current?.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
    }, INTERVAL);
    return () => clearInterval(timer);
  }, [read]);
  return (
    <div class={live ? "meter meter-live" : "meter"} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0} ref={root}>
      <div class="meter-bar" ref={bar} />
    </div>
  );
}
