import { useRef, useState } from "preact/hooks";
import { type Api, ApiError } from "../shared/api";
import { Icon, type IconName } from "../shared/icons";
import type { Condition, ServiceView, Severity } from "../shared/service";
import { moment } from "../shared/time";
import { Button, Notice } from "../shared/ui";
import { problemText, useTexts } from "../texts";
import { BoxBlock } from "./boxblock";
import { useFocusHome } from "./focus";
import { DiagnosisBlock, SetupBlock, Sticks } from "./sticks";
import { TechnicianBlock } from "./technician";
import { OutcomeNotice, said, unseen, UpdateBlock } from "./update";
import type { Service } from "./useservice";

const SEVERITIES: Severity[] = ["critical", "error", "warning", "info"];
const icons: Record<Severity, IconName> = { critical: "stop", error: "close", warning: "warning", info: "info" };
// What a block of its own says already.
const ELSEWHERE = ["update-offered", "technician-mode", "update-trial", "update-went-back", "update-interrupted"];

/** The worst comes first; what stands for longer comes first among equals. */
export function bySeverity(conditions: readonly Condition[]): Condition[] {
  return [...conditions].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || Date.parse(a.since) - Date.parse(b.since));
}

interface AreaProps {
  api: Api;
  service: Service;
  now: number;
}

/** The technician's area: what a stick brings, how the box does, and what can be done about it. */
export function ServiceArea({ api, service, now }: AreaProps) {
  const texts = useTexts();
  const root = useRef<HTMLDivElement>(null);
  useFocusHome(root, "tab-service");
  return (
    <div class="house technician" ref={root}>
      {service.view === null ? <p>{texts.service.loading}</p> : <Room api={api} service={service} view={service.view} now={now} />}
    </div>
  );
}

function Room({ api, service, view, now }: AreaProps & { view: ServiceView }) {
  const texts = useTexts();
  const t = texts.service;
  const [refused, setRefused] = useState<string | null>(null);
  const { fresh } = service;
  const outcome = unseen(view);
  const barred = view.sitting || !view.owner ? "service-barred" : undefined;
  const acknowledge = () => {
    setRefused(null);
    service.order("acknowledge", {}).catch((problem: unknown) => setRefused(problem instanceof ApiError ? problem.code : "internal"));
  };
  return (
    <>
      <div role="status">{!fresh && view.update.state !== "rebooting" && <Notice tone="warning" title={t.stale} />}</div>
      {barred && (
        <p id={barred} class="barred">
          <Icon name="info" />
          {view.sitting ? t.sitting : t.noOwner}
        </p>
      )}
      {outcome && <OutcomeNotice outcome={outcome} now={now} onSeen={acknowledge} />}
      <div role="alert">{refused !== null && <Notice tone="danger" title={texts.panel.failed(problemText(texts, refused))} />}</div>
      <UpdateBlock service={service} view={view} barred={barred} />
      <SetupBlock service={service} view={view} barred={barred} />
      <DiagnosisBlock diagnosis={view.diagnosis} />
      <Conditions view={view} now={now} onSeen={outcome === null ? acknowledge : undefined} />
      <Sticks view={view} />
      <TechnicianBlock service={service} view={view} now={now} barred={barred} />
      <BoxBlock api={api} service={service} view={view} barred={barred} />
    </>
  );
}

// A restart by force stands till somebody has seen it.
const SEEABLE = "restarted";

function Conditions({ view, now, onSeen }: { view: ServiceView; now: number; onSeen: (() => void) | undefined }) {
  const texts = useTexts();
  const t = texts.service;
  const list = bySeverity(view.conditions).filter((condition) => !ELSEWHERE.includes(condition.code));
  return (
    <section aria-labelledby="conditions-title">
      <h2 class="section-title" id="conditions-title">
        {t.conditions}
      </h2>
      {list.length === 0 && (
        <p class="all-well">
          <Icon name="check" />
          {t.allWell}
        </p>
      )}
      <ul class="rows" role="list">
        {list.map((condition) => (
          <li key={`${condition.code} ${condition.subject ?? ""}`} class={`row condition severity-${condition.severity}`} data-condition={condition.code}>
            <span class="severity">
              <Icon name={icons[condition.severity]} />
              {t.severity[condition.severity]}
            </span>
            <div class="who">
              <span>{said(texts, condition)}</span>
              {condition.detail && <span class="device-spec mode-hint">{condition.detail}</span>}
            </div>
            <span class="waits">{texts.since(moment(condition.since, now, texts.lang))}</span>
            {condition.code === SEEABLE && onSeen && (
              <Button kind="tertiary" action="seen-restart" onClick={onSeen}>
                {t.outcome.seen}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
