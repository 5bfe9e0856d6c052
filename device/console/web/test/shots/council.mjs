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

const device = (kind, name, spec, state, more = {}) => ({
  id: `${kind}/${name}`,
  kind,
  name,
  device: spec,
  required: false,
  state,
  reason: "",
  mode: "",
  since: ago(3_700_000),
  ...more,
});

/** The devices of the house when all is well. */
export const devices = () => [
  device("camera", "Totale", "usb:A1B2C3D4", "live", { required: true, mode: "MJPG 1280x720 at 30/s" }),
  device("camera", "Rednerpult", "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:3:1.0-video-index0", "live", { mode: "YUYV 640x360 at 25/s" }),
  device("microphone", "Saal", "card:Saal,0", "live", { required: true, mode: "48000 Hz, 8 channels" }),
  device("output", "Saallautsprecher", "usb:FS12-0001", "live", { required: true, mode: "48000 Hz, 2 channels" }),
  device("desk", "Quinta Saal", "usb:DESK24", "live", { required: true, mode: "24 seats" }),
  device("lines", "Saal", "gpiochip0", "live"),
  device("record", "Protokoll", "/var/lib/plenum", "live", { required: true }),
];

const gone = { state: "lost", mode: "", since: ago(95_000), reason: "no camera with the USB serial number A1B2C3D4: plug it in, any port will do" };
const silent = { state: "lost", mode: "", since: ago(12_000), reason: "the card Saal is not there: plug it in" };
const coming = { state: "starting", mode: "", since: ago(3_000) };
const slow = { state: "degraded", mode: "YUYV 640x360 at 12/s", since: ago(90_000_000), reason: "gives 12 of 25 frames/s: look at the light and the cable" };

/** The same with trouble: two required devices are lost, one comes up, one is too slow. */
export const troubled = () => {
  const list = devices();
  return [{ ...list[0], ...gone }, { ...list[1], ...slow }, { ...list[2], ...silent }, { ...list[3], required: false, ...coming }, ...list.slice(4)];
};

/** What the sitting knows of the devices. */
export const items = (list = devices()) =>
  list.map(({ id, name, required, state, reason }) => ({ id, name, required, red: state === "starting" || state === "lost", reason }));

const check = (id, name, ok, de, en, more = {}) => ({ id, name, required: true, ok, left: false, text_de: de, text_en: en, took_ns: 420_000_000, ...more });

/** Outcomes of a self-test. */
export const reports = {
  go: () => ({
    at: ago(0),
    go: true,
    checks: [
      check("camera/Totale", "Totale", true, "bewegtes Bild, 30 Bilder je Sekunde wie verlangt", "moving picture, 30 frames/s as asked for"),
      check("microphone/Saal", "Saal", true, "Signal −31 dBFS, Ruhe −64 dBFS", "signal −31 dBFS, floor −64 dBFS"),
      check("output/Saallautsprecher", "Saallautsprecher", false, "ausgelassen, weil die Sitzung läuft: der Prüfton wäre im Saal zu hören", "left out because the sitting is open: the tone would be heard in the hall", { required: false, left: true }),
      check("desk/Quinta Saal", "Quinta Saal", true, "24 Plätze haben geantwortet", "24 seats answered"),
      check("lines/Saal", "Saal", true, "4 Ausgänge lesen sich zurück, wie sie gesetzt sind", "4 outputs read back as they are set", { required: false }),
      check("clock", "Uhr", true, "geht 12 ms vor", "is 12 ms fast"),
      check("disk", "Speicher", true, "beschreibbar, 41 GB frei", "can be written, 41 GB free"),
    ],
  }),
  noGo: () => {
    const report = reports.go();
    report.go = false;
    report.checks[0] = check("camera/Totale", "Totale", false, "kein Bild: die Kamera steckt nicht; bitte anstecken", "no picture: the camera is not plugged in; plug it in");
    report.checks[4] = check("lines/Saal", "Saal", false, "Ausgang on-air liest sich nicht zurück; Leitung prüfen", "output on-air does not read back; look at the wire", { required: false });
    return report;
  },
};

const alarm = (over) => ({ reason: "Brandmeldekontakt Foyer", since: ago(41_000), over });

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
  alarm: null,
  items: items(),
  overrides: [],
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
  alarm: () => ({ ...base(), requests: six().slice(0, 4), alarm: alarm(false) }),
  alarmOver: () => ({ ...base(), requests: six().slice(0, 4), alarm: alarm(true) }),
  alarmFull: () => ({ ...base(), recorded: false, requests: six(), alarm: alarm(false), items: items(troubled()) }),
  red: () => ({ ...moments.ready(), items: items(troubled()) }),
  oneRed: () => ({ ...moments.ready(), items: items([troubled()[0], ...devices().slice(1)]) }),
  firm: () => ({
    ...moments.ready(),
    items: [
      ...items(),
      { id: "box/owner", name: "PIN des Eigentümers", required: true, firm: true, red: true, reason: "set the owner's PIN at the box's own panel" },
      { id: "box/update", name: "Update", required: true, firm: true, red: true, reason: "the new version is on trial for a moment more" },
    ],
  }),
  waived: () => ({
    ...moments.waiting(),
    items: items([troubled()[0], ...devices().slice(1)]),
    overrides: [
      { item: "camera/Totale", name: "Totale", reason: gone.reason, by: "Dr. Helga Wiesengrund", at: ago(61_000) },
      { item: "microphone/Saal", name: "Saal", reason: silent.reason, by: "Dr. Helga Wiesengrund", at: ago(61_000) },
    ],
  }),
  failedLater: () => ({ ...moments.waiting(), items: items(troubled()) }),
  closed: () => ({ ...base(), phase: "closed" }),
};
