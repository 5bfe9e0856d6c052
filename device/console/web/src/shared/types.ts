// What the console's HTTP API speaks: see device/console/openapi.yaml. Times are RFC 3339 with milliseconds.

export type Role = "chair" | "member" | "clerk" | "guest" | "screen";
export type Origin = "desk" | "remote" | "text";
export type Mode = "chair_grants" | "first_come" | "override";
export type Phase = "ready" | "open" | "closed";
export type Presence = "absent" | "hall" | "remote" | "connecting";
export type LinkState = "down" | "connecting" | "syncing" | "live" | "degraded" | "standalone";
export type Priority = "clear" | "hold" | "release";

/** Somebody who has the word. */
export interface Speaker {
  person: string;
  name: string;
  group?: string;
  seat?: string;
  origin: Origin;
  since: string;
  rule: string;
  chair?: boolean;
  mic: "opening" | "open";
  grant: number;
}

/** A raised hand in the list. */
export interface Request {
  id: number;
  person: string;
  name: string;
  group?: string;
  seat?: string;
  origin: Origin;
  at: string;
  entered_by?: string;
  moved?: boolean;
  /** Its microphone did not open; it waits for the chair. */
  failed?: boolean;
}

/** A microphone that did not do what the sitting decided; told to the chair. */
export interface Fault {
  seat: string;
  name: string;
  /** What was ordered. */
  on: boolean;
  reason: string;
  at: string;
}

/** What is known of a person's media connection; sent to the chair, and to the person about themselves. */
export interface Leg {
  publishes: boolean;
  plays: boolean;
  audio: boolean;
  video: boolean;
  dtls?: string;
  cipher?: string;
  srtp?: string;
}

export interface Person {
  id: string;
  name: string;
  group?: string;
  role: Role;
  seat?: string;
  remote?: boolean;
  presence: Presence;
  media?: Leg;
}

/** Who stands in the picture slot of the word. */
export interface Word {
  kind: "hall" | "seat" | "remote";
  seat?: string;
  person?: string;
  name?: string;
}

export interface Desk {
  name: string;
  link: LinkState;
  reason?: string;
}

/** A contact of the house (fire, emergency) that makes the sitting rest. */
export interface Alarm {
  reason: string;
  since: string;
  /** The contact is free again; the chair may end the alarm. */
  over: boolean;
}

/** A device as far as opening a sitting depends on it; told to the chair. */
export interface Item {
  /** Kind and name, such as "camera/Totale". */
  id: string;
  name: string;
  required: boolean;
  /** Nobody may open a sitting without it: the box is not ready to be used. */
  firm?: boolean;
  /** A sitting cannot count on it now. */
  red: boolean;
  reason: string;
}

/** A red device without which the sitting was opened by name; told to the chair. */
export interface Override {
  item: string;
  name: string;
  /** Why it was red then. */
  reason: string;
  /** The chair's name; empty: the technician. */
  by: string;
  at: string;
}

export type DeviceState = "starting" | "live" | "degraded" | "lost";

/** A device as it is now. */
export interface Device {
  id: string;
  /** camera, microphone, output, desk, lines, record */
  kind: string;
  name: string;
  /** How the configuration names the thing itself, such as "usb:SERIAL". */
  device: string;
  required: boolean;
  state: DeviceState;
  /** One line with what to do; empty when live. */
  reason: string;
  /** What it runs at; empty when it does not. */
  mode: string;
  since: string;
}

/** One line of a self-test. */
export interface Check {
  id: string;
  name: string;
  required: boolean;
  ok: boolean;
  /** Left out, and why is in the text; neither good nor bad. */
  left: boolean;
  text_de: string;
  text_en: string;
  took_ns: number;
}

/** The outcome of a self-test. */
export interface Report {
  at: string;
  go: boolean;
  checks: Check[];
}

/** The whole sitting as one caller sees it. */
export interface View {
  seq: number;
  now: string;
  recorded: boolean;
  body: string;
  phase: Phase;
  opened_at?: string;
  mode: Mode;
  limit: number;
  max_limit: number;
  silenced: boolean;
  me: { id: string; name: string; role: Role };
  speakers: Speaker[];
  requests: Request[];
  people: Person[];
  word: Word;
  desks: Desk[];
  faults: Fault[];
  alarm: Alarm | null;
  items: Item[];
  overrides: Override[];
  media: { voices: number };
}

/** Why the box ended the event stream on purpose. */
export type GoneCode = "replaced" | "revoked" | "closing";

/** Commands and what each takes; a missing person is the caller. */
export interface Commands {
  /** Ids of red required items without which the sitting opens nevertheless. */
  open: { overrides?: string[] };
  close: Record<string, never>;
  request: { person?: string; queue?: boolean };
  lower: { person?: string };
  refuse: { person: string; reason?: string };
  move: { person: string; index: number };
  grant: { person: string };
  next: Record<string, never>;
  withdraw: { person: string };
  yield: { person?: string };
  priority: { priority: Priority };
  rules: { mode: Mode; limit: number };
  all_clear: Record<string, never>;
}
export type CommandName = keyof Commands;
