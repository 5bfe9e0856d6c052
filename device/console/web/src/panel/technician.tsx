import { useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import type { ServiceView } from "../shared/service";
import { duration } from "../shared/time";
import { Button } from "../shared/ui";
import { useTexts } from "../texts";
import { Order } from "./order";
import { knownPin } from "./steps";
import type { Service } from "./useservice";

/** How long the technician mode lasts from now on, as M:SS; empty when the box does not say. */
export function remaining(until: string | null | undefined, now: number): string {
  const end = Date.parse(until ?? "");
  return Number.isNaN(end) || end <= 0 ? "" : duration(end - now);
}

interface TechnicianProps {
  service: Service;
  view: ServiceView;
  now: number;
  barred: string | undefined;
}

/** The technician mode, and the USB devices that are refused without it. */
export function TechnicianBlock({ service, view, now, barred }: TechnicianProps) {
  const texts = useTexts();
  const t = texts.service.technician;
  const [asking, setAsking] = useState(false);
  const { on, until } = view.technician;
  const left = on ? remaining(until, now) : "";
  return (
    <section class="block" aria-labelledby="technician-title" data-technician={on ? "on" : "off"}>
      <h2 class="section-title" id="technician-title">
        {t.title}
      </h2>
      <p class={on ? "mode-state mode-state-on" : "mode-state"}>
        <Icon name={on ? "warning" : "check"} />
        <strong>{on ? t.on : t.off}</strong>
        {left && <span class="mode-left">{t.left(left)}</span>}
      </p>
      <p class="mode-hint">{t.hint}</p>
      <Button kind="secondary" action="technician" disabled={barred !== undefined} describedBy={barred} onClick={() => setAsking(true)}>
        {on ? t.turnOff : t.turnOn}
      </Button>
      <h3 class="notes-title">{t.refused}</h3>
      {view.refused_usb.length === 0 && <p class="nothing">{t.none}</p>}
      <ul class="rows refused" role="list">
        {view.refused_usb.map((device, i) => (
          <li key={`${device.ids} ${i}`} class="row">
            <span class="name">{device.name || t.nameless}</span>
            <span class="device-spec mode-hint">{[device.ids, ...device.classes].join(", ")}</span>
          </li>
        ))}
      </ul>
      {asking && (
        <Order
          title={on ? t.turnOff : t.turnOn}
          lead={on ? t.offLead : t.onLead}
          act={on ? t.turnOff : t.turnOn}
          steps={[knownPin(texts)]}
          send={({ pin = "" }) => service.order("technician", { pin, on: !on })}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  );
}
