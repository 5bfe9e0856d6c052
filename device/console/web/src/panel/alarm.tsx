import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { AlarmBanner } from "../shared/alarm";
import type { Sender } from "../shared/hooks";
import { Icon } from "../shared/icons";
import type { Alarm } from "../shared/types";
import { Button, Confirm } from "../shared/ui";
import { useTexts } from "../texts";

/** The alarm as the chair sees it: how its contact stands, and the way out of it once the contact is free. */
export function PanelAlarm({ alarm, send }: { alarm: Alarm | null; send: Sender["send"] }) {
  return (
    <AlarmBanner alarm={alarm}>
      <Ending over={alarm?.over ?? false} send={send} />
    </AlarmBanner>
  );
}

function Ending({ over, send }: { over: boolean; send: Sender["send"] }) {
  const texts = useTexts();
  const t = texts.alarm;
  const root = useRef<HTMLDivElement>(null);
  const [asking, setAsking] = useState(false);
  // A question that the contact took away is not asked again by itself.
  useEffect(() => {
    if (!over) setAsking(false);
  }, [over]);
  // With the alarm its button goes; the keyboard must not lose its place with it.
  useLayoutEffect(() => {
    const place = root.current;
    return () => {
      if (place?.contains(document.activeElement)) document.querySelector("main")?.focus();
    };
  }, []);
  return (
    <div class="alarm-end" ref={root}>
      <div role="status">
        <p class={over ? "alarm-contact" : "alarm-contact alarm-holds"}>
          <Icon name={over ? "check" : "clock"} />
          {over ? t.free : t.holds}
        </p>
        {!over && <p>{t.holdsHint}</p>}
      </div>
      {over && (
        <Button action="all-clear" onClick={() => setAsking(true)}>
          {t.end}
        </Button>
      )}
      {over && asking && (
        <Confirm title={t.endTitle} body={t.endBody} yes={t.end} no={t.endNo} onYes={() => void send("all_clear", {})} onNo={() => setAsking(false)} />
      )}
    </div>
  );
}

/** Why nobody can be given the word, above the buttons that would give it. */
export function AlarmNote({ alarm }: { alarm: Alarm | null }) {
  const t = useTexts().alarm;
  return alarm === null ? null : (
    <p id={ALARM_NOTE} class="alarm-note">
      {t.nobody}
    </p>
  );
}

/** The id of the note, for buttons that are described by it. */
export const ALARM_NOTE = "alarm-note";
