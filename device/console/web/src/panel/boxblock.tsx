import { useEffect, useState } from "preact/hooks";
import type { Api } from "../shared/api";
import type { ServiceView } from "../shared/service";
import { dayAndTime, month } from "../shared/time";
import { Button, Notice } from "../shared/ui";
import { useTexts } from "../texts";
import { Order } from "./order";
import { knownPin, newPin, type Step } from "./steps";
import { Fact } from "./update";
import type { Service } from "./useservice";

type Question = "pin" | "reset" | "reboot";

interface BoxProps {
  api: Api;
  service: Service;
  view: ServiceView;
  barred: string | undefined;
}

/** What the box is, the owner's PIN, and the way back to how it left the factory. */
export function BoxBlock({ api, service, view, barred }: BoxProps) {
  const texts = useTexts();
  const t = texts.service.box;
  const [asking, setAsking] = useState<Question | null>(null);
  const [done, setDone] = useState<Question | null>(null);
  const { release, update } = view;
  // What was told of a restart is over when the box answers again.
  useEffect(() => {
    if (service.fresh) setDone(null);
  }, [service.fresh]);
  return (
    <section class="block" aria-labelledby="box-title">
      <h2 class="section-title" id="box-title">
        {t.title}
      </h2>
      <dl class="facts">
        <Fact name={t.host}>{view.host ?? ""}</Fact>
        <Fact name={t.version}>{release.version || update.current}</Fact>
        <Fact name={t.built}>{release.build ? dayAndTime(release.build, texts.lang) : ""}</Fact>
        <Fact name={t.support}>{release.support_until ? month(release.support_until, texts.lang) : ""}</Fact>
        <Fact name={t.slot}>{release.slot}</Fact>
        <Fact name={t.compatible}>{release.compatible}</Fact>
        <Fact name={texts.service.outcome.last}>{lastUpdate(texts, view)}</Fact>
      </dl>
      <div role="status">
        {done === "pin" && <Notice tone="success" title={t.changed} />}
        {done === "reboot" && <Notice tone="info" title={texts.service.update.rebooting} />}
        {done === "reset" && (
          <Notice tone="warning" title={t.resetting}>
            <p>{t.resettingHint}</p>
          </Notice>
        )}
      </div>
      <div class="card-keys">
        <Button kind="secondary" icon="restart" action="restart" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking("reboot")}>
          {t.restart}
        </Button>
        <Button kind="secondary" action="change-owner" disabled={!view.owner} describedBy={view.owner ? undefined : barred} onClick={() => setAsking("pin")}>
          {t.change}
        </Button>
        <Button kind="secondary" class="danger" action="reset" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking("reset")}>
          {t.reset}
        </Button>
      </div>
      <Asked what={asking} api={api} service={service} host={view.host ?? ""} onDone={setDone} onClose={() => setAsking(null)} />
    </section>
  );
}

interface AskedProps {
  what: Question | null;
  api: Api;
  service: Service;
  host: string;
  onDone: (what: Question) => void;
  onClose: () => void;
}

/** Asks for what the order needs. */
function Asked({ what, api, service, host, onDone, onClose }: AskedProps) {
  const texts = useTexts();
  const t = texts.service.box;
  switch (what) {
    case null:
      return null;
    case "reboot":
      return (
        <Order
          title={texts.service.update.restartTitle}
          lead={texts.service.update.restartLead}
          act={texts.service.update.restart}
          steps={[knownPin(texts)]}
          send={({ pin = "" }) => service.order("reboot", { pin }).then(() => onDone("reboot"))}
          onClose={onClose}
        />
      );
    case "pin":
      return (
        <Order
          title={t.changeTitle}
          lead={t.changeLead}
          act={t.changeDo}
          steps={[knownPin(texts, "old", texts.owner.old), ...newPin(texts, "fresh", texts.owner.fresh)]}
          send={({ old = "", fresh = "" }) => api.setOwner(fresh, old).then(() => onDone("pin"))}
          onClose={onClose}
        />
      );
    case "reset": {
      const name: Step = { name: "confirm", label: t.resetHost, hint: t.resetHint(host), text: true, check: (typed) => (typed.trim() === "" ? t.resetEmpty : undefined) };
      return (
        <Order
          danger
          title={t.resetTitle}
          lead={t.resetLead}
          act={t.resetDo}
          steps={[name, knownPin(texts)]}
          send={({ confirm = "", pin = "" }) => service.order("reset", { pin, confirm: confirm.trim() }).then(() => onDone("reset"))}
          onClose={onClose}
        />
      );
    }
  }
}

function lastUpdate(texts: ReturnType<typeof useTexts>, { update: { last } }: ServiceView): string {
  return last === null ? "" : `${last.version} (${texts.service.outcome.short[last.result]}), ${dayAndTime(last.at, texts.lang)}`;
}
