import { useEffect, useRef, useState } from "preact/hooks";
import { Api, ApiError } from "../shared/api";
import { poll } from "../shared/poll";
import type { First } from "../shared/service";
import { Button, LanguageSwitch, Plain } from "../shared/ui";
import { useTexts } from "../texts";
import { newPin, StepField, useSteps } from "./steps";

const EVERY = 5000; // ms between two looks at a box that belongs to nobody yet

/** What the box still lacks before anybody can log in; null: not known (yet), or nothing. Asked for until nothing is. */
export function useFirst(): { lacks: First | null; tell: (first: First) => void } {
  const [first, setFirst] = useState<First | null>(null);
  const complete = first !== null && first.owner && first.chair;
  const told = useRef(0);
  useEffect(() => {
    if (complete) return;
    const stop = new AbortController();
    const api = new Api("");
    // A box that is no appliance lacks nothing that this page could give.
    const look = async (signal: AbortSignal) => {
      const before = told.current;
      const answer = await api.first(signal).catch((problem: unknown) => {
        if (problem instanceof ApiError && problem.code !== "busy") stop.abort();
        throw problem;
      });
      // Asked before a PIN was set and answered after: that would lead back to the step that is done.
      return before === told.current ? answer : null;
    };
    void poll(look, EVERY, (answer) => answer && setFirst(answer), stop.signal);
    return () => stop.abort();
  }, [complete]);
  const tell = (answer: First) => {
    told.current++;
    setFirst(answer);
  };
  return { lacks: complete ? null : first, tell };
}

/** Whether the box's state leaves something to be done here before anybody can log in. */
export function mustSetUp(lacks: First | null): lacks is First {
  return lacks !== null && (!lacks.owner || (!lacks.chair && lacks.local));
}

/** Takes the box into service: the owner's PIN, then the chair's; only on the box's own screen. */
export function FirstBoot({ lacks, onDone }: { lacks: First; onDone: (first: First) => void }) {
  const texts = useTexts();
  useEffect(() => {
    document.title = `${texts.first.title} – ${texts.product}`;
  }, [texts]);
  if (!lacks.local) {
    return (
      <Plain title={texts.first.elsewhere}>
        <p>{texts.first.elsewhereBody}</p>
      </Plain>
    );
  }
  return <SetPin key={lacks.owner ? "chair" : "owner"} chair={lacks.owner} onDone={onDone} />;
}

function SetPin({ chair, onDone }: { chair: boolean; onDone: (first: First) => void }) {
  const texts = useTexts();
  const t = texts.first;
  const steps = useSteps(newPin(texts, "fresh", t.pin), async ({ fresh = "" }) => {
    const api = new Api("");
    onDone(await (chair ? api.setChair(fresh) : api.setOwner(fresh)));
  });
  return (
    <main class="pin-page">
      <div class="plain-top">
        <LanguageSwitch />
      </div>
      <div class="pin-card first-card">
        <div class="first-words">
          <p class="mode-hint">{t.title}</p>
          <h1 class="kern-heading-medium">{chair ? t.chair : t.owner}</h1>
          <p>{chair ? t.chairLead : t.ownerLead}</p>
        </div>
        <div class="first-entry">
          <StepField steps={steps} />
          <div class="first-keys">
            {steps.at > 0 && (
              <Button kind="secondary" action="step-back" onClick={steps.back}>
                {texts.owner.back}
              </Button>
            )}
            <Button kind="primary" action="step-next" disabled={steps.busy || steps.wait > 0} onClick={steps.next}>
              {steps.at > 0 ? t.save : texts.owner.next}
            </Button>
          </div>
        </div>
      </div>
    </main>
  );
}
