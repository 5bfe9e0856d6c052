import { useLayoutEffect, useRef } from "preact/hooks";

/** How far something is, in percent: a bar that moves, and a number for those who do not see it. */
export function Progress({ label, percent, text }: { label: string; percent: number; text: string }) {
  const bar = useRef<HTMLDivElement>(null);
  const at = Math.min(Math.max(Math.round(percent), 0), 100);
  useLayoutEffect(() => {
    if (bar.current) bar.current.style.transform = `scaleX(${at / 100})`;
  }, [at]);
  return (
    <div class="progress-line">
      <div class="progress" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={at} aria-valuetext={text}>
        <div class="progress-bar" ref={bar} />
      </div>
      <span class="progress-text" aria-hidden="true">
        {text}
      </span>
    </div>
  );
}
