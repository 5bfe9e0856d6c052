import type { Sender } from "../shared/hooks";
import { Icon } from "../shared/icons";
import type { View } from "../shared/types";
import { useTexts } from "../texts";

/** Raising the hand and taking it down, with one's place in the list. */
export function Floor({ view, send }: { view: View; send: Sender["send"] }) {
  const texts = useTexts();
  const t = texts.member;
  const me = view.me.id;
  if (view.speakers.some((s) => s.person === me)) return null;
  const place = view.requests.findIndex((r) => r.person === me);
  const listed = place >= 0;
  const open = view.phase === "open";
  const hint = !open ? (view.phase === "closed" ? t.raiseClosed : t.raiseReady) : !listed ? t.raiseHint : place === 0 ? t.nextUp : t.position(place + 1, view.requests.length);
  return (
    <section class={listed ? "floor floor-listed" : "floor"} aria-labelledby="floor-hint">
      <p id="floor-hint" class="floor-hint">
        {listed && (
          <span class="floor-place" aria-hidden="true">
            {place + 1}
          </span>
        )}
        {hint}
      </p>
      {view.alarm && open && (
        <p id="floor-alarm" class="alarm-note">
          {t.mayRaise}
        </p>
      )}
      <button
        type="button"
        class={listed ? "big" : "big big-primary"}
        data-action={listed ? "lower" : "raise"}
        aria-disabled={!open || undefined}
        aria-describedby={view.alarm ? "floor-hint floor-alarm" : "floor-hint"}
        onClick={() => {
          if (open) void (listed ? send("lower", {}) : send("request", {}));
        }}
      >
        <Icon name={listed ? "close" : "hand"} large />
        <span class="big-text">
          <span class="big-title">{listed ? t.lower : t.raise}</span>
        </span>
      </button>
    </section>
  );
}
