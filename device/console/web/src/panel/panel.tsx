import { useEffect, useState } from "preact/hooks";
import { Api } from "../shared/api";
import { useCommands, useLive, useNow, usePrevious } from "../shared/hooks";
import type { View } from "../shared/types";
import { Alarms, Announcer, Button, IconButton, Notice, originText, Plain } from "../shared/ui";
import { problemText, type Texts, useTexts } from "../texts";
import { Actions } from "./actions";
import { Faults } from "./faults";
import { People } from "./people";
import { Requests } from "./requests";
import { Sitting } from "./sitting";
import { Speakers } from "./speakers";
import { StatusLine } from "./status";

type Tab = "list" | "people" | "sitting";
const TABS: Tab[] = ["list", "people", "sitting"];

interface PanelProps {
  token: string;
  /** byBox: the box no longer knows the token. */
  onSignedOut: (byBox: boolean) => void;
}

/** The chair's panel of one signed-in tab. */
export function Panel({ token, onSignedOut }: PanelProps) {
  const texts = useTexts();
  const [api] = useState(() => new Api(token));
  const { live, state } = useLive(token);
  const { send, error, dismiss } = useCommands(api);
  const now = useNow(state.offset);
  const { view, end } = state;

  useEffect(() => {
    if (end === "unauthorized") onSignedOut(true);
  }, [end, onSignedOut]);
  useEffect(() => {
    const n = view?.requests.length ?? 0;
    document.title = `${n > 0 ? `(${n}) ` : ""}${texts.panel.tabs.list} – ${texts.product}`;
  }, [texts, view?.requests.length]);

  if (end === "replaced" || end === "revoked") {
    return (
      <Plain title={texts.panel.gone[end]} alert>
        <Button kind="primary" onClick={() => (end === "replaced" ? live.start() : onSignedOut(true))}>
          {end === "replaced" ? texts.panel.takeBack : texts.pin.enter}
        </Button>
      </Plain>
    );
  }
  if (view === null) return <Plain title={texts.loading} />;
  return (
    <div class="panel">
      <StatusLine view={view} now={now} />
      <Alarms stale={state.stale} recorded={view.recorded} />
      <Faults faults={view.faults} />
      <main class="board">
        <Lists view={view} now={now} send={send} onSignOut={() => onSignedOut(false)} />
        <div class="side">
          <div class="refusal" role="alert">
            {error && (
              <div class="refusal-row">
                <Notice tone="danger" title={texts.panel.failed(problemText(texts, error))} />
                <IconButton icon="close" label={texts.panel.dismiss} onClick={dismiss} />
              </div>
            )}
          </div>
          {view.silenced && <Notice tone="warning" title={texts.silenced} role="status" />}
          <Speakers view={view} now={now} send={send} />
          <Actions view={view} send={send} />
        </div>
      </main>
      <News view={view} />
    </div>
  );
}

interface ListsProps {
  view: View;
  now: number;
  send: ReturnType<typeof useCommands>["send"];
  onSignOut: () => void;
}

/** The left side: three views as tabs (WAI-ARIA tabs pattern, arrow keys move between them). */
function Lists({ view, now, send, onSignOut }: ListsProps) {
  const texts = useTexts();
  const [tab, setTab] = useState<Tab>("list");
  const counts: Record<Tab, number | null> = {
    list: view.requests.length,
    people: view.people.filter((p) => p.presence !== "absent").length,
    sitting: null,
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length]!;
    setTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="lists">
      <div class="tabs" role="tablist" aria-label={texts.panel.tabsLabel} onKeyDown={key}>
        {TABS.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            class="tab"
            aria-selected={tab === name}
            aria-controls="tabpanel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => setTab(name)}
          >
            {texts.panel.tabs[name]}
            {counts[name] !== null && <span class={name === "list" && counts[name] > 0 ? "tab-count tab-count-on" : "tab-count"}>{counts[name]}</span>}
          </button>
        ))}
      </div>
      <div class="tabpanel" id="tabpanel" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={-1}>
        {tab === "list" && <Requests view={view} now={now} send={send} />}
        {tab === "people" && <People view={view} send={send} />}
        {tab === "sitting" && <Sitting view={view} send={send} onSignOut={onSignOut} />}
      </div>
    </div>
  );
}

/** What changed between two views, in words for a screen reader. */
export function news(texts: Texts, before: View | undefined, view: View): string {
  if (!before) return "";
  const t = texts.panel.announce;
  const parts: string[] = [];
  view.requests.forEach((r, i) => {
    if (!before.requests.some((b) => b.id === r.id)) parts.push(t.request(r.name, originText(texts, r.origin, r.seat), i + 1));
  });
  for (const s of view.speakers) if (!before.speakers.some((b) => b.grant === s.grant)) parts.push(t.speaks(s.name));
  for (const b of before.speakers) if (!view.speakers.some((s) => s.person === b.person)) parts.push(t.stopped(b.name));
  return parts.join(". ");
}

function News({ view }: { view: View }) {
  const texts = useTexts();
  const before = usePrevious(view);
  const [text, setText] = useState("");
  useEffect(() => {
    const next = news(texts, before, view);
    if (next) setText(next);
  }, [view]);
  return <Announcer text={text} />;
}
