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
  media: { voices: number };
}

/** Why the box ended the event stream on purpose. */
export type GoneCode = "replaced" | "revoked" | "closing";

/** Commands and what each takes; a missing person is the caller. */
export interface Commands {
  open: Record<string, never>;
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
}
export type CommandName = keyof Commands;
