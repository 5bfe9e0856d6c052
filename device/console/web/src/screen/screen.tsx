import { useEffect, useState } from "preact/hooks";
import type { Diagnosis } from "../shared/diagnosis";
import { Icon } from "../shared/icons";
import { Picture } from "../shared/picture";
import { clock, moment } from "../shared/time";
import type { Alarm, Speaker, View } from "../shared/types";
import { originText } from "../shared/ui";
import { Player } from "../shared/whep";
import { otherTexts, type Texts, useTexts } from "../texts";

const SHOWN = 4; // waiting people that are named

/** A page of one sentence, in place of anything that may not be true any more. */
export function Slate({ title, hint }: { title: string; hint?: string }) {
  return (
    <main class="screen screen-slate">
      <div role="alert">
        <h1>{title}</h1>
        {hint && <p>{hint}</p>}
      </div>
    </main>
  );
}

interface ScreenProps {
  token: string;
  view: View;
  now: number;
  stale: boolean;
  snapshots: number;
  current: () => View | null;
}

export function Screen({ token, view, now, stale, snapshots, current }: ScreenProps) {
  const texts = useTexts();
  const { player, generation } = usePlayer(token, snapshots, current);
  if (view.alarm) return <AlarmScreen alarm={view.alarm} stale={stale} />;
  const remote = view.word.kind === "remote";
  return (
    <div class={remote ? "screen screen-video" : "screen"}>
      <header class="screen-top">
        <h1>{view.body}</h1>
        <time class="screen-clock">{clock(now)}</time>
      </header>
      <div class="screen-alarm" role="alert">
        {!view.recorded && (
          <p class="screen-unrecorded">
            <Icon name="warning" large />
            {texts.unrecorded.title}
          </p>
        )}
      </div>
      <main class="screen-main">
        {remote && <Picture player={player} slot="video.word" generation={generation} label={view.word.name ?? texts.screen.byVideo} slate={texts.screen.noPicture} class="screen-picture" />}
        <div class="screen-who" aria-live="polite">
          <Speaking view={view} texts={texts} />
        </div>
      </main>
      <Next view={view} texts={texts} />
    </div>
  );
}

/** The alarm fills the screen; nobody can choose a language there, so it says it in both. */
function AlarmScreen({ alarm, stale }: { alarm: Alarm; stale: boolean }) {
  const texts = useTexts();
  const other = otherTexts(texts);
  return (
    <main class="screen screen-alarmed">
      <div role="alert">
        <h1>
          <Icon name="warning" large />
          {texts.alarm.title}
        </h1>
        <p class="screen-rests">{texts.alarm.rests}</p>
        <p class="screen-follow">{texts.alarm.follow}</p>
        <p class="screen-other" lang={other.lang}>
          {other.alarm.rests} {other.alarm.follow}
        </p>
        <p class="screen-cause">
          {texts.alarm.about(alarm.reason, moment(alarm.since, Date.now(), texts.lang))} {stale && texts.screen.lost}
        </p>
      </div>
    </main>
  );
}

/** Those who are heard now: while the chair has priority only the chair, whoever else still has the word. */
export function heard(view: View): Speaker[] {
  return view.silenced ? view.speakers.filter((s) => s.chair) : view.speakers;
}

function Speaking({ view, texts }: { view: View; texts: Texts }) {
  const t = texts.screen;
  if (view.phase !== "open") return <p class="screen-quiet">{view.phase === "ready" ? t.ready : t.closed}</p>;
  const speakers = heard(view);
  // Whoever stands in the picture is named first: name and face must not disagree.
  const first = speakers.find((s) => s.person === view.word.person) ?? speakers.at(-1);
  if (!first) return view.silenced ? <p class="screen-quiet">{t.priority}</p> : <p class="screen-quiet">{t.nobody}</p>;
  const others = speakers.filter((s) => s !== first);
  return (
    <>
      <p class="screen-label">{view.silenced ? t.priority : t.speaks}</p>
      <p class="screen-name">{first.name}</p>
      <p class="screen-about">{about(first, texts)}</p>
      {others.length > 0 && (
        <p class="screen-others">
          {t.alsoSpeaks}: {others.map((s) => s.name).join(", ")}
        </p>
      )}
    </>
  );
}

function about(speaker: Speaker, texts: Texts): string {
  const place = speaker.origin === "remote" ? texts.screen.byVideo : originText(texts, speaker.origin, speaker.seat);
  return [speaker.chair ? texts.role.chair : speaker.group, speaker.chair ? "" : place].filter(Boolean).join(" · ");
}

function Next({ view, texts }: { view: View; texts: Texts }) {
  const t = texts.screen;
  if (view.phase !== "open") return null;
  const shown = view.requests.slice(0, SHOWN);
  return (
    <section class="screen-next" aria-label={t.next}>
      <h2>
        {shown.length > 0 && <span>{t.next}</span>}
        <span>{t.waiting(view.requests.length)}</span>
      </h2>
      <ol role="list">
        {shown.map((r, i) => (
          <li key={r.id}>
            <span class="screen-place">{i + 1}</span>
            <span class="screen-next-name">{r.name}</span>
            <span class="screen-next-about">{r.origin === "remote" ? t.byVideo : originText(texts, r.origin, r.seat)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The word slot's picture, connected all the time so that it is there at once; no sound: the hall has its own. */
function usePlayer(token: string, snapshots: number, current: () => View | null): { player: Player; generation: number } {
  const [generation, setGeneration] = useState(0);
  const [player] = useState(() => new Player({ videos: 1, voices: -1 }, { token }, () => setGeneration((n) => n + 1)));
  useEffect(() => {
    player.leg.start();
    window.__plenum = diagnosis(player, current);
    const leave = () => player.leg.stop();
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      player.leg.stop();
    };
  }, [player]);
  useEffect(() => {
    if (snapshots > 1) void player.leg.probe();
  }, [player, snapshots]);
  return { player, generation };
}

function diagnosis(player: Player, current: () => View | null): Diagnosis {
  return {
    get pcs() {
      return { whip: null, whep: player.leg.pc };
    },
    get view() {
      return current();
    },
    get negotiations() {
      return player.leg.negotiations;
    },
    get connections() {
      return { whip: 0, whep: player.leg.connections };
    },
    stats: () => player.stats(),
  };
}
