import type { Request, Speaker, View } from "../../src/shared/types";

/** A view of an open sitting with nobody in it, to be completed by a test. */
export function view(part: Partial<View> = {}): View {
  return {
    seq: 1,
    now: "2026-11-23T18:00:00.000Z",
    recorded: true,
    body: "Rat der Stadt Musterstadt",
    phase: "open",
    mode: "chair_grants",
    limit: 4,
    max_limit: 4,
    silenced: false,
    me: { id: "p-anna", name: "Anna Beispiel", role: "member" },
    speakers: [],
    requests: [],
    people: [],
    word: { kind: "hall" },
    desks: [],
    faults: [],
    alarm: null,
    items: [],
    overrides: [],
    media: { voices: 4 },
    ...part,
  };
}

export const request = (id: number, person: string, part: Partial<Request> = {}): Request => ({
  id,
  person,
  name: person,
  origin: "remote",
  at: "2026-11-23T18:00:00.000Z",
  ...part,
});

export const speaker = (grant: number, person: string, part: Partial<Speaker> = {}): Speaker => ({
  grant,
  person,
  name: person,
  origin: "remote",
  since: "2026-11-23T18:00:00.000Z",
  rule: "chair",
  mic: "open",
  ...part,
});
