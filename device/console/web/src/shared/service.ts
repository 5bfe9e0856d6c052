// What GET /api/v1/service answers: the box as a technician sees it. See device/console/openapi.yaml.

/** A sentence in both languages. */
export interface Said {
  text_de: string;
  text_en: string;
}

export type Severity = "info" | "warning" | "error" | "critical";

/** Something about the box that somebody should know. */
export interface Condition extends Said {
  code: string;
  /** What it is about where a code can stand several times: a device's id. */
  subject?: string;
  severity: Severity;
  detail: string;
  since: string;
}

/** A stick that is plugged in. */
export interface Stick extends Said {
  id: string;
  label: string;
  drive: string;
  /** update, setup, diagnosis, other; empty: not looked at yet. */
  kind: string;
  /** In use: not to be pulled. */
  busy: boolean;
}

export type UpdateState = "idle" | "offered" | "refused" | "installing" | "installed" | "rebooting" | "failed";

/** What became of the last update. */
export interface Outcome extends Said {
  result: "updated" | "went-back" | "interrupted" | "trial";
  version: string;
  from: string;
  at: string;
  seen: boolean;
}

export interface Update extends Said {
  state: UpdateState;
  /** Why it is refused or failed, for programs. */
  reason: string;
  version: string;
  notes: string;
  built: string;
  current: string;
  /** Bytes. */
  size: number;
  percent: number;
  step: string;
  last: Outcome | null;
}

/** What a setup stick brings. */
export interface Setup extends Said {
  state: "idle" | "offered" | "refused" | "applied";
  signed: boolean;
  lines: Said[];
}

/** What is written onto a diagnosis stick. */
export interface Diagnosis extends Said {
  state: "idle" | "writing" | "written" | "failed";
  file: string;
  encrypted: boolean;
}

/** A USB device that was not let in. */
export interface RefusedUsb {
  name: string;
  ids: string;
  classes: string[];
}

export interface ServiceView {
  release: { version: string; build: string; slot: string; compatible: string; support_until: string };
  /** The host name that a reset asks for, where the box tells it. */
  host?: string;
  sticks: Stick[];
  update: Update;
  setup: Setup;
  diagnosis: Diagnosis;
  /** While it is on, every USB device is let in; it ends by itself. */
  technician: { on: boolean; until?: string | null };
  /** The owner's PIN has been set. */
  owner: boolean;
  /** A sitting is open: sticks are noticed, nothing more. */
  sitting: boolean;
  refused_usb: RefusedUsb[];
  conditions: Condition[];
}

/** What the box still lacks before anybody can log in. */
export interface First {
  owner: boolean;
  chair: boolean;
  /** This page runs at the box itself. */
  local: boolean;
}

/** Orders to the box and what each takes; pin is the owner's. */
export interface Orders {
  install: { pin: string };
  reboot: { pin: string };
  setup: { pin: string };
  technician: { pin: string; on: boolean };
  reset: { pin: string; confirm: string };
  acknowledge: Record<string, never>;
}
export type OrderName = keyof Orders;

/** Makes a whole view of an answer: lists that are null are empty. */
export function whole(view: ServiceView): ServiceView {
  return {
    ...view,
    sticks: view.sticks ?? [],
    refused_usb: (view.refused_usb ?? []).map((device) => ({ ...device, classes: device.classes ?? [] })),
    conditions: view.conditions ?? [],
    setup: { ...view.setup, lines: view.setup.lines ?? [] },
  };
}
