import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../shared/api";
import { Notice } from "../shared/ui";
import { problemText, type Texts, useTexts } from "../texts";
import { Keyboard, PinPad } from "./pinpad";

export type Values = Readonly<Record<string, string>>;

/** One field of several that are asked for one after the other. */
export interface Step {
  name: string;
  label: string;
  hint: string;
  /** A name instead of a PIN. */
  text?: boolean;
  /** What is wrong with the value, in words; nothing when it will do. */
  check: (value: string, earlier: Values) => string | undefined;
}

/** What is wrong with a new PIN; the box has the same rules. */
export function pinFault(texts: Texts, pin: string): string | undefined {
  const t = texts.owner;
  if (pin === "") return t.empty;
  if (!/^[0-9]+$/.test(pin)) return t.digits;
  if (pin.length < 6) return t.short;
  if (pin.length > 32) return t.long;
  const steps = [...pin].slice(1).map((digit, i) => Number(digit) - Number(pin[i]));
  return Math.abs(steps[0]!) <= 1 && steps.every((step) => step === steps[0]) ? t.weak : undefined;
}

/** Asks for a PIN that is there already. */
export function knownPin(texts: Texts, name = "pin", label = texts.owner.pin): Step {
  return { name, label, hint: texts.owner.hint, check: (pin) => (pin === "" ? texts.owner.empty : undefined) };
}

/** Asks for a new PIN, twice; AGAIN is the name of the second. */
export function newPin(texts: Texts, name: string, label: string): Step[] {
  const t = texts.owner;
  return [
    { name, label, hint: t.rules, check: (pin) => pinFault(texts, pin) },
    { name: AGAIN, label: t.again, hint: t.againHint, check: (pin, earlier) => (pin === "" ? t.empty : pin !== earlier[name] ? t.differs : undefined) },
  ];
}

const AGAIN = "again";
const WAIT = 30; // s, when the box does not say how long

/** At which step a refusal is mended; undefined: it is none of the fields. */
export function stepOf(code: string, steps: readonly Step[]): number | undefined {
  const names: Record<string, string[]> = { wrong_pin: ["old", "pin"], too_many_tries: ["old", "pin"], weak_pin: ["fresh"], confirm: ["confirm"] };
  const at = steps.findIndex((step) => names[code]?.includes(step.name));
  return at < 0 ? undefined : at;
}

export interface Steps {
  steps: readonly Step[];
  at: number;
  step: Step;
  value: string;
  message: string;
  /** Seconds before the box takes another PIN. */
  wait: number;
  busy: boolean;
  set: (value: string) => void;
  next: () => void;
  back: () => void;
}

/** Goes through the steps and sends what was entered; a refusal leads back to the step that it is about. */
export function useSteps(steps: readonly Step[], send: (values: Values) => Promise<void>): Steps {
  const texts = useTexts();
  const [at, setAt] = useState(0);
  const [values, setValues] = useState<Values>({});
  const [message, setMessage] = useState("");
  const [wait, setWait] = useState(0);
  const [busy, setBusy] = useState(false);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);
  useEffect(() => {
    if (wait <= 0) return;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);

  const step = steps[at]!;
  const value = values[step.name] ?? "";
  const goTo = (index: number, words: string) => {
    setAt(index);
    setValues((before) => Object.fromEntries(Object.entries(before).filter(([name]) => steps.findIndex((s) => s.name === name) < index)));
    setMessage(words);
  };
  const finish = async () => {
    setBusy(true);
    try {
      await send(values);
    } catch (problem) {
      if (!alive.current) return;
      const refused = problem instanceof ApiError ? problem : new ApiError("internal", 0);
      if (refused.code === "too_many_tries") setWait(refused.retryAfter ?? WAIT);
      goTo(stepOf(refused.code, steps) ?? steps.length - 1, problemText(texts, refused.code));
    }
    if (alive.current) setBusy(false);
  };
  const next = () => {
    if (busy || wait > 0) return;
    const fault = step.check(value, values);
    setMessage(fault ?? "");
    if (fault !== undefined) return step.name === AGAIN && value !== "" ? goTo(at - 1, fault) : undefined;
    if (at + 1 < steps.length) setAt(at + 1);
    else void finish();
  };
  const set = (entered: string) => setValues((before) => ({ ...before, [step.name]: entered }));
  const back = () => goTo(at - 1, "");
  return { steps, at, step, value, message: wait > 0 ? texts.pin.wait(wait) : message, wait, busy, set, next, back };
}

/** The field of the present step with keys to touch; it has the focus, and what is wrong with it is said. */
export function StepField({ steps: { steps, at, step, value, message, busy, set, next } }: { steps: Steps }) {
  const texts = useTexts();
  const input = useRef<HTMLInputElement>(null);
  // At once, so that somebody who types on loses no digit.
  useLayoutEffect(() => {
    if (!busy) input.current?.focus();
  }, [at, busy, message !== ""]);
  return (
    <form
      class="step"
      onSubmit={(event) => {
        event.preventDefault();
        next();
      }}
    >
      <div class="kern-form-input">
        <label class="kern-label" for="step">
          {step.label}
          {steps.length > 1 && <span class="step-number">{texts.owner.step(at + 1, steps.length)}</span>}
        </label>
        <div class="kern-hint" id="step-hint">
          {step.hint}
        </div>
        <input
          key={step.name}
          ref={input}
          id="step"
          class="kern-form-input__input pin-input"
          {...(step.text ? { type: "text" } : { type: "password" })}
          inputMode="none"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={value}
          aria-describedby="step-hint step-problem"
          aria-invalid={message !== ""}
          onInput={(event) => set(event.currentTarget.value)}
        />
      </div>
      <div id="step-problem" class="pin-problem" role="alert">
        {message && <Notice tone="danger" title={message} />}
      </div>
      {step.text ? <Keyboard value={value} onChange={set} /> : <PinPad value={value} onChange={set} />}
    </form>
  );
}
