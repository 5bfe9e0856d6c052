import { useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import type { Diagnosis, ServiceView, Stick } from "../shared/service";
import { Button } from "../shared/ui";
import { type Texts, useTexts } from "../texts";
import { Order } from "./order";
import { knownPin } from "./steps";
import { said } from "./update";
import type { Service } from "./useservice";

/** How a stick is called: by its label, else by what the drive says of itself. */
export function stickName(stick: Stick): string {
  return stick.label || stick.drive || stick.id;
}

function kindText(texts: Texts, kind: string): string {
  const kinds = texts.service.stickKind;
  return Object.hasOwn(kinds, kind) ? kinds[kind as keyof typeof kinds] : "";
}

/** All sticks that are plugged in, and what the box thinks of each. */
export function Sticks({ view }: { view: ServiceView }) {
  const texts = useTexts();
  const t = texts.service;
  return (
    <section aria-labelledby="sticks-title">
      <h2 class="section-title" id="sticks-title">
        {t.sticks}
      </h2>
      {view.sticks.length === 0 && <p class="nothing">{t.noStick}</p>}
      <ul class="rows" role="list">
        {view.sticks.map((stick) => (
          <li key={stick.id} class="row stick" data-stick={stick.kind}>
            <Icon name="stick" />
            <div class="who">
              <span class="about">
                <span class="name">{stickName(stick)}</span>
                {kindText(texts, stick.kind) && <span class="note">{kindText(texts, stick.kind)}</span>}
                {stick.busy && <span class="note note-bad">{t.stickBusy}</span>}
                {stick.label && stick.drive && <span>{stick.drive}</span>}
              </span>
              <span>{said(texts, stick) || (view.sitting ? t.stickLater : "")}</span>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface SetupProps {
  service: Service;
  view: ServiceView;
  barred: string | undefined;
}

/** What a setup stick would change, line by line. */
export function SetupBlock({ service, view, barred }: SetupProps) {
  const texts = useTexts();
  const t = texts.service.setup;
  const [asking, setAsking] = useState(false);
  const { setup } = view;
  if (setup.state === "idle") return null;
  const words = said(texts, setup);
  return (
    <section class={`card card-${setup.state}`} aria-labelledby="setup-title" data-setup={setup.state}>
      <h2 class="section-title" id="setup-title">
        {t.title}
      </h2>
      <p class="card-head">
        <Icon name={setup.state === "refused" ? "close" : setup.state === "applied" ? "check" : "list"} large />
        <strong>{t[setup.state]}</strong>
      </p>
      {words && <p>{words}</p>}
      {setup.lines.length > 0 && (
        <ul class="changes" role="list">
          {setup.lines.map((line, i) => (
            <li key={i}>{said(texts, line)}</li>
          ))}
        </ul>
      )}
      {setup.state === "offered" && <p class="mode-hint">{setup.signed ? t.signed : t.unsigned}</p>}
      {setup.state === "offered" && !setup.signed && (
        <div class="card-keys">
          <Button kind="primary" action="apply-setup" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking(true)}>
            {t.apply}
          </Button>
        </div>
      )}
      {asking && (
        <Order
          title={t.askTitle}
          lead={t.askLead(setup.lines.length)}
          act={t.apply}
          steps={[knownPin(texts)]}
          send={({ pin = "" }) => service.order("setup", { pin })}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  );
}

/** How far the diagnosis is on its way to the stick. */
export function DiagnosisBlock({ diagnosis }: { diagnosis: Diagnosis }) {
  const texts = useTexts();
  const t = texts.service.diagnosis;
  if (diagnosis.state === "idle") return null;
  const words = said(texts, diagnosis);
  return (
    <section class={`card card-${diagnosis.state}`} aria-labelledby="diagnosis-title" data-diagnosis={diagnosis.state}>
      <h2 class="section-title" id="diagnosis-title">
        {t.title}
      </h2>
      <div role="status">
        <p class="card-head">
          <Icon name={diagnosis.state === "failed" ? "warning" : diagnosis.state === "written" ? "check" : "clock"} large />
          <strong>{t[diagnosis.state]}</strong>
        </p>
      </div>
      {diagnosis.state === "writing" && <div class="working" aria-hidden="true" />}
      {words && <p>{words}</p>}
      {diagnosis.file && (
        <p class="mode-hint">
          {t.file}: <span class="device-spec">{diagnosis.file}</span> ({diagnosis.encrypted ? t.encrypted : t.plain})
        </p>
      )}
    </section>
  );
}
