import { useEffect, useState } from "preact/hooks";
import { type Sender, usePrevious } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { duration } from "../shared/time";
import type { View } from "../shared/types";
import { Announcer, Button } from "../shared/ui";
import type { Room } from "./room";
import { type Texts, useTexts } from "../texts";

interface WordProps {
  view: View;
  room: Room;
  now: number;
  send: Sender["send"];
}

/** The banner of somebody who has the word, and the announcements about one's own turn. */
export function Word({ view, room, now, send }: WordProps) {
  const texts = useTexts();
  const t = texts.member;
  const speaker = view.speakers.find((s) => s.person === view.me.id);
  const silenced = view.silenced && !speaker?.chair;
  const muted = room.captured.stream.getAudioTracks().length === 0;
  const hint = muted ? t.youNoMic : silenced ? t.youSilenced : speaker?.mic === "opening" ? t.youOpening : t.youSpeakHint;
  return (
    <>
      <Turn view={view} />
      {speaker && (
        <section class={muted ? "my-word my-word-mute" : silenced ? "my-word my-word-held" : "my-word"} aria-labelledby="my-word-title">
          <Icon name={muted || silenced ? "micOff" : "mic"} large />
          <div class="my-word-text">
            <h2 id="my-word-title">{t.youSpeak}</h2>
            <p role="status">{hint}</p>
          </div>
          <span class="my-word-time" role="timer" aria-label={`${t.spokenFor} ${duration(now - Date.parse(speaker.since))}`}>
            {duration(now - Date.parse(speaker.since))}
          </span>
          <Button kind="primary" icon="check" action="yield" onClick={() => void send("yield", {})}>
            {t.yield}
          </Button>
        </section>
      )}
    </>
  );
}

/** What changed for this person between two views: [urgent, polite]. */
export function turnNews(texts: Texts, before: View | undefined, view: View): [string, string] {
  if (!before) return ["", ""];
  const me = view.me.id;
  const t = texts.member;
  const spoke = before.speakers.some((s) => s.person === me);
  const speaks = view.speakers.some((s) => s.person === me);
  if (speaks && !spoke) return [`${t.youSpeak}. ${view.silenced ? t.youSilenced : t.youSpeakHint}`, ""];
  if (spoke && !speaks) return [t.wordEnded, ""];
  const was = before.requests.findIndex((r) => r.person === me);
  const is = view.requests.findIndex((r) => r.person === me);
  if (is >= 0 && is !== was) return ["", is === 0 ? t.nextUp : t.position(is + 1, view.requests.length)];
  if (was >= 0 && is < 0) return ["", t.refused];
  const others = view.speakers.filter((s) => !before.speakers.some((b) => b.grant === s.grant));
  return ["", others.length > 0 ? texts.speaking(others.map((s) => s.name).join(texts.and)) : ""];
}

function Turn({ view }: { view: View }) {
  const texts = useTexts();
  const before = usePrevious(view);
  const [urgent, setUrgent] = useState("");
  const [polite, setPolite] = useState("");
  useEffect(() => {
    const [now, later] = turnNews(texts, before, view);
    if (now) setUrgent(now);
    if (later) setPolite(later);
  }, [view]);
  return (
    <>
      <Announcer text={urgent} urgent />
      <Announcer text={polite} />
    </>
  );
}
