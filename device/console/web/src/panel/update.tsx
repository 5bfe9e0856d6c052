import { useState } from "preact/hooks";
import { Icon, type IconName } from "../shared/icons";
import type { Outcome as OutcomeType, ServiceView, Update as UpdateType } from "../shared/service";
import { dayAndTime, megabytes } from "../shared/time";
import { Announcer, Button, Notice, type Tone } from "../shared/ui";
import { type Texts, useTexts } from "../texts";
import { Order } from "./order";
import { Progress } from "./progress";
import { knownPin } from "./steps";
import type { Service } from "./useservice";

/** What a sentence of the box says in the language of the reader. */
export function said(texts: Texts, words: { text_de: string; text_en: string }): string {
  return texts.lang === "de" ? words.text_de : words.text_en;
}

/** The state of an update in a few words. */
export function headline(texts: Texts, update: UpdateType): string {
  const t = texts.service.update;
  switch (update.state) {
    case "offered":
    case "installing":
    case "installed":
      return t[update.state](update.version);
    case "refused":
    case "rebooting":
    case "failed":
      return t[update.state];
    case "idle":
      return "";
  }
}

const icons: Record<UpdateType["state"], IconName> = {
  idle: "check",
  offered: "down",
  refused: "close",
  installing: "clock",
  installed: "check",
  rebooting: "restart",
  failed: "warning",
};

interface UpdateProps {
  service: Service;
  view: ServiceView;
  /** The id of the text that says why nothing can be ordered now; undefined: it can. */
  barred: string | undefined;
}

/** What a stick offers: from the offer by the progress to the restart. */
export function UpdateBlock({ service, view, barred }: UpdateProps) {
  const texts = useTexts();
  const t = texts.service.update;
  const [asking, setAsking] = useState<"install" | "reboot" | null>(null);
  const { update } = view;
  if (update.state === "idle") return null;
  const words = said(texts, update);
  return (
    <section class={`card card-${update.state}`} aria-labelledby="update-title" data-update={update.state}>
      <h2 class="section-title" id="update-title">
        {t.title}
      </h2>
      <p class="card-head">
        <Icon name={icons[update.state]} large />
        <strong>{headline(texts, update)}</strong>
      </p>
      {words && <p>{words}</p>}
      {update.state === "installing" && <Progress label={t.progress} percent={update.percent} text={t.percent(update.percent)} />}
      {update.state === "rebooting" && <p>{t.rebootingHint}</p>}
      {update.state === "offered" && <Offer update={update} />}
      <div class="card-keys">
        {(update.state === "offered" || (update.state === "failed" && update.version !== "")) && (
          <Button kind="primary" action="install" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking("install")}>
            {update.state === "failed" ? t.again : t.install}
          </Button>
        )}
        {update.state === "installed" && (
          <Button kind="primary" icon="restart" action="reboot" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking("reboot")}>
            {t.restart}
          </Button>
        )}
      </div>
      {asking !== null && (
        <Order
          title={asking === "install" ? t.installTitle(update.version) : t.restartTitle}
          lead={asking === "install" ? t.installLead : t.restartLead}
          act={asking === "install" ? t.install : t.restart}
          steps={[knownPin(texts)]}
          send={({ pin = "" }) => service.order(asking, { pin })}
          onClose={() => setAsking(null)}
        />
      )}
    </section>
  );
}

function Offer({ update }: { update: UpdateType }) {
  const texts = useTexts();
  const t = texts.service.update;
  return (
    <>
      <dl class="facts">
        <Fact name={t.current}>{update.current}</Fact>
        <Fact name={t.built}>{dayAndTime(update.built, texts.lang)}</Fact>
        <Fact name={t.size}>{update.size > 0 ? megabytes(update.size, texts.lang) : ""}</Fact>
      </dl>
      {update.notes && (
        <div class="notes">
          <h3 class="notes-title">{t.notes}</h3>
          <p class="notes-text">{update.notes}</p>
        </div>
      )}
    </>
  );
}

/** A fact by name; nothing when it is not known. */
export function Fact({ name, children }: { name: string; children: string }) {
  return children === "" ? null : (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const tones: Record<OutcomeType["result"], Tone> = { updated: "success", "went-back": "danger", interrupted: "warning", trial: "info" };

/** The outcome of the last update that nobody has seen yet. */
export function unseen(view: ServiceView): OutcomeType | null {
  const { last } = view.update;
  return last !== null && !last.seen ? last : null;
}

/** What became of the last update, till somebody has seen it. */
export function OutcomeNotice({ outcome, now, onSeen }: { outcome: OutcomeType; now?: number; onSeen?: () => void }) {
  const texts = useTexts();
  const t = texts.service.outcome;
  return (
    <div class="outcome" data-outcome={outcome.result}>
      <Notice tone={tones[outcome.result]} title={t[outcome.result](outcome.version)}>
        {now !== undefined && <p>{said(texts, outcome)}</p>}
        {now !== undefined && <p class="mode-hint">{t.at(dayAndTime(outcome.at, texts.lang))}</p>}
      </Notice>
      {onSeen && outcome.result !== "trial" && (
        <Button action="acknowledge" onClick={onSeen}>
          {t.seen}
        </Button>
      )}
    </div>
  );
}

/** The quarter that has been reached; a screen reader hears four of them, not a hundred steps. */
export function quarter(percent: number): number {
  return Math.floor(percent / 25) * 25;
}

/** What is said of an update while it goes on, whatever the panel shows. */
export function updateNews(texts: Texts, update: UpdateType): string {
  if (update.state === "idle") return "";
  if (update.state === "installing" && update.percent >= 25) return texts.service.update.said(quarter(update.percent));
  return headline(texts, update);
}

/** Says how an update goes on to screen readers, on every tab. */
export function UpdateNews({ view }: { view: ServiceView | null }) {
  const texts = useTexts();
  return <Announcer text={view === null ? "" : updateNews(texts, view.update)} />;
}
