import type { Item, View } from "../shared/types";
import { Button, Notice } from "../shared/ui";
import { type Texts, useTexts } from "../texts";

type Kind = keyof Texts["panel"]["devices"]["kind"];

/** The required devices that a sitting cannot count on now. */
export function notReady(items: readonly Item[]): Item[] {
  return items.filter((item) => item.required && item.red);
}

/** Why a firm item is red, in the reader's language where we know it. */
export function firmReason(texts: Texts, item: Item): string {
  const known = texts.panel.opening.firm;
  return Object.hasOwn(known, item.id) ? known[item.id as keyof typeof known] : item.reason || texts.panel.opening.unknown;
}

/** A device's name, and in brackets its kind (ids begin with it) and what else is to be said of it. */
export function itemName(texts: Texts, id: string, name: string, ...more: string[]): string {
  const kinds = texts.panel.devices.kind;
  const kind = id.split("/", 1)[0]!;
  const about = [...(Object.hasOwn(kinds, kind) ? [kinds[kind as Kind]] : []), ...more].join(", ");
  return about ? `${name} (${about})` : name;
}

/** Red required devices, and those without which the sitting was opened; for as long as there are any. */
export function Readiness({ view, onShow }: { view: View; onShow: () => void }) {
  const texts = useTexts();
  const t = texts.panel.devices;
  const open = view.phase === "open";
  const waived = open ? view.overrides : [];
  const red = notReady(view.items).filter((item) => !waived.some((o) => o.item === item.id));
  const names = red.map((item) => itemName(texts, item.id, item.name)).join(", ");
  const healed = (id: string) => !view.items.some((item) => item.id === id && item.red);
  const despite = waived.map((o) => itemName(texts, o.item, o.name, ...(healed(o.item) ? [t.healed] : []))).join(", ");
  return (
    <div class="readiness" role="status">
      {red.length > 0 && (
        <Notice tone="danger" title={open ? t.failed(names) : t.notReady(names)}>
          {red.length === 1 && red[0]!.reason && <p>{red[0]!.firm ? firmReason(texts, red[0]!) : red[0]!.reason}</p>}
        </Notice>
      )}
      {waived.length > 0 && <Notice tone="warning" title={t.opened(despite)} />}
      {red.length + waived.length > 0 && (
        <Button kind="tertiary" action="show-devices" onClick={onShow}>
          {t.show}
        </Button>
      )}
    </div>
  );
}
