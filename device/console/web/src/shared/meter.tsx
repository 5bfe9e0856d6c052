import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Meter } from "./media";

const INTERVAL = 66; // ms between two readings

/** A level meter (EN 301 549, 6.5.5): shows at once that there is sound in one of the streams. */
export function LevelMeter({ label, streams, live = false }: { label: string; streams: readonly MediaStream[]; live?: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const read = useLevel(streams);
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

function useLevel(streams: readonly MediaStream[]): () => number {
  const [meter] = useState(() => new Meter());
  const ids = streams.map((stream) => stream.id).join();
  useEffect(() => {
    meter.attach(...streams);
    const resume = () => meter.resume();
    addEventListener("pointerdown", resume);
    addEventListener("keydown", resume);
    return () => {
      removeEventListener("pointerdown", resume);
      removeEventListener("keydown", resume);
      meter.close();
    };
  }, [meter, ids]);
  return useCallback(() => meter.level(), [meter]);
}
