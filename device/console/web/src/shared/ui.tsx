import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { chooseLanguage, type Texts, useTexts } from "../texts";
import { Icon, type IconName } from "./icons";
import type { Origin, Person, Presence } from "./types";

// Whole names, not built from parts: the build keeps only those KERN classes that it finds in the sources.
const kinds = { primary: "kern-btn kern-btn--primary", secondary: "kern-btn kern-btn--secondary", tertiary: "kern-btn kern-btn--tertiary" };

interface ButtonProps {
  children: ComponentChildren;
  onClick?: () => void;
  kind?: keyof typeof kinds;
  icon?: IconName;
  /** Name for screen readers where the visible words need a complement; must begin with the visible words. */
  label?: string;
  pressed?: boolean;
  describedBy?: string | undefined;
  disabled?: boolean;
  submit?: boolean;
  class?: string;
  action?: string;
}

/** A KERN button. A disabled one keeps its focus and says why in the text that describes it. */
export function Button(props: ButtonProps) {
  const { kind = "secondary", icon, label, pressed, describedBy, disabled = false, submit = false, action } = props;
  return (
    <button
      type={submit ? "submit" : "button"}
      class={`${kinds[kind]} ${props.class ?? ""}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-describedby={describedBy}
      aria-disabled={disabled || undefined}
      data-action={action}
      onClick={(event) => {
        if (disabled) event.preventDefault();
        else props.onClick?.();
      }}
    >
      {icon && <Icon name={icon} />}
      <span class="kern-label">{props.children}</span>
    </button>
  );
}

/** A square button whose meaning is an icon; its name is for screen readers and as a tooltip. */
export function IconButton(props: { icon: IconName; label: string; onClick: () => void; disabled?: boolean; action?: string }) {
  return (
    <button
      type="button"
      class="kern-btn kern-btn--tertiary icon-button"
      aria-label={props.label}
      title={props.label}
      aria-disabled={props.disabled || undefined}
      data-action={props.action}
      onClick={() => !props.disabled && props.onClick()}
    >
      <Icon name={props.icon} />
    </button>
  );
}

export type Tone = "info" | "success" | "warning" | "danger";

/** A short notice with a coloured edge; the tone is also said by its icon and words. */
export function Notice(props: { tone: Tone; title: string; children?: ComponentChildren; role?: "alert" | "status"; loud?: boolean }) {
  return (
    <div class={`notice notice-${props.tone} ${props.loud ? "notice-loud" : ""}`} role={props.role}>
      <Icon name={props.tone === "success" ? "check" : props.tone === "info" ? "question" : "warning"} large={props.loud ?? false} />
      <div class="notice-text">
        <strong>{props.title}</strong>
        {props.children}
      </div>
    </div>
  );
}

/** The two notices every page must show: the view is out of date, and the sitting is not being recorded. */
export function Alarms({ stale, recorded }: { stale: boolean; recorded: boolean }) {
  const texts = useTexts();
  return (
    <div class="alarms" role="alert">
      {stale && (
        <Notice tone="danger" title={texts.stale.title} loud>
          <p>{texts.stale.body}</p>
        </Notice>
      )}
      {!recorded && (
        <Notice tone="danger" title={texts.unrecorded.title} loud>
          <p>{texts.unrecorded.body}</p>
        </Notice>
      )}
    </div>
  );
}

export function LanguageSwitch() {
  const texts = useTexts();
  const other = texts.lang === "de" ? "en" : "de";
  return (
    <button type="button" class="kern-btn kern-btn--tertiary language" lang={other} onClick={() => chooseLanguage(other)}>
      <span class="kern-label">{texts.switchLanguage}</span>
    </button>
  );
}

/** Says something to screen readers without showing it. Polite waits for a pause, assertive interrupts. */
export function Announcer({ text, urgent = false }: { text: string; urgent?: boolean }) {
  // Saying the same sentence twice needs the region to change in between.
  const [said, setSaid] = useState("");
  useEffect(() => {
    setSaid("");
    const timer = setTimeout(() => setSaid(text), 50);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="kern-sr-only" aria-live={urgent ? "assertive" : "polite"} aria-atomic="true">
      {said}
    </div>
  );
}

interface DialogProps {
  title: string;
  /** The sentence that is read out with the title. */
  lead: string;
  children?: ComponentChildren;
  footer: (close: () => void) => ComponentChildren;
  onClose: () => void;
}

/** A modal dialog; Escape closes it, the focus goes back to where it came from. */
export function Dialog({ title, lead, children, footer, onClose }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog class="kern-dialog" ref={dialog} aria-labelledby={`${id}-t`} aria-describedby={`${id}-b`} onClose={onClose}>
      <header class="kern-dialog__header">
        <h2 class="kern-title kern-title--large" id={`${id}-t`}>
          {title}
        </h2>
      </header>
      <section class="kern-dialog__body">
        <p class="kern-body" id={`${id}-b`}>
          {lead}
        </p>
        {children}
      </section>
      <footer class="kern-dialog__footer">{footer(() => dialog.current?.close())}</footer>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  body: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
}

/** A question before something that cannot be undone by a second touch. The harmless answer has the focus. */
export function Confirm({ title, body, yes, no, onYes, onNo }: ConfirmProps) {
  const footer = (close: () => void) => (
    <>
      <Button kind="secondary" action="dialog-no" onClick={close}>
        {no}
      </Button>
      <Button
        kind="primary"
        class="danger"
        action="dialog-yes"
        onClick={() => {
          onYes();
          close();
        }}
      >
        {yes}
      </Button>
    </>
  );
  return <Dialog title={title} lead={body} footer={footer} onClose={onNo} />;
}

/** How a request came in, as a word. */
export function originText(texts: Texts, origin: Origin, seat: string | undefined): string {
  if (origin === "desk") return seat ? texts.origin.seat(seat) : texts.origin.desk;
  return texts.origin[origin];
}

const originIcons: Record<Origin, IconName> = { desk: "seat", remote: "remote", text: "text" };

/** How a request came in, as icon and word. */
export function OriginMark({ origin, seat }: { origin: Origin; seat?: string | undefined }) {
  const texts = useTexts();
  return (
    <span class={`origin origin-${origin}`}>
      <Icon name={originIcons[origin]} />
      {originText(texts, origin, seat)}
    </span>
  );
}

const presenceIcons: Record<Presence, IconName> = { hall: "seat", remote: "remote", connecting: "waiting", absent: "absent" };

/** How a person takes part, as icon and word. */
export function PresenceMark({ person }: { person: Pick<Person, "presence"> }) {
  const texts = useTexts();
  return (
    <span class={`presence presence-${person.presence}`}>
      <Icon name={presenceIcons[person.presence]} />
      {texts.presence[person.presence]}
    </span>
  );
}

/** A whole-page message: no valid link, replaced by another window, loading. */
export function Plain(props: { title: string; children?: ComponentChildren; alert?: boolean }) {
  return (
    <main class="plain">
      <div class="plain-top">
        <LanguageSwitch />
      </div>
      <div class="plain-card" role={props.alert ? "alert" : undefined}>
        <h1 class="kern-heading-medium">{props.title}</h1>
        {props.children}
      </div>
    </main>
  );
}
