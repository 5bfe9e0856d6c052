import { Icon } from "../shared/icons";
import { clock } from "../shared/time";
import type { View } from "../shared/types";
import { LanguageSwitch } from "../shared/ui";
import { useTexts } from "../texts";

/** The line on top: what sits, whether it is recorded, how the desks stand, what time it is. */
export function StatusLine({ view, now }: { view: View; now: number }) {
  const texts = useTexts();
  const t = texts.panel;
  const bad = view.desks.filter((d) => d.link !== "live");
  const count = (presence: string) => view.people.filter((p) => p.presence === presence).length;
  return (
    <header class="status">
      <h1 class="status-body">{view.body}</h1>
      <span class={`chip chip-${view.phase}`}>{texts.phase[view.phase]}</span>
      <span class={view.recorded ? "chip" : "chip chip-bad"}>
        <Icon name={view.recorded ? "check" : "warning"} />
        {view.recorded ? texts.recorded : texts.unrecorded.title}
      </span>
      {view.desks.length > 0 && (
        <span class={bad.length === 0 ? "chip" : "chip chip-bad"}>
          <Icon name={bad.length === 0 ? "check" : "warning"} />
          {bad.length === 0 ? t.desksOk : t.desksBad(bad.map((d) => d.name).join(", "))}
        </span>
      )}
      <span class="chip">
        <Icon name="people" />
        {t.present(count("hall"), count("remote"))}
      </span>
      <span class="status-end">
        <time class="clock">{clock(now)}</time>
        <LanguageSwitch />
      </span>
    </header>
  );
}
