import { duration, timesOfDay } from "../shared/time";
import type { View } from "../shared/types";
import { OriginMark } from "../shared/ui";
import { useTexts } from "../texts";

/** Who speaks and who waits, as everybody in the sitting sees it. */
export function OrderList({ view, now }: { view: View; now: number }) {
  const texts = useTexts();
  const t = texts.member;
  const times = timesOfDay(view.requests.map((r) => r.at));
  const mine = (person: string) => person === view.me.id;
  return (
    <section class="order" aria-labelledby="order-title">
      <h2 class="section-title" id="order-title">
        {t.list}
      </h2>
      {view.silenced && <p class="order-silenced">{texts.silenced}</p>}
      <ul class="order-speakers" role="list" aria-label={texts.panel.speakers}>
        {view.speakers.length === 0 && <li class="order-nobody">{texts.panel.nobody}</li>}
        {view.speakers.map((s) => (
          <li key={s.grant}>
            <span class="order-name">{mine(s.person) ? t.you : s.name}</span>
            {s.chair ? <span>{texts.role.chair}</span> : <OriginMark origin={s.origin} seat={s.seat} />}
            <span class="order-time">{duration(now - Date.parse(s.since))}</span>
          </li>
        ))}
      </ul>
      {view.requests.length === 0 && <p class="order-nobody">{t.listEmpty}</p>}
      <ol class="order-requests" role="list" aria-label={t.list}>
        {view.requests.map((r, i) => (
          <li key={r.id} class={mine(r.person) ? "mine" : ""} data-person={r.person}>
            <span class="order-place">{i + 1}</span>
            <span class="order-name">{mine(r.person) ? `${r.name} (${t.you})` : r.name}</span>
            <OriginMark origin={r.origin} seat={r.seat} />
            <time class="order-time" dateTime={r.at}>
              {times[i]}
            </time>
          </li>
        ))}
      </ol>
    </section>
  );
}
