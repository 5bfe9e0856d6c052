import type { ComponentChildren } from "preact";
import { useTexts } from "../texts";
import { Icon } from "./icons";
import { moment } from "./time";
import type { Alarm } from "./types";

interface AlarmBannerProps {
  alarm: Alarm | null;
  /** One more sentence, for those whom the page is for. */
  hint?: string;
  /** What can be done about it. */
  children?: ComponentChildren;
}

/** The alarm, as wide as the page and above everything else on it. Its place is there before it: so it is read out. */
export function AlarmBanner({ alarm, hint, children }: AlarmBannerProps) {
  const texts = useTexts();
  const t = texts.alarm;
  return (
    <section class={alarm ? "alarm" : "alarm-none"} aria-label={alarm ? t.title : undefined}>
      <div class="alarm-words" role="alert">
        {alarm && (
          <>
            <Icon name="warning" large />
            <div>
              <p class="alarm-title">
                <strong>{t.title}:</strong> {t.rests} {t.follow}
              </p>
              <p class="alarm-about">
                {t.about(alarm.reason, moment(alarm.since, Date.now(), texts.lang))} {hint}
              </p>
            </div>
          </>
        )}
      </div>
      {alarm && children}
    </section>
  );
}
