import { useRef } from "preact/hooks";
import { Button, Dialog } from "../shared/ui";
import { useTexts } from "../texts";
import { StepField, type Step, useSteps, type Values } from "./steps";

interface OrderProps {
  title: string;
  lead: string;
  /** What is done, on the last button. */
  act: string;
  danger?: boolean;
  steps: readonly Step[];
  send: (values: Values) => Promise<unknown>;
  onClose: () => void;
}

/** Asks for what an order needs, one field after the other, and gives it; closes when the box has taken it. */
export function Order({ title, lead, act, danger = false, steps, send, onClose }: OrderProps) {
  const texts = useTexts();
  const shut = useRef(onClose); // by the dialog itself, which gives the focus back
  const state = useSteps(steps, async (values) => {
    await send(values);
    shut.current();
  });
  const last = state.at === steps.length - 1;
  const footer = (close: () => void) => {
    shut.current = close;
    return (
      <>
        <Button kind="secondary" action="dialog-no" onClick={close}>
          {texts.cancel}
        </Button>
        {state.at > 0 && (
          <Button kind="secondary" action="step-back" onClick={state.back}>
            {texts.owner.back}
          </Button>
        )}
        <Button kind="primary" class={danger && last ? "danger" : ""} action="step-next" disabled={state.busy || state.wait > 0} onClick={state.next}>
          {last ? act : texts.owner.next}
        </Button>
      </>
    );
  };
  return (
    <Dialog title={title} lead={lead} footer={footer} onClose={onClose}>
      <StepField steps={state} />
    </Dialog>
  );
}
