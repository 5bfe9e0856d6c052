import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Picture } from "../shared/picture";
import type { View } from "../shared/types";
import { Button } from "../shared/ui";
import type { SlotName } from "../shared/whep";
import { type Texts, useTexts } from "../texts";
import type { Room } from "./room";

/** Who stands in the word slot, in words. */
export function wordCaption(texts: Texts, view: View): string {
  const { word } = view;
  if (word.kind === "remote") return word.name ?? texts.origin.remote;
  const at = view.speakers.find((s) => s.seat !== undefined && s.seat === word.seat);
  if (word.kind === "seat" && word.seat) return [word.name ?? at?.name, texts.origin.seat(word.seat)].filter(Boolean).join(", ");
  return texts.member.hall;
}

/** Why there is no picture: the box sends none but in an open sitting. */
export function slateText(texts: Texts, phase: View["phase"], connected: boolean): string {
  const t = texts.member;
  if (phase === "open") return connected ? t.noPicture : t.pictureWaits;
  return phase === "ready" ? t.slateReady : t.slateClosed;
}

/** The two pictures of the sitting: who speaks, large, and the hall; they can be swapped. Children stand beside the small one. */
export function Stage({ view, room, children }: { view: View; room: Room; children: ComponentChildren }) {
  const texts = useTexts();
  const t = texts.member;
  const [swapped, setSwapped] = useState(false);
  const closed = view.phase !== "open";
  const slate = slateText(texts, view.phase, room.plays === "connected");
  const picture = (slot: SlotName, caption: string, large: boolean) => (
    <figure key={slot} class={large ? "frame frame-large" : "frame frame-small"}>
      <Picture player={room.player} slot={slot} generation={room.generation} label={caption} slate={large || !closed ? slate : texts.phase[view.phase]} closed={closed} />
      <figcaption>{caption}</figcaption>
    </figure>
  );
  return (
    <section class="stage" aria-label={t.stage}>
      {picture("video.word", wordCaption(texts, view), !swapped)}
      {picture("video.hall", t.hall, swapped)}
      <div class="beside">
        {children}
        <Button kind="tertiary" icon="swap" action="swap" onClick={() => setSwapped(!swapped)}>
          {t.swap}
        </Button>
      </div>
    </section>
  );
}
