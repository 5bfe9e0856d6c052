import { useEffect, useState } from "preact/hooks";
import type { Sender } from "../shared/hooks";
import { timeOfDay } from "../shared/time";
import type { Mode, View } from "../shared/types";
import { Button, Confirm, IconButton } from "../shared/ui";
import { useTexts } from "../texts";

const MODES: Mode[] = ["chair_grants", "first_come", "override"];

interface SittingProps {
  view: View;
  send: Sender["send"];
  onOpen: () => void;
  onSignOut: () => void;
}

/** Opening and closing, the rules of the list, and how the desks stand. */
export function Sitting({ view, send, onOpen, onSignOut }: SittingProps) {
  const texts = useTexts();
  const t = texts.panel;
  const [asking, setAsking] = useState(false);
  const open = view.phase === "open";
  return (
    <div class="sitting">
      <section class="block" aria-labelledby="sitting-title">
        <h2 class="section-title" id="sitting-title">
          {view.body}
        </h2>
        <p>
          {texts.phase[view.phase]}
          {view.opened_at && open && `, ${t.openedAt(timeOfDay(view.opened_at).slice(0, 5))}`}
        </p>
        {open ? (
          <Button kind="secondary" class="danger" action="close" onClick={() => setAsking(true)}>
            {t.closeSitting}
          </Button>
        ) : (
          <Button kind="primary" action="open-sitting" onClick={onOpen}>
            {t.open}
          </Button>
        )}
      </section>
      <Rules view={view} send={send} />
      <section class="block" aria-labelledby="desks-title">
        <h2 class="section-title" id="desks-title">
          {t.desks}
        </h2>
        {view.desks.length === 0 && <p>{t.noDesks}</p>}
        <ul class="desks" role="list">
          {view.desks.map((desk) => (
            <li key={desk.name} class={`desk desk-${desk.link}`}>
              <strong>{desk.name}</strong> {texts.link[desk.link]}
              {desk.reason && <span class="reason">{desk.reason}</span>}
            </li>
          ))}
        </ul>
      </section>
      <Button kind="tertiary" action="sign-out" onClick={onSignOut}>
        {t.signOut}
      </Button>
      {asking && (
        <Confirm title={t.closeTitle} body={t.closeBody} yes={t.closeDo} no={t.closeNo} onYes={() => void send("close", {})} onNo={() => setAsking(false)} />
      )}
    </div>
  );
}

// Rules are a draft until applied: arrow keys in a radio group must not change how the word is given.
function Rules({ view, send }: { view: View; send: Sender["send"] }) {
  const texts = useTexts();
  const t = texts.panel;
  const [mode, setMode] = useState(view.mode);
  const [limit, setLimit] = useState(view.limit);
  useEffect(() => setMode(view.mode), [view.mode]);
  useEffect(() => setLimit(view.limit), [view.limit]);
  const same = mode === view.mode && limit === view.limit;
  const open = view.phase === "open";
  return (
    <section class="block" aria-labelledby="rules-title">
      <h2 class="section-title" id="rules-title">
        {t.rules}
      </h2>
      <fieldset class="modes">
        <legend>{t.modeLabel}</legend>
        {MODES.map((name) => (
          <label key={name} class={name === mode ? "mode mode-on" : "mode"}>
            <input type="radio" name="mode" value={name} checked={name === mode} onChange={() => setMode(name)} />
            <span>
              <strong>{texts.mode[name]}</strong>
              <span class="mode-hint">{t.modeHint[name]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="limit" role="group" aria-labelledby="limit-label" aria-describedby="limit-hint">
        <span id="limit-label" class="limit-label">
          {t.limitSetting}
        </span>
        <span class="stepper">
          <IconButton icon="minus" label={t.fewer} action="fewer" disabled={limit <= 1} onClick={() => setLimit(limit - 1)} />
          <output class="limit-value" aria-live="polite">
            {limit}
          </output>
          <IconButton icon="plus" label={t.more} action="more" disabled={limit >= view.max_limit} onClick={() => setLimit(limit + 1)} />
        </span>
        <span id="limit-hint" class="mode-hint">
          {t.limitHint}
        </span>
      </div>
      <Button kind="primary" action="apply-rules" disabled={same || !open} describedBy="rules-why" onClick={() => void send("rules", { mode, limit })}>
        {t.apply}
      </Button>
      <p id="rules-why" class="mode-hint">
        {open ? same && t.unchanged : texts.problem.not_open}
      </p>
    </section>
  );
}
