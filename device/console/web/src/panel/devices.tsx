import { useEffect, useState } from "preact/hooks";
import type { Api } from "../shared/api";
import { Icon, type IconName } from "../shared/icons";
import { poll } from "../shared/poll";
import { moment } from "../shared/time";
import type { Device, DeviceState, Override, View } from "../shared/types";
import { Notice } from "../shared/ui";
import { useTexts } from "../texts";
import { type Selftest, SelftestBlock } from "./selftest";

const EVERY = 2000; // ms between two looks at the devices
const KINDS = ["camera", "microphone", "output", "desk", "lines", "record"] as const;
type Kind = (typeof KINDS)[number] | "other";

/** Devices by kind, in the order of the kinds; kinds that this page does not know come last. */
export function byKind(devices: readonly Device[]): [Kind, Device[]][] {
  const kindOf = (device: Device): Kind => KINDS.find((kind) => kind === device.kind) ?? "other";
  return [...KINDS, "other" as const]
    .map((kind): [Kind, Device[]] => [kind, devices.filter((device) => kindOf(device) === kind)])
    .filter(([, list]) => list.length > 0);
}

/** The devices of the house and their self-test. */
export function Devices({ api, view, now, selftest }: { api: Api; view: View; now: number; selftest: Selftest }) {
  const texts = useTexts();
  const t = texts.panel.devices;
  const { devices, fresh } = useDevices(api);
  return (
    <div class="house">
      <SelftestBlock selftest={selftest} open={view.phase === "open"} now={now} />
      <div role="status">{!fresh && <Notice tone="warning" title={t.stale} />}</div>
      {devices === null && fresh && <p class="mode-hint">{t.loading}</p>}
      {devices?.length === 0 && <p>{t.none}</p>}
      {byKind(devices ?? []).map(([kind, list]) => (
        <section key={kind} aria-labelledby={`devices-${kind}`}>
          <h2 class="section-title" id={`devices-${kind}`}>
            {kind === "other" ? t.other : t.kinds[kind]}
          </h2>
          <ul class="rows" role="list">
            {list.map((device) => (
              <Row key={device.id} device={device} waived={view.overrides.find((o) => o.item === device.id)} now={now} />
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

const stateIcons: Record<DeviceState, IconName> = { starting: "clock", live: "check", degraded: "warning", lost: "close" };

function Row({ device, waived, now }: { device: Device; waived: Override | undefined; now: number }) {
  const texts = useTexts();
  const t = texts.panel.devices;
  return (
    <li class={`row device device-${device.state}`} data-device={device.id}>
      <span class="device-state">
        <Icon name={stateIcons[device.state]} />
        {t.state[device.state]}
      </span>
      <div class="who">
        <span class="about">
          <span class="name">{device.name}</span>
          {device.required && <span class="note">{t.required}</span>}
          {waived && <span class="note">{t.waived(moment(waived.at, now, texts.lang))}</span>}
        </span>
        {device.reason && <span class="device-reason">{device.reason}</span>}
        <span class="about">
          {device.mode && <span>{device.mode}</span>}
          {device.device && <span class="device-spec">{device.device}</span>}
        </span>
      </div>
      <span class="waits">{texts.since(moment(device.since, now, texts.lang))}</span>
    </li>
  );
}

/** The devices, asked for again and again for as long as the component lives; the last list stays when that fails. */
function useDevices(api: Api): { devices: Device[] | null; fresh: boolean } {
  const [devices, setDevices] = useState<Device[] | null>(null);
  const [fresh, setFresh] = useState(true);
  useEffect(() => {
    const stop = new AbortController();
    const tell = (list: Device[] | null) => {
      setFresh(list !== null);
      if (list !== null) setDevices(list);
    };
    void poll((signal) => api.devices(signal), EVERY, tell, stop.signal);
    return () => stop.abort();
  }, [api]);
  return { devices, fresh };
}
