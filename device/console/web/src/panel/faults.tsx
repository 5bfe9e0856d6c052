import type { Fault } from "../shared/types";
import { Notice } from "../shared/ui";
import { useTexts } from "../texts";

/** Microphones that did not do as they were told, and what the chair can do about each. */
export function Faults({ faults }: { faults: Fault[] }) {
  const t = useTexts().panel;
  return (
    <div class="faults" role="alert">
      {faults.map((f) => (
        <Notice key={`${f.seat} ${f.on}`} tone="danger" title={f.on ? t.faultOpen(f.seat, f.name) : t.faultClose(f.seat, f.name)}>
          <p>{f.on ? t.faultOpenHint : t.faultCloseHint}</p>
        </Notice>
      ))}
    </div>
  );
}
