import { useRef } from "preact/hooks";
import type { Sender } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { duration } from "../shared/time";
import type { Speaker, View } from "../shared/types";
import { Button, OriginMark } from "../shared/ui";
import { useTexts } from "../texts";
import { useKeptFocus } from "./focus";

/** Who has the word now, for how long, and whether the microphone is really open. */
export function Speakers({ view, now, send }: { view: View; now: number; send: Sender["send"] }) {
  const texts = useTexts();
  const root = useRef<HTMLElement>(null);
  useKeptFocus(root);
  const counted = view.speakers.filter((s) => !s.chair).length;
  return (
    <section class="speakers" aria-labelledby="speakers-title" ref={root}>
      <div class="section-head">
        <h2 id="speakers-title" class="section-title" data-rest tabIndex={-1}>
          {texts.panel.speakers}
        </h2>
        <span class="count">
          <span aria-hidden="true">{texts.panel.limit(counted, view.limit)}</span>
          <span class="kern-sr-only">{texts.panel.limitLabel(counted, view.limit)}</span>
        </span>
      </div>
      {view.speakers.length === 0 && <p class="nobody">{texts.panel.nobody}</p>}
      <ul class="rows" role="list">
        {view.speakers.map((speaker) => (
          <Row key={speaker.grant} speaker={speaker} silenced={view.silenced && !speaker.chair} now={now} send={send} />
        ))}
      </ul>
    </section>
  );
}

function Row({ speaker, silenced, now, send }: { speaker: Speaker; silenced: boolean; now: number; send: Sender["send"] }) {
  const texts = useTexts();
  const { person, name } = speaker;
  const mic = silenced ? "silenced" : speaker.mic;
  return (
    <li class={`row speaker speaker-${mic}`} data-row={speaker.grant} data-person={person}>
      <span class="mic-mark">
        <Icon name={silenced ? "micOff" : "mic"} large />
        <span aria-hidden="true">{texts.micShort[mic]}</span>
        <span class="kern-sr-only">{texts.mic[mic]}</span>
      </span>
      <div class="who">
        <span class="name">{name}</span>
        <span class="about">
          {speaker.chair ? <span>{texts.role.chair}</span> : <OriginMark origin={speaker.origin} seat={speaker.seat} />}
        </span>
      </div>
      <span class="running" aria-label={texts.panel.speaks(duration(now - Date.parse(speaker.since)))} role="timer">
        {duration(now - Date.parse(speaker.since))}
      </span>
      <Button kind="secondary" label={texts.panel.withdrawFrom(name)} action="withdraw" onClick={() => void send("withdraw", { person })}>
        {texts.panel.withdraw}
      </Button>
    </li>
  );
}
