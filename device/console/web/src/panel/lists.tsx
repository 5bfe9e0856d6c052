import type { Api } from "../shared/api";
import type { Sender } from "../shared/hooks";
import { Icon } from "../shared/icons";
import type { View } from "../shared/types";
import { useTexts } from "../texts";
import { Devices } from "./devices";
import { People } from "./people";
import { notReady } from "./readiness";
import { Requests } from "./requests";
import type { Selftest } from "./selftest";
import { ServiceArea } from "./service";
import { urgent } from "./servicenotes";
import { Sitting } from "./sitting";
import type { Service } from "./useservice";

export type Tab = "list" | "people" | "sitting" | "devices" | "service";
const TABS: Tab[] = ["list", "people", "sitting", "devices"];

interface ListsProps {
  api: Api;
  view: View;
  now: number;
  send: Sender["send"];
  selftest: Selftest;
  service: Service;
  tab: Tab;
  onTab: (tab: Tab) => void;
  onOpen: () => void;
  onSignOut: () => void;
}

/** Shows a tab and puts the keyboard on it. */
export function goTo(tab: Tab, onTab: (tab: Tab) => void): void {
  onTab(tab);
  document.getElementById(`tab-${tab}`)?.focus();
}

/** The left side: views as tabs (WAI-ARIA tabs pattern, arrow keys move between them); an appliance has one for technicians. */
export function Lists({ api, view, now, send, selftest, service, tab, onTab, onOpen, onSignOut }: ListsProps) {
  const texts = useTexts();
  const counts: Record<Tab, number | null> = {
    list: view.requests.length,
    people: view.people.filter((p) => p.presence !== "absent").length,
    sitting: null,
    devices: null,
    service: null,
  };
  const tabs: Tab[] = service.there ? [...TABS, "service"] : TABS;
  const bad: Partial<Record<Tab, number>> = { devices: notReady(view.items).length, service: service.view ? urgent(service.view, true).length : 0 };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]!;
    goTo(next, onTab);
  };
  return (
    <div class="lists">
      <div class="tabs" role="tablist" aria-label={texts.panel.tabsLabel} onKeyDown={key}>
        {tabs.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            class="tab"
            aria-selected={tab === name}
            aria-controls="tabpanel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => onTab(name)}
          >
            {texts.panel.tabs[name]}
            {counts[name] !== null && <span class={name === "list" && counts[name] > 0 ? "tab-count tab-count-on" : "tab-count"}>{counts[name]}</span>}
            <BadCount n={bad[name] ?? 0} text={name === "service" ? texts.service.bad : texts.panel.devices.bad} />
          </button>
        ))}
      </div>
      <div class="tabpanel" id="tabpanel" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={-1}>
        {tab === "list" && <Requests view={view} now={now} send={send} />}
        {tab === "people" && <People view={view} send={send} />}
        {tab === "sitting" && <Sitting view={view} send={send} onOpen={onOpen} onSignOut={onSignOut} />}
        {tab === "devices" && <Devices api={api} view={view} now={now} selftest={selftest} />}
        {tab === "service" && <ServiceArea api={api} service={service} now={now} />}
      </div>
    </div>
  );
}

function BadCount({ n, text }: { n: number; text: (n: number) => string }) {
  return n === 0 ? null : (
    <span class="tab-count tab-count-bad">
      <Icon name="warning" />
      <span aria-hidden="true">{n}</span>
      <span class="kern-sr-only">{text(n)}</span>
    </span>
  );
}
