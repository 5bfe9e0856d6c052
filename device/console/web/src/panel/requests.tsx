import { useRef } from "preact/hooks";
import type { Sender } from "../shared/hooks";
import { timesOfDay, duration } from "../shared/time";
import type { Request, View } from "../shared/types";
import { Button, IconButton, OriginMark } from "../shared/ui";
import { type Texts, useTexts } from "../texts";
import { ALARM_NOTE, AlarmNote } from "./alarm";
import { useKeptFocus } from "./focus";

const FRESH = 6000; // ms for which a new request is marked

/** The list of speakers (Rednerliste) with what the chair can do to each request. */
export function Requests({ view, now, send }: { view: View; now: number; send: Sender["send"] }) {
  const texts = useTexts();
  const root = useRef<HTMLDivElement>(null);
  useKeptFocus(root);
  const times = timesOfDay(view.requests.map((r) => r.at));
  return (
    <div ref={root}>
      <AlarmNote alarm={view.alarm} />
      {view.requests.length === 0 && (
        <div class="empty" data-rest tabIndex={-1}>
          <p class="empty-title">{texts.panel.empty}</p>
          <p>{view.phase === "open" ? texts.panel.emptyHint : texts.panel.emptyReady}</p>
        </div>
      )}
      <ol class="rows" role="list" aria-label={texts.panel.tabs.list}>
        {view.requests.map((request, index) => (
          <Row key={request.id} request={request} index={index} count={view.requests.length} time={times[index]!} now={now} alarm={view.alarm !== null} send={send} />
        ))}
      </ol>
    </div>
  );
}

interface RowProps {
  request: Request;
  index: number;
  count: number;
  time: string;
  now: number;
  alarm: boolean;
  send: Sender["send"];
}

function Row({ request, index, count, time, now, alarm, send }: RowProps) {
  const texts = useTexts();
  const { person, name } = request;
  const waited = now - Date.parse(request.at);
  return (
    <li class={waited < FRESH ? "row request fresh" : "row request"} data-row={request.id} data-person={person}>
      <span class="position">{index + 1}</span>
      <div class="who">
        <span class="name">{name}</span>
        <span class="about">
          <OriginMark origin={request.origin} seat={request.seat} />
          {request.group && <span>{request.group}</span>}
          <Notes request={request} texts={texts} />
        </span>
      </div>
      <div class="when">
        <time class="at" dateTime={request.at} title={texts.panel.at(time)}>
          {time}
        </time>
        <span class="waits">{texts.panel.waits(duration(waited))}</span>
      </div>
      <div class="row-actions">
        <Button
          kind="primary"
          label={texts.panel.grantTo(name)}
          action="grant"
          disabled={alarm}
          describedBy={alarm ? ALARM_NOTE : undefined}
          onClick={() => void send("grant", { person })}
        >
          {texts.panel.grant}
        </Button>
        <IconButton icon="up" label={texts.panel.up(name)} action="up" disabled={index === 0} onClick={() => void send("move", { person, index: index - 1 })} />
        <IconButton
          icon="down"
          label={texts.panel.down(name)}
          action="down"
          disabled={index === count - 1}
          onClick={() => void send("move", { person, index: index + 1 })}
        />
        <Button kind="tertiary" label={texts.panel.refuseTo(name)} action="refuse" onClick={() => void send("refuse", { person })}>
          {texts.panel.refuse}
        </Button>
      </div>
    </li>
  );
}

function Notes({ request, texts }: { request: Request; texts: Texts }) {
  const by = request.entered_by;
  return (
    <>
      {request.failed && <span class="note note-bad">{texts.panel.micFailed}</span>}
      {request.moved && <span class="note">{texts.panel.moved}</span>}
      {by && <span class="note">{texts.panel.enteredBy(by in texts.role ? texts.role[by as keyof Texts["role"]] : by)}</span>}
    </>
  );
}
