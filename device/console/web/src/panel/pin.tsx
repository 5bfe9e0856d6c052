import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Api, ApiError } from "../shared/api";
import { Button, LanguageSwitch, Notice } from "../shared/ui";
import { problemText, useTexts } from "../texts";
import { PinPad } from "./pinpad";

/** Asks for the chair's PIN; works with touch, a keyboard and a screen reader. Fresh: it was set a moment ago. */
export function PinPage({ ended, fresh, onToken }: { ended: boolean; fresh: boolean; onToken: (token: string) => void }) {
  const texts = useTexts();
  const input = useRef<HTMLInputElement>(null);
  const [pin, setPin] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [wait, setWait] = useState(0);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    document.title = `${texts.pin.title} – ${texts.product}`;
  }, [texts]);
  // At once, so that somebody who types on from the step before loses no digit.
  useLayoutEffect(() => input.current?.focus(), []);
  useEffect(() => {
    if (wait <= 0) return;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);

  const submit = async () => {
    if (busy || wait > 0) return;
    if (pin === "") return setProblem("empty");
    setBusy(true);
    setProblem(null);
    try {
      const session = await new Api("").session(pin);
      onToken(session.token);
      return;
    } catch (error) {
      const refused = error instanceof ApiError ? error : new ApiError("internal", 0);
      setProblem(refused.code);
      if (refused.code === "too_many_tries") setWait(refused.retryAfter ?? 30);
    }
    setPin("");
    setBusy(false);
    input.current?.focus();
  };

  const message = pinMessage(texts, problem, wait);
  return (
    <main class="pin-page">
      <div class="plain-top">
        <LanguageSwitch />
      </div>
      <form
        class="pin-card"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h1 class="kern-heading-medium">{texts.pin.title}</h1>
        {ended && problem === null && <Notice tone="info" title={texts.pin.ended} />}
        {fresh && problem === null && <Notice tone="success" title={texts.first.done} role="status" />}
        <div class="kern-form-input">
          <label class="kern-label" for="pin">
            {texts.pin.label}
          </label>
          <div class="kern-hint" id="pin-hint">
            {texts.pin.hint}
          </div>
          <input
            ref={input}
            id="pin"
            class="kern-form-input__input pin-input"
            type="password"
            inputMode="none"
            autocomplete="off"
            value={pin}
            aria-describedby="pin-hint pin-problem"
            aria-invalid={message !== ""}
            onInput={(event) => setPin(event.currentTarget.value)}
          />
        </div>
        <div id="pin-problem" class="pin-problem" role="alert">
          {message && <Notice tone="danger" title={message} />}
        </div>
        <PinPad value={pin} onChange={setPin} />
        <Button kind="primary" class="kern-btn--block" submit disabled={busy || wait > 0} describedBy="pin-problem">
          {texts.pin.enter}
        </Button>
      </form>
    </main>
  );
}

function pinMessage(texts: ReturnType<typeof useTexts>, problem: string | null, wait: number): string {
  if (problem === null) return "";
  if (problem === "empty") return texts.pin.empty;
  if (problem === "too_many_tries") return wait > 0 ? texts.pin.wait(wait) : "";
  if (problem === "no_pin") return `${texts.problem.no_pin} ${texts.pin.noPin}`;
  return problemText(texts, problem);
}
