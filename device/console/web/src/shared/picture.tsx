import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Player, SlotName } from "./whep";

const POLL = 500; // ms
const STALL = 2500; // ms without a new frame after which a picture is called frozen

/** Whether new frames arrive in a slot; a frozen picture must not look like a live one. */
export function useFlow(player: Player | null, slot: SlotName): boolean {
  const [flows, setFlows] = useState(false);
  useEffect(() => {
    let frames = 0;
    let last = 0;
    let alive = true;
    const timer = setInterval(async () => {
      const count = (await player?.frames(slot)) ?? 0;
      if (!alive) return;
      if (count > frames) last = performance.now();
      frames = count;
      setFlows(last > 0 && performance.now() - last < STALL);
    }, POLL);
    return () => {
      alive = false;
      clearInterval(timer);
    };
  }, [player, slot]);
  return flows;
}

interface PictureProps {
  player: Player | null;
  slot: SlotName;
  /** Changes when the player has new streams. */
  generation: number;
  label: string;
  /** What stands there while no frames arrive. */
  slate: ComponentChildren;
  /** The slate stands there whatever arrived last: nothing is shown now. */
  closed?: boolean;
  class?: string;
}

/** A picture slot. Without fresh frames it shows a neutral slate, never the last frame. */
export function Picture({ player, slot, generation, label, slate, closed = false, ...rest }: PictureProps) {
  const video = useRef<HTMLVideoElement>(null);
  const flows = useFlow(player, slot);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.muted = true; // the attribute alone is not enough for autoplay; sound has its own elements
    element.srcObject = player?.stream(slot) ?? null;
    element.play().catch(() => {
      // replaced by a newer stream before it could begin
    });
  }, [player, slot, generation]);
  return (
    <div class={`picture ${rest.class ?? ""}`} data-slot={slot} data-flows={flows}>
      <video ref={video} aria-label={label} muted autoplay playsInline disablePictureInPicture />
      {(closed || !flows) && <div class="slate">{slate}</div>}
    </div>
  );
}
