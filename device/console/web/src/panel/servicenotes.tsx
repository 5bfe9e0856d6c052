import { useEffect, useState } from "preact/hooks";
import type { Condition, ServiceView } from "../shared/service";
import type { View } from "../shared/types";
import { Button, IconButton, Notice } from "../shared/ui";
import { useTexts } from "../texts";
import { bySeverity } from "./service";
import { stickName } from "./sticks";
import { headline, OutcomeNotice, said, unseen } from "./update";

/** What is bad enough to be said beside the list, without what the panel says in a place of its own. */
export function urgent(view: ServiceView, recorded: boolean): Condition[] {
  const told = (code: string) => code.startsWith("device-") || code.startsWith("update-") || (code === "record-failed" && !recorded);
  return bySeverity(view.conditions).filter(({ severity, code }) => (severity === "critical" || severity === "error") && !told(code));
}

/** The first sentence of a text; the rest stands in the technician's area. */
export function firstSentence(text: string): string {
  return /^.*?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text;
}

interface NotesProps {
  service: ServiceView;
  view: View;
  onShow: () => void;
}

/** What the chair must know of the box itself: what is wrong, what became of an update, and that a stick was seen. */
export function ServiceNotes({ service, view, onShow }: NotesProps) {
  const texts = useTexts();
  const t = texts.service;
  const bad = urgent(service, view.recorded);
  const outcome = unseen(service);
  // During a sitting only what went wrong is worth a line.
  const told = outcome !== null && (view.phase !== "open" || outcome.result === "went-back") ? outcome : null;
  const { sticks, dismiss } = useNewSticks(service);
  const seen = sticks.length > 0 && service.update.state !== "installing";
  return (
    <>
      <div class="readiness" role="alert">
        {bad.length > 0 && (
          <Notice tone="danger" title={`${t.severity[bad[0]!.severity]}: ${firstSentence(said(texts, bad[0]!))}`}>
            {bad.length > 1 && <p>{t.more(bad.length - 1)}</p>}
          </Notice>
        )}
        {told && <OutcomeNotice outcome={told} />}
        {(bad.length > 0 || told) && <Show onShow={onShow} />}
      </div>
      <div class="readiness" role="status">
        {seen && (
          <Notice tone="info" title={`${t.stickSeen}: ${sticks.map(stickName).join(", ")}`}>
            <p>{view.phase === "open" ? t.stickLater : headline(texts, service.update) || said(texts, sticks[0]!)}</p>
          </Notice>
        )}
        {seen && view.phase !== "open" && bad.length === 0 && !told && <Show onShow={onShow} />}
        {seen && <IconButton icon="close" label={t.dismissStick} action="dismiss-stick" onClick={dismiss} />}
      </div>
    </>
  );
}

function Show({ onShow }: { onShow: () => void }) {
  return (
    <Button kind="tertiary" action="show-service" onClick={onShow}>
      {useTexts().service.open}
    </Button>
  );
}

/** The sticks whose note was not closed; a stick that comes again is new. */
function useNewSticks(service: ServiceView) {
  const [closed, setClosed] = useState<string[]>([]);
  const ids = service.sticks.map((stick) => stick.id);
  useEffect(() => setClosed((before) => (before.every((id) => ids.includes(id)) ? before : before.filter((id) => ids.includes(id)))), [ids.join()]);
  return { sticks: service.sticks.filter((stick) => !closed.includes(stick.id)), dismiss: () => setClosed(ids) };
}
