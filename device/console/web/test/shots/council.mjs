// The people and moments of a sitting that the pages are shown with.

const ago = (ms) => new Date(Date.now() - ms).toISOString();

const live = { publishes: true, plays: true, audio: true, video: true, dtls: "DTLS 1.2", cipher: "ECDHE_ECDSA_AES_128_GCM_SHA256", srtp: "SRTP_AEAD_AES_256_GCM" };

export const people = [
  { id: "p-chair", name: "Dr. Helga Wiesengrund", role: "chair", seat: "1", presence: "hall" },
  { id: "p-07", name: "Bernd Mustermann", group: "CDU", role: "member", seat: "7", presence: "hall" },
  { id: "p-anna", name: "Anna Beispiel", group: "Bündnis 90/Die Grünen", role: "member", remote: true, presence: "remote", media: live },
  { id: "p-cem", name: "Cem Yıldırım", group: "SPD", role: "member", remote: true, presence: "remote", media: live },
  { id: "p-12", name: "Annegret von Musterhausen-Schmidt", group: "FDP", role: "member", seat: "12", presence: "hall" },
  { id: "p-dora", name: "Dora Nguyen", group: "Die Linke", role: "member", remote: true, presence: "connecting", media: { ...live, publishes: false, audio: false, video: false } },
  { id: "p-15", name: "Erika Albrecht", group: "CDU", role: "member", seat: "15", presence: "hall" },
  { id: "p-16", name: "Jörg Ähle", group: "SPD", role: "member", seat: "16", presence: "hall" },
  { id: "p-17", name: "Karl-Heinz Petersen", group: "CDU", role: "member", seat: "17", presence: "absent" },
  { id: "p-clerk", name: "Maria Protokoll", role: "clerk", presence: "absent" },
];

const who = (id) => {
  const { name, group, seat } = people.find((p) => p.id === id);
  return { person: id, name, group: group ?? "", seat: seat ?? "" };
};

let number = 0;
export const request = (person, origin, ms, more = {}) => ({ id: ++number, ...who(person), origin, at: ago(ms), ...more });
export const speaker = (person, origin, ms, more = {}) => ({ grant: ++number, ...who(person), origin, since: ago(ms), rule: "chair", chair: false, mic: "open", ...more });

const desks = [{ name: "Quinta Saal", link: "live" }];

export const base = () => ({
  recorded: true,
  body: "Rat der Stadt Musterstadt",
  phase: "open",
  opened_at: ago(4_000_000),
  mode: "chair_grants",
  limit: 4,
  max_limit: 6,
  silenced: false,
  speakers: [],
  requests: [],
  people: people.map((p) => ({ group: "", seat: "", remote: false, ...p })),
  word: { kind: "hall" },
  desks,
  faults: [],
  media: { voices: 2 },
});

const six = () => [
  request("p-07", "desk", 245_000),
  request("p-anna", "remote", 244_600),
  request("p-12", "desk", 130_000, { moved: true }),
  request("p-cem", "remote", 61_000),
  request("p-dora", "text", 20_000, { entered_by: "clerk" }),
  request("p-15", "desk", 2_000),
];

const four = () => [
  speaker("p-16", "desk", 312_000),
  speaker("p-anna", "remote", 45_000),
  speaker("p-07", "desk", 2_000, { mic: "opening" }),
  speaker("p-chair", "desk", 900, { chair: true }),
];

/** Moments by name; each makes a fresh view. */
export const moments = {
  ready: () => ({ ...base(), phase: "ready", opened_at: undefined }),
  empty: base,
  waiting: () => ({ ...base(), requests: six(), speakers: [speaker("p-16", "desk", 83_000)], word: { kind: "seat", seat: "16" } }),
  speaking: () => ({ ...base(), requests: six().slice(2), speakers: four(), word: { kind: "remote", person: "p-anna", name: "Anna Beispiel" } }),
  silenced: () => ({
    ...base(),
    silenced: true,
    requests: six().slice(2),
    speakers: [speaker("p-anna", "remote", 45_000), speaker("p-chair", "desk", 900, { chair: true })],
    word: { kind: "seat", seat: "1", name: "Dr. Helga Wiesengrund" },
  }),
  desk: () => ({ ...base(), requests: six().slice(1), speakers: [speaker("p-07", "desk", 83_000)], word: { kind: "seat", seat: "7", name: "Bernd Mustermann" } }),
  unrecorded: () => ({ ...base(), recorded: false, requests: six().slice(0, 2), desks: [{ name: "Quinta Saal", link: "standalone", reason: "no answer for 20 s" }] }),
  faults: () => ({
    ...base(),
    requests: [{ ...six()[0], failed: true }, ...six().slice(1, 3)],
    speakers: [speaker("p-anna", "remote", 45_000)],
    word: { kind: "remote", person: "p-anna", name: "Anna Beispiel" },
    faults: [
      { seat: "7", name: "Bernd Mustermann", on: true, reason: "out of range", at: ago(4_000) },
      { seat: "12", name: "Karla Vogt", on: false, reason: "no answer", at: ago(9_000) },
    ],
  }),
  closed: () => ({ ...base(), phase: "closed" }),
};
