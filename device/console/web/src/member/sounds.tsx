import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { LevelMeter } from "../shared/meter";
import { Icon } from "../shared/icons";
import { Button, Notice } from "../shared/ui";
import { useTexts } from "../texts";
import type { Room } from "./room";

/** Plays the hall and every remote voice; asks for one touch where the browser holds sound back. */
export function Sounds({ room }: { room: Room }) {
  const t = useTexts().member;
  const root = useRef<HTMLDivElement>(null);
  const [blocked, setBlocked] = useState(false);
  const { player, generation } = room;
  const slots = player?.names.filter((name) => name.startsWith("audio")) ?? [];

  const play = useCallback(() => {
    for (const element of root.current?.querySelectorAll("audio") ?? []) {
      element.play().then(
        () => setBlocked(false),
        (error: unknown) => error instanceof DOMException && error.name === "NotAllowedError" && setBlocked(true),
      );
    }
  }, []);

  useEffect(() => {
    for (const element of root.current?.querySelectorAll("audio") ?? []) {
      element.srcObject = player?.stream(element.dataset.slot as (typeof slots)[number]) ?? null;
    }
    play();
  }, [player, generation, play]);

  const streams = slots.map((name) => player?.stream(name) ?? null).filter((stream) => stream !== null);
  return (
    <div class="sounds" ref={root}>
      <span class="sounds-label">
        <Icon name="sound" />
        {t.hallLevel}
      </span>
      <LevelMeter label={t.hallLevel} streams={streams} />
      {slots.map((name) => (
        <audio key={name} data-slot={name} autoplay />
      ))}
      {blocked && (
        <div class="sound-blocked" role="alert">
          <Notice tone="warning" title={t.soundOff} />
          <Button kind="primary" icon="sound" action="sound-on" onClick={play}>
            {t.soundOn}
          </Button>
        </div>
      )}
    </div>
  );
}
