import { useState } from "preact/hooks";
import type { Sender } from "../shared/hooks";
import { Icon, type IconName } from "../shared/icons";
import type { View } from "../shared/types";
import { Confirm } from "../shared/ui";
import { useTexts } from "../texts";
import { notReady } from "./readiness";

interface BigProps {
  icon: IconName;
  title: string;
  sub: string;
  kind?: string;
  pressed?: boolean;
  disabled?: boolean;
  action: string;
  onClick: () => void;
}

/** A large button of two lines: what it does, and whom or what it would affect now. */
function Big({ icon, title, sub, kind = "", pressed, disabled = false, action, onClick }: BigProps) {
  return (
    <button
      type="button"
      class={`big ${kind}`}
      aria-pressed={pressed}
      aria-disabled={disabled || undefined}
      data-action={action}
      onClick={() => !disabled && onClick()}
    >
      <Icon name={icon} large />
      <span class="big-text">
        <span class="big-title">{title}</span>
        <span class="big-sub">{sub}</span>
      </span>
    </button>
  );
}

interface ActionsProps {
  view: View;
  send: Sender["send"];
  onOpen: () => void;
}

/** The largest key: opens the sitting, and from then on gives the word to the next. */
function First({ view, noWord, send, onOpen }: ActionsProps & { noWord: string | null }) {
  const texts = useTexts();
  const t = texts.panel;
  const first = view.requests[0];
  if (view.phase !== "open") {
    const sub = notReady(view.items).length > 0 ? t.opening.sub : texts.phase[view.phase];
    return <Big icon="check" kind="big-primary" action="open" title={t.open} sub={sub} onClick={onOpen} />;
  }
  return (
    <Big
      icon="next"
      kind="big-primary"
      action="next"
      title={t.next}
      sub={noWord ?? (first ? t.nextWho(first.name) : t.nextNobody)}
      disabled={!first || noWord !== null}
      onClick={() => void send("next", {})}
    />
  );
}

/** The chair's few large keys. */
export function Actions({ view, send, onOpen }: ActionsProps) {
  const texts = useTexts();
  const [asking, setAsking] = useState(false);
  const t = texts.panel;
  const open = view.phase === "open";
  const notOpen = open ? null : texts.problem.not_open;
  const noWord = notOpen ?? (view.alarm ? texts.alarm.noWord : null);
  const speaks = view.speakers.some((s) => s.person === view.me.id);
  const listed = view.requests.some((r) => r.person === view.me.id);
  return (
    <section class="actions" aria-label={t.actions}>
      <First view={view} noWord={noWord} send={send} onOpen={onOpen} />
      <Big
        icon="priority"
        kind={view.silenced ? "big-held" : ""}
        action="hold"
        pressed={view.silenced}
        title={view.silenced ? t.holdOn : t.hold}
        sub={noWord ?? (view.silenced ? t.holdIsOn : t.holdOff)}
        disabled={noWord !== null}
        onClick={() => void send("priority", { priority: view.silenced ? "release" : "hold" })}
      />
      <Big
        icon="micOff"
        kind="big-danger"
        action="clear"
        title={t.clear}
        sub={notOpen ?? t.clearWhat}
        disabled={!open}
        onClick={() => setAsking(true)}
      />
      <Big
        icon="mic"
        kind={speaks ? "big-on" : ""}
        action="my-mic"
        pressed={speaks}
        title={t.myMic}
        sub={noWord ?? (speaks ? t.myMicOn : t.myMicOff)}
        disabled={noWord !== null}
        onClick={() => void (speaks ? send("yield", {}) : send("request", {}))}
      />
      <Big
        icon="hand"
        action="queue-me"
        title={listed ? t.unqueueMe : t.queueMe}
        sub={notOpen ?? (listed ? t.listed(view.requests.findIndex((r) => r.person === view.me.id) + 1) : t.queueMeWhat)}
        disabled={!open}
        onClick={() => void (listed ? send("lower", {}) : send("request", { queue: true }))}
      />
      {asking && (
        <Confirm
          title={t.clearTitle}
          body={t.clearBody}
          yes={t.clearDo}
          no={texts.cancel}
          onYes={() => void send("priority", { priority: "clear" })}
          onNo={() => setAsking(false)}
        />
      )}
    </section>
  );
}
