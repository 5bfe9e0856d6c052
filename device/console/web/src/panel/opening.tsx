import { useEffect, useId, useState } from "preact/hooks";
import type { Sender } from "../shared/hooks";
import type { Item } from "../shared/types";
import { Button, Dialog, Notice } from "../shared/ui";
import { problemText, useTexts } from "../texts";
import { firmReason, itemName, notReady } from "./readiness";

/** The ticks that still count: one on a device that got well meanwhile is worth nothing when it fails again. */
export function kept(ticked: readonly string[], red: readonly Item[]): string[] {
  return ticked.filter((id) => red.some((item) => item.id === id));
}

interface OpeningProps {
  items: readonly Item[];
  sender: Sender;
  onDone: () => void;
}

/** Asks for every red required device by name whether the sitting opens without it. */
export function Opening({ items, sender, onDone }: OpeningProps) {
  const texts = useTexts();
  const t = texts.panel.opening;
  const why = useId();
  const red = notReady(items);
  const firm = red.filter((item) => item.firm);
  const [ticked, setTicked] = useState<string[]>([]);
  useEffect(() => setTicked((before) => kept(before, red)), [items]);
  const missing = red.filter((item) => !ticked.includes(item.id)).length;
  const open = async () => {
    if (await sender.send("open", red.length > 0 ? { overrides: red.map((item) => item.id) } : {})) onDone();
  };
  const footer = (close: () => void) => (firm.length > 0 ? (
    <Button kind="primary" action="dialog-no" onClick={close}>
      {texts.close}
    </Button>
  ) : (
    <>
      <Button kind="secondary" action="dialog-no" onClick={close}>
        {texts.cancel}
      </Button>
      <Button kind="primary" class={red.length > 0 ? "danger" : ""} action="dialog-yes" disabled={missing > 0} describedBy={why} onClick={() => void open()}>
        {red.length > 0 ? t.do : texts.panel.open}
      </Button>
    </>
  ));
  if (firm.length > 0)
    return (
      <Dialog title={t.firmTitle} lead={t.firmLead} footer={footer} onClose={onDone}>
        <ul role="list">
          {firm.map((item) => (
            <li key={item.id}>
              <strong>{itemName(texts, item.id, item.name)}</strong>: {firmReason(texts, item)}
            </li>
          ))}
        </ul>
      </Dialog>
    );
  return (
    <Dialog title={red.length > 0 ? t.title : texts.panel.open} lead={red.length > 0 ? t.lead : t.healed} footer={footer} onClose={onDone}>
      <ul class="waivers" role="list">
        {red.map((item) => (
          <li key={item.id}>
            <Waiver
              item={item}
              ticked={ticked.includes(item.id)}
              onTick={(on) => setTicked((before) => [...before.filter((id) => id !== item.id), ...(on ? [item.id] : [])])}
            />
          </li>
        ))}
      </ul>
      <p id={why} role="status">
        {red.length > 0 && (missing > 0 ? t.missing(missing) : t.all)}
      </p>
      <div role="alert">{sender.error !== null && sender.error !== "not_ready" && <Notice tone="danger" title={problemText(texts, sender.error)} />}</div>
    </Dialog>
  );
}

function Waiver({ item, ticked, onTick }: { item: Item; ticked: boolean; onTick: (on: boolean) => void }) {
  const texts = useTexts();
  return (
    <label class={ticked ? "mode mode-on" : "mode"}>
      <input type="checkbox" data-action="waive" data-item={item.id} checked={ticked} onChange={(event) => onTick(event.currentTarget.checked)} />
      <span>
        <strong>{itemName(texts, item.id, item.name)}</strong>
        <span class="mode-hint">{item.reason || texts.panel.opening.unknown}</span>
      </span>
    </label>
  );
}
