import { useEffect, useState } from "preact/hooks";
import { AlarmBanner } from "../shared/alarm";
import { Api } from "../shared/api";
import { useCommands, useLive, useNow } from "../shared/hooks";
import { Icon } from "../shared/icons";
import type { LiveState } from "../shared/live";
import { clock } from "../shared/time";
import type { View } from "../shared/types";
import { Alarms, Button, IconButton, LanguageSwitch, Notice, Plain } from "../shared/ui";
import { problemText, useTexts } from "../texts";
import { Floor } from "./floor";
import { OrderList } from "./list";
import { Own } from "./own";
import { Quality } from "./quality";
import { Room } from "./room";
import { Sounds } from "./sounds";
import { Stage } from "./stage";
import { Word } from "./word";

/** A remote member's page while the link is good. */
export function Member({ token }: { token: string }) {
  const texts = useTexts();
  const [api] = useState(() => new Api(token));
  const { live, state } = useLive(token);
  const room = useRoom(token, state, () => live.state.view);
  const { send, error, dismiss } = useCommands(api);
  const now = useNow(state.offset);
  const { view, end } = state;
  const speaks = view?.speakers.some((s) => s.person === view.me.id) ?? false;

  useEffect(() => {
    document.title = `${view?.alarm ? `${texts.alarm.title} – ` : ""}${speaks ? `● ${texts.member.youSpeak}` : texts.member.title} – ${view?.body ?? texts.product}`;
  }, [texts, speaks, view?.body, view?.alarm]);

  if (end !== null && end !== "closing") return <Ended end={end} onRetry={() => live.start()} />;
  if (view === null) return <Plain title={texts.loading} />;
  return (
    <div class={speaks ? "member member-speaks" : "member"}>
      <AlarmBanner alarm={view.alarm} hint={texts.alarm.nobody} />
      <TopLine view={view} now={now} />
      <Alarms stale={state.stale} recorded={view.recorded} />
      <main class="seat">
        <Word view={view} room={room} now={now} send={send} />
        <Stage view={view} room={room}>
          <Sounds room={room} />
          <Quality view={view} room={room} />
        </Stage>
        <div class="seat-side">
          <div class="refusal" role="alert">
            {error && (
              <div class="refusal-row">
                <Notice tone="danger" title={problemText(texts, error)} />
                <IconButton icon="close" label={texts.panel.dismiss} onClick={dismiss} />
              </div>
            )}
          </div>
          <Floor view={view} send={send} />
          <Own room={room} voice={!speaks ? "ready" : view.silenced ? "silenced" : "live"} />
          <OrderList view={view} now={now} />
        </div>
      </main>
    </div>
  );
}

function Ended({ end, onRetry }: { end: "replaced" | "revoked" | "unauthorized"; onRetry: () => void }) {
  const t = useTexts().member;
  const words = { replaced: t.replaced, revoked: t.revoked, unauthorized: t.badLink }[end];
  return (
    <Plain title={words.title} alert>
      <p class="kern-body">{words.body}</p>
      <Button kind="primary" action="retry" onClick={onRetry}>
        {end === "replaced" ? t.replaced.back : t.badLink.retry}
      </Button>
    </Plain>
  );
}

function TopLine({ view, now }: { view: View; now: number }) {
  const texts = useTexts();
  return (
    <header class="status">
      <h1 class="status-body">{view.body}</h1>
      <span class={`chip chip-${view.phase}`}>{texts.phase[view.phase]}</span>
      <span class={view.recorded ? "chip" : "chip chip-bad"}>
        <Icon name={view.recorded ? "check" : "warning"} />
        {view.recorded ? texts.recorded : texts.unrecorded.title}
      </span>
      <span class="status-end">
        <span class="status-me">{view.me.name}</span>
        <time class="clock">{clock(now)}</time>
        <LanguageSwitch />
      </span>
    </header>
  );
}

/** The member's media, alive exactly as long as the box takes this page as the member's one. */
function useRoom(token: string, state: LiveState, view: () => View | null): Room {
  const [room] = useState(() => new Room(token));
  const [, redraw] = useState(0);
  const voices = state.view?.media.voices;
  const ended = state.end !== null && state.end !== "closing";

  useEffect(() => {
    const stop = room.subscribe(() => redraw((n) => n + 1));
    window.__plenum = room.diagnosis(view);
    const leave = () => room.close(true);
    // A page that comes back out of the browser's cache has lost its connections.
    const back = (event: PageTransitionEvent) => event.persisted && location.reload();
    addEventListener("pagehide", leave);
    addEventListener("pageshow", back);
    return () => {
      removeEventListener("pagehide", leave);
      removeEventListener("pageshow", back);
      stop();
      room.close(true);
    };
  }, [room]);

  useEffect(() => {
    if (ended) room.close(false);
    else if (voices !== undefined) room.open(voices);
  }, [room, ended, voices]);

  // A second snapshot means that the box was away; its media room may have forgotten us.
  useEffect(() => {
    if (state.snapshots > 1) room.probe();
  }, [room, state.snapshots]);
  return room;
}
