import { useCallback, useRef, useState } from "preact/hooks";
import { type Api, ApiError } from "../shared/api";
import { Icon, type IconName } from "../shared/icons";
import { duration, moment } from "../shared/time";
import type { Check, Report } from "../shared/types";
import { Announcer, Button, IconButton, Notice } from "../shared/ui";
import { problemText, type Texts, useTexts } from "../texts";
import { itemName } from "./readiness";

/** The self-test as the panel knows it; it goes on while the chair looks at something else. */
export interface Selftest {
  /** When the one under way began, in ms of this machine's clock. */
  running: number | null;
  report: Report | null;
  error: string | null;
  run: () => void;
  dismiss: () => void;
}

export function useSelftest(api: Api): Selftest {
  const [running, setRunning] = useState<number | null>(null);
  const [report, setReport] = useState<Report | null>(null);
  const [error, setError] = useState<string | null>(null);
  const run = useCallback(() => {
    setRunning(Date.now());
    setReport(null);
    setError(null);
    api
      .selftest()
      .then(setReport, (problem: unknown) => setError(problem instanceof ApiError ? problem.code : "internal"))
      .finally(() => setRunning(null));
  }, [api]);
  const dismiss = useCallback(() => {
    setReport(null);
    setError(null);
  }, []);
  return { running, report, error, run, dismiss };
}

export type Outcome = "bad" | "left" | "ok";

export function outcome(check: Check): Outcome {
  return check.left ? "left" : check.ok ? "ok" : "bad";
}

/** What needs somebody comes first: required lines that failed, others that failed, what was left out, the rest. */
export function sorted(checks: readonly Check[]): Check[] {
  const rank = (check: Check) => ({ bad: check.required ? 0 : 1, left: 2, ok: 3 })[outcome(check)];
  return [...checks].sort((a, b) => rank(a) - rank(b));
}

/** The outcome in one sentence. */
export function verdict(texts: Texts, report: Report): string {
  const t = texts.panel.selftest;
  const count = (which: Outcome) => report.checks.filter((check) => outcome(check) === which).length;
  const parts = [t.good(count("ok"), report.checks.length)];
  if (count("bad") > 0) parts.push(t.bad(count("bad")));
  if (count("left") > 0) parts.push(t.left(count("left")));
  return parts.join(", ");
}

/** Says the outcome to screen readers on every tab; where it is shown it is read anyway. */
export function SelftestNews({ selftest: { report, error }, shown }: { selftest: Selftest; shown: boolean }) {
  const texts = useTexts();
  const t = texts.panel.selftest;
  const text = report ? `${t.title}: ${report.go ? t.go : t.noGo}. ${verdict(texts, report)}` : error !== null ? `${t.title}: ${problemText(texts, error)}` : "";
  return <Announcer text={shown ? "" : text} />;
}

/** The button, how long it has been running, and what came out. */
export function SelftestBlock({ selftest, open, now }: { selftest: Selftest; open: boolean; now: number }) {
  const texts = useTexts();
  const t = texts.panel.selftest;
  const { running, report, error } = selftest;
  const root = useRef<HTMLElement>(null);
  return (
    <section class="selftest" ref={root} aria-labelledby="selftest-title">
      <h2 class="section-title" id="selftest-title">
        {t.title}
      </h2>
      <div class="selftest-run">
        <Button kind="primary" action="selftest" disabled={running !== null} describedBy="selftest-hint" onClick={selftest.run}>
          {t.run}
        </Button>
        <p id="selftest-hint" class="mode-hint">
          {open ? t.hintOpen : t.hint}
        </p>
      </div>
      <div class="selftest-now" aria-live="polite">
        {running !== null && (
          <p class="selftest-running">
            <Icon name="clock" />
            {t.running}
            <span class="selftest-time" aria-hidden="true">
              {duration(Date.now() - running)}
            </span>
          </p>
        )}
        {report && (
          <p class={report.go ? "verdict verdict-go" : "verdict verdict-no"}>
            <Icon name={report.go ? "check" : "close"} large />
            <strong>{report.go ? t.go : t.noGo}</strong>
            <span>{verdict(texts, report)}</span>
          </p>
        )}
        {error !== null && <Notice tone="danger" title={texts.panel.failed(problemText(texts, error))} />}
      </div>
      {running !== null && <div class="working" aria-hidden="true" />}
      {report && (
        <Result
          report={report}
          now={now}
          onDismiss={() => {
            root.current?.querySelector<HTMLElement>("button")?.focus();
            selftest.dismiss();
          }}
        />
      )}
    </section>
  );
}

const icons: Record<Outcome, IconName> = { ok: "check", bad: "close", left: "absent" };

function Result({ report, now, onDismiss }: { report: Report; now: number; onDismiss: () => void }) {
  const texts = useTexts();
  const t = texts.panel.selftest;
  return (
    <>
      <div class="section-line">
        <span class="mode-hint">{t.at(moment(report.at, now, texts.lang))}</span>
        <IconButton icon="close" label={t.dismiss} action="selftest-dismiss" onClick={onDismiss} />
      </div>
      <ul class="rows checks" role="list">
        {sorted(report.checks).map((check) => (
          <li key={check.id} class={`row check check-${outcome(check)}`} data-check={check.id}>
            <span class="check-outcome">
              <Icon name={icons[outcome(check)]} />
              {t.outcome[outcome(check)]}
            </span>
            <span class="check-text">
              <strong>{itemName(texts, check.id, check.name)}</strong>
              {check.required && outcome(check) !== "ok" && <span class="note">{texts.panel.devices.required}</span>}
              <span>{texts.lang === "de" ? check.text_de : check.text_en}</span>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
