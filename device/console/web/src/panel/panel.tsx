import { useEffect, useState } from "preact/hooks";
import { Api } from "../shared/api";
import { type Sender, useCommands, useLive, useNow, usePrevious } from "../shared/hooks";
import type { View } from "../shared/types";
import { Alarms, Announcer, Button, IconButton, Notice, originText, Plain } from "../shared/ui";
import { problemText, type Texts, useTexts } from "../texts";
import { Actions } from "./actions";
import { PanelAlarm } from "./alarm";
import { Faults } from "./faults";
import { goTo, Lists, type Tab } from "./lists";
import { Opening } from "./opening";
import { itemName, notReady, Readiness } from "./readiness";
import { SelftestNews, useSelftest } from "./selftest";
import { ServiceNotes } from "./servicenotes";
import { Speakers } from "./speakers";
import { StatusLine } from "./status";
import { UpdateNews } from "./update";
import { useService } from "./useservice";

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
  const sender = useCommands(api);
  const opening = useOpening(state.view, sender);
  const selftest = useSelftest(api);
  const [tab, setTab] = useState<Tab>("list");
  const service = useService(api, tab === "service");
  const now = useNow(state.offset);
  const { view, end } = state;

  useEffect(() => {
    if (end === "unauthorized") onSignedOut(true);
  }, [end, onSignedOut]);
  useEffect(() => {
    const n = view?.requests.length ?? 0;
    document.title = `${view?.alarm ? `${texts.alarm.title} – ` : ""}${n > 0 ? `(${n}) ` : ""}${texts.panel.tabs.list} – ${texts.product}`;
  }, [texts, view?.requests.length, view?.alarm]);

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
      <PanelAlarm alarm={view.alarm} send={sender.send} />
      <StatusLine view={view} now={now} />
      <Alarms stale={state.stale} recorded={view.recorded} />
      <Faults faults={view.faults} />
      <Readiness view={view} onShow={() => goTo("devices", setTab)} />
      {service.view && tab !== "service" && view.alarm === null && <ServiceNotes service={service.view} view={view} onShow={() => goTo("service", setTab)} />}
      <main class="board" tabIndex={-1}>
        <Lists
          {...{ api, view, now, selftest, service, tab }}
          send={sender.send}
          onTab={setTab}
          onOpen={opening.open}
          onSignOut={() => onSignedOut(false)}
        />
        <div class="side">
          <Refusal sender={sender} />
          {view.silenced && <Notice tone="warning" title={texts.silenced} role="status" />}
          <Speakers view={view} now={now} send={sender.send} />
          <Actions view={view} send={sender.send} onOpen={opening.open} />
        </div>
      </main>
      {opening.asking && <Opening items={view.items} sender={sender} onDone={opening.done} />}
      <News view={view} />
      <UpdateNews view={service.view} />
      <SelftestNews selftest={selftest} shown={tab === "devices"} />
    </div>
  );
}

/** Opens the sitting; while a required device is red, or the box says that one is, it asks for each by name first. */
function useOpening(view: View | null, { send, error }: Sender) {
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (error === "not_ready") setAsking(true);
  }, [error]);
  useEffect(() => {
    if (view?.phase === "open") setAsking(false); // somebody else was quicker
  }, [view?.phase]);
  const open = () => {
    if (view !== null && notReady(view.items).length > 0) setAsking(true);
    else void send("open", {});
  };
  return { asking, open, done: () => setAsking(false) };
}

function Refusal({ sender: { error, dismiss } }: { sender: Sender }) {
  const texts = useTexts();
  return (
    <div class="refusal" role="alert">
      {error && (
        <div class="refusal-row">
          <Notice tone="danger" title={texts.panel.failed(problemText(texts, error))} />
          <IconButton icon="close" label={texts.panel.dismiss} onClick={dismiss} />
        </div>
      )}
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
  const was = notReady(before.items);
  const is = notReady(view.items);
  for (const i of is) if (!was.some((w) => w.id === i.id)) parts.push(t.bad(itemName(texts, i.id, i.name)));
  for (const w of was) if (!is.some((i) => i.id === w.id)) parts.push(t.back(itemName(texts, w.id, w.name)));
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
