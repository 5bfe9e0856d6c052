import { useState } from "preact/hooks";
import type { Api } from "../shared/api";
import type { ServiceView } from "../shared/service";
import { dayAndTime, month } from "../shared/time";
import { Button, Notice } from "../shared/ui";
import { useTexts } from "../texts";
import { Order } from "./order";
import { knownPin, newPin } from "./steps";
import { Fact } from "./update";
import type { Service } from "./useservice";

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
  const [asking, setAsking] = useState<"pin" | "reset" | null>(null);
  const [done, setDone] = useState<"pin" | "reset" | null>(null);
  const { release, update } = view;
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
        {done === "reset" && (
          <Notice tone="warning" title={t.resetting}>
            <p>{t.resettingHint}</p>
          </Notice>
        )}
      </div>
      <div class="card-keys">
        <Button kind="secondary" action="change-owner" disabled={!view.owner} describedBy={view.owner ? undefined : barred} onClick={() => setAsking("pin")}>
          {t.change}
        </Button>
        <Button kind="secondary" class="danger" action="reset" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking("reset")}>
          {t.reset}
        </Button>
      </div>
      {asking === "pin" && (
        <Order
          title={t.changeTitle}
          lead={t.changeLead}
          act={t.changeDo}
          steps={[knownPin(texts, "old", texts.owner.old), ...newPin(texts, "fresh", texts.owner.fresh)]}
          send={({ old = "", fresh = "" }) => api.setOwner(fresh, old).then(() => setDone("pin"))}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "reset" && (
        <Order
          danger
          title={t.resetTitle}
          lead={t.resetLead}
          act={t.resetDo}
          steps={[
            { name: "confirm", label: t.resetHost, hint: t.resetHint(view.host ?? ""), text: true, check: (name) => (name.trim() === "" ? t.resetEmpty : undefined) },
            knownPin(texts),
          ]}
          send={({ confirm = "", pin = "" }) => service.order("reset", { pin, confirm: confirm.trim() }).then(() => setDone("reset"))}
          onClose={() => setAsking(null)}
        />
      )}
    </section>
  );
}

function lastUpdate(texts: ReturnType<typeof useTexts>, { update: { last } }: ServiceView): string {
  return last === null ? "" : `${last.version} (${texts.service.outcome.short[last.result]}), ${dayAndTime(last.at, texts.lang)}`;
}
