// The box as a technician sees it, in the moments that matter.
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const both = (text_de, text_en) => ({ text_de, text_en });

export const OWNER = "730164";

/** A box in service with nothing to be said about it. */
export const calm = () => ({
  host: "saal-1",
  release: { version: "1.3.0", build: "2026-10-02T08:15:00Z", slot: "A", compatible: "plenum-x86_64", support_until: "2031-12" },
  sticks: [],
  update: { state: "idle", reason: "", version: "", notes: "", built: "", current: "1.3.0", size: 0, percent: 0, step: "", ...both("", ""), last: null },
  setup: { state: "idle", signed: false, lines: [], ...both("", "") },
  diagnosis: { state: "idle", file: "", encrypted: false, ...both("", "") },
  technician: { on: false, until: null },
  owner: true,
  sitting: false,
  refused_usb: [],
  conditions: [],
});

const stick = (kind, label, de, en, busy = false) => ({ id: `usb-${kind}`, label, drive: "Kingston DataTraveler 3.0", kind, busy, ...both(de, en) });
const updateStick = () => stick("update", "PLENUM-140", "Enthält ein Update.", "Holds an update.");

const conditions = {
  disk: { code: "disk-full", severity: "critical", detail: "/data: 0 B", since: ago(240_000), ...both("Der Speicher ist voll: Bald kann das Sitzungsprotokoll nicht mehr geschrieben werden. Keine Sitzung öffnen; Diagnose auf einen Stick ziehen und den Kundendienst rufen.", "The disk is full: the record of the sitting cannot be written for much longer. Open no sitting; take the diagnosis to a stick and call the service.") },
  rauc: { code: "rauc-gone", severity: "error", detail: "de.pengutronix.rauc: service unknown", since: ago(90_000), ...both("Der Updatedienst antwortet nicht: Updates können nicht eingespielt werden. Die Sitzung ist möglich. Danach neu starten; bleibt es so, den Kundendienst rufen.", "The update service does not answer: updates cannot be installed. A sitting is possible. Restart afterwards; if it stays so, call the service.") },
  clock: { code: "clock-unsynchronised", severity: "warning", detail: "", since: ago(90_000_000), ...both("Die Uhr wird von keinem Zeitserver gestellt und kann langsam falsch gehen. Die Sitzung ist möglich. Netz und Zeitserver prüfen.", "No time server sets the clock, so it may slowly become wrong. A sitting is possible. Look at the network and the time server.") },
  restarted: { code: "restarted", severity: "info", detail: "watchdog, 17:02:11", since: ago(1_200_000), ...both("Das Programm wurde neu gestartet, weil es nicht mehr geantwortet hat. Die Sitzung ging an derselben Stelle weiter.", "The program was restarted because it did not answer any more. The sitting went on where it was.") },
};

const offer = () => ({
  ...calm().update,
  state: "offered",
  version: "1.4.0",
  built: "2026-11-20T09:40:00Z",
  size: 184_320_000,
  notes: "Rednerliste: Wortmeldungen lassen sich mit dem Finger verschieben.\nKameras: schnelleres Wiederanlaufen nach einem Wackelkontakt.\nSicherheit: aktualisierte Systembibliotheken.",
  ...both("Das Update ist echt und passt zu diesem Gerät.", "The update is genuine and fits this box."),
});
const last = (result, de, en, more = {}) => ({ result, version: "1.4.0", from: "1.3.0", at: ago(65_000), seen: false, ...both(de, en), ...more });

const with_ = (part) => () => ({ ...calm(), ...part() });

/** Moments by name; each makes a fresh answer. */
export const rooms = {
  calm,
  conditions: with_(() => ({ conditions: Object.values(conditions) })),
  oneError: with_(() => ({ conditions: [conditions.rauc] })),
  offered: with_(() => ({ sticks: [updateStick()], update: offer(), conditions: [{ code: "update-offered", severity: "info", detail: "", since: ago(5000), ...both("Ein Update liegt bereit.", "An update is ready.") }] })),
  refused: with_(() => ({
    sticks: [updateStick()],
    update: { ...offer(), state: "refused", version: "1.2.0", ...both("Version 1.2.0 ist älter als die laufende Version 1.3.0. Bitte eine neuere Datei auf den Stick kopieren.", "Version 1.2.0 is older than the running version 1.3.0. Copy a newer file onto the stick.") },
  })),
  installing: with_(() => ({ sticks: [{ ...updateStick(), busy: true }], update: { ...offer(), state: "installing", percent: 42, step: "Copying image to rootfs.1", ...both("", "") } })),
  installed: with_(() => ({ sticks: [updateStick()], update: { ...offer(), state: "installed", percent: 100, ...both("", "") } })),
  rebooting: with_(() => ({ update: { ...offer(), state: "rebooting", percent: 100, ...both("", "") } })),
  failed: with_(() => ({
    sticks: [updateStick()],
    update: { ...offer(), state: "failed", percent: 61, ...both("Der Stick wurde während der Installation abgezogen. Es hat sich nichts geändert; bitte den Stick wieder einstecken und noch einmal beginnen.", "The stick was pulled during the installation. Nothing has changed; plug it in again and start once more.") },
  })),
  updated: with_(() => ({
    release: { ...calm().release, version: "1.4.0", slot: "B" },
    update: { ...calm().update, current: "1.4.0", last: last("updated", "Alle Prüfungen sind bestanden; die neue Version bleibt.", "All checks were passed; the new version stays.") },
  })),
  wentBack: with_(() => ({
    update: { ...calm().update, last: last("went-back", "Die neue Version hat ihre Prüfungen nicht bestanden: Kamera Totale kam nicht wieder. Das Gerät läuft wieder mit Version 1.3.0. Diagnose auf einen Stick ziehen und dem Hersteller geben.", "The new version did not pass its checks: camera Totale did not come back. The box runs version 1.3.0 again. Take the diagnosis to a stick for the vendor.") },
  })),
  interrupted: with_(() => ({ update: { ...calm().update, last: last("interrupted", "Der Strom fiel während der Installation aus. Es hat sich nichts geändert.", "Power was lost during the installation. Nothing has changed.") } })),
  trial: with_(() => ({ update: { ...calm().update, current: "1.4.0", last: last("trial", "Die neue Version wird noch geprüft. Bitte kurz warten.", "The new version is still being checked. Please wait a moment.") } })),
  seen: with_(() => ({ update: { ...calm().update, last: last("went-back", "…", "…", { seen: true }) } })),
  setup: with_(() => ({
    sticks: [stick("setup", "PLENUM-SETUP", "Enthält eine Einrichtung.", "Holds a setup.")],
    setup: {
      state: "offered",
      signed: false,
      ...both("", ""),
      lines: [
        both("Gerätename: saal-1 wird zu ratssaal", "Name of the box: saal-1 becomes ratssaal"),
        both("Netz an eno1: feste Adresse 192.0.2.40/24, Gateway 192.0.2.1, DNS 192.0.2.53, Zeitserver ntp.musterstadt.example", "Network on eno1: fixed address 192.0.2.40/24, gateway 192.0.2.1, DNS 192.0.2.53, time server ntp.musterstadt.example"),
        both("Zertifikat: ratssaal.musterstadt.example, gültig bis 14. Mai 2027", "Certificate: ratssaal.musterstadt.example, good until 14 May 2027"),
        both("Mitgliederliste: 43 Personen (bisher 41)", "Roster: 43 people (41 so far)"),
        both("USB: zusätzlich erlaubt 0eef:c000 (Touchbildschirm)", "USB: 0eef:c000 (touch screen) is let in too"),
      ],
    },
  })),
  setupSigned: with_(() => ({
    sticks: [stick("setup", "PLENUM-SETUP", "Enthält eine Einrichtung.", "Holds a setup.")],
    setup: { state: "applied", signed: true, ...both("Das Programm startet gleich neu.", "The program restarts in a moment."), lines: [both("Mitgliederliste: 43 Personen (bisher 41)", "Roster: 43 people (41 so far)")] },
  })),
  setupRefused: with_(() => ({
    sticks: [stick("setup", "PLENUM-SETUP", "Enthält eine Einrichtung.", "Holds a setup.")],
    setup: { state: "refused", signed: false, lines: [], ...both("plenum.toml, Zeile 14: Das Mikrofon „Sall“ gibt es nicht. Bitte die Datei auf dem Stick berichtigen.", "plenum.toml, line 14: there is no microphone “Sall”. Correct the file on the stick.") },
  })),
  diagnosis: with_(() => ({ sticks: [stick("diagnosis", "PLENUM-DIAG", "Die Diagnose wird geschrieben.", "The diagnosis is being written.", true)], diagnosis: { state: "writing", file: "", encrypted: true, ...both("", "") } })),
  diagnosisWritten: with_(() => ({
    sticks: [stick("diagnosis", "PLENUM-DIAG", "", "")],
    diagnosis: { state: "written", file: "plenum-saal-1-20261123T170512Z.tar.gz.age", encrypted: true, ...both("", "") },
  })),
  diagnosisFailed: with_(() => ({
    sticks: [stick("diagnosis", "PLENUM-DIAG", "", "")],
    diagnosis: { state: "failed", file: "", encrypted: false, ...both("Der Stick ist schreibgeschützt. Bitte den Schreibschutz lösen oder einen anderen Stick nehmen.", "The stick is read-only. Unlock it or take another one.") },
  })),
  technician: with_(() => ({ technician: { on: true, until: new Date(Date.now() + 1_742_000).toISOString() } })),
  refusedUsb: with_(() => ({
    refused_usb: [
      { name: "Logitech USB Keyboard", ids: "046d:c31c", classes: ["Tastatur/Maus (03)"] },
      { name: "", ids: "0bda:8153", classes: ["Netzwerk (02)", "ff"] },
    ],
    sticks: [stick("other", "URLAUB 2024", "Dieser Stick enthält nichts für dieses Gerät. Er kann abgezogen werden.", "This stick holds nothing for this box. It may be unplugged.")],
  })),
  inSitting: with_(() => ({ sitting: true, sticks: [stick("", "PLENUM-140", "", "")] })),
  everything: with_(() => ({ ...rooms.conditions(), ...rooms.offered(), ...rooms.refusedUsb(), ...rooms.wentBack(), ...{ conditions: Object.values(conditions), update: { ...offer(), last: rooms.wentBack().update.last } } })),
};
