package health

import (
	"slices"
	"time"
)

// Codes of all conditions: stable names for logs, metrics and scripts. What each one means stands in the table below.
const (
	ClockUnset          = "clock-unset"
	ClockUnsynchronised = "clock-unsynchronised"
	DiskFull            = "disk-full"
	DiskLow             = "disk-low"
	DiskSlow            = "disk-slow"
	RecordFailed        = "record-failed"
	RecordDeviates      = "record-deviates"
	JournalDamaged      = "journal-damaged"
	ConfigFallback      = "config-fallback"
	BusGone             = "bus-gone"
	SystemdGone         = "systemd-gone"
	UDisksGone          = "udisks-gone"
	RAUCGone            = "rauc-gone"
	ServiceGone         = "service-gone"
	USBRefused          = "usb-refused"
	OwnerPINMissing     = "owner-pin-missing"
	UpdateOffered       = "update-offered"
	UpdateWentBack      = "update-went-back"
	UpdateInterrupted   = "update-interrupted"
	UpdateTrial         = "update-trial"
	SlotBad             = "slot-bad"
	DeviceLost          = "device-lost"
	DeviceLostOptional  = "device-lost-optional"
	DeviceDegraded      = "device-degraded"
	DeviceStarting      = "device-starting"
	ClerkStuck          = "clerk-stuck"
	SupervisorStuck     = "supervisor-stuck"
	MemoryHigh          = "memory-high"
	Restarted           = "restarted"
	TechnicianMode      = "technician-mode"
	SupportEnded        = "support-ended"
	DataRepaired        = "data-repaired"
	DataReadOnly        = "data-read-only"
	DataLost            = "data-lost"
)

// Severity says how much a condition weighs.
type Severity string

// Severities, from what is only worth knowing to what a sitting must not go on with unnoticed.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Error    Severity = "error"
	Critical Severity = "critical"
)

// rank orders severities, the heaviest last.
func (s Severity) rank() int { return slices.Index([]Severity{Info, Warning, Error, Critical}, s) }

// Bad reports whether a box with such a condition is not well.
func (s Severity) Bad() bool { return s.rank() >= Error.rank() }

// Definition is what is always true of a condition.
type Definition struct {
	Code      string        `json:"code"`
	Severity  Severity      `json:"severity"`
	DE        string        `json:"text_de"` // what it means for the sitting and what to do
	EN        string        `json:"text_en"`
	DependsOn string        `json:"depends_on,omitempty"` // while this one stands, the condition is only its consequence and not shown
	Delay     time.Duration `json:"delay_ns"`             // it has to stand this long without a break before it is shown
	Hold      time.Duration `json:"hold_ns"`              // once shown it is shown at least this long, so that it can be read
	Boot      bool          `json:"boot"`                 // a new version that has it is not good: the box goes back
	Vital     bool          `json:"vital"`                // the watchdog is not fed while it stands: only a restart helps
}

// table lists all conditions, every cause before what depends on it.
func table() []Definition {
	return slices.Concat(vitalConditions(), clockConditions(), recordConditions(), serviceConditions(), updateConditions(), deviceConditions(), boxConditions())
}

func vitalConditions() []Definition {
	return []Definition{
		{Code: ClerkStuck, Severity: Critical, Boot: true, Vital: true,
			DE: "Die Rednerliste antwortet nicht mehr. Das Gerät startet sich gleich selbst neu; die Sitzung geht danach an derselben Stelle weiter. Bis dahin an den Sprechstellen weitersprechen.",
			EN: "The speakers' list does not answer any more. The box restarts itself now; the sitting goes on where it was. Until then go on at the desks."},
		{Code: SupervisorStuck, Severity: Critical, Boot: true, Vital: true,
			DE: "Kameras, Ton und Sprechstellen werden nicht mehr überwacht. Das Gerät startet sich gleich selbst neu; die Sitzung geht danach an derselben Stelle weiter.",
			EN: "Nobody looks after cameras, sound and desks any more. The box restarts itself now; the sitting goes on where it was."},
	}
}

func clockConditions() []Definition {
	return []Definition{
		{Code: ClockUnset, Severity: Error, Hold: 5 * time.Second,
			DE: "Die Uhr geht falsch: Die Zeiten im Sitzungsprotokoll stimmen nicht, und persönliche Links können abgelaufen wirken. Vor der Sitzung Netz oder Zeitserver anschließen oder die Uhr stellen.",
			EN: "The clock is wrong: times in the record are not right, and personal links may seem to have expired. Connect the network or a time server, or set the clock, before the sitting."},
		{Code: ClockUnsynchronised, Severity: Warning, DependsOn: ClockUnset, Delay: 5 * time.Minute, Hold: 10 * time.Second,
			DE: "Die Uhr wird von keinem Zeitserver gestellt und kann langsam falsch gehen. Die Sitzung ist möglich. Netz und Zeitserver prüfen.",
			EN: "No time server sets the clock, so it may slowly become wrong. A sitting is possible. Look at the network and the time server."},
	}
}

func recordConditions() []Definition {
	return []Definition{
		{Code: DiskFull, Severity: Critical, Hold: 10 * time.Second,
			DE: "Der Speicher ist voll: Bald kann das Sitzungsprotokoll nicht mehr geschrieben werden. Keine Sitzung öffnen; Diagnose auf einen Stick ziehen und den Kundendienst rufen.",
			EN: "The disk is full: the record of the sitting cannot be written for much longer. Open no sitting; take the diagnosis to a stick and call the service."},
		{Code: DataLost, Severity: Critical, Boot: true,
			DE: "Der Speicher des Geräts ist verloren: Personen, Links und Protokoll sind nicht da, und nichts bleibt nach dem Ausschalten. Keine Sitzung öffnen; den Kundendienst rufen.",
			EN: "The box's disk is lost: people, links and record are not there, and nothing stays after switching off. Open no sitting; call the service."},
		{Code: DataReadOnly, Severity: Critical, Boot: true,
			DE: "Der Speicher kann nur noch gelesen werden: Was jetzt entschieden wird, geht beim Ausschalten verloren. Von Hand mitschreiben, nicht ausschalten, den Kundendienst rufen.",
			EN: "The disk can only be read: what is decided now is lost when the box is switched off. Take notes by hand, do not switch off, call the service."},
		{Code: DataRepaired, Severity: Info,
			DE: "Der Speicher wurde beim Start repariert, wie nach einem Stromausfall üblich. Eine Sitzung ist möglich. Kommt das oft vor, Stromversorgung und Speicher prüfen lassen.",
			EN: "The disk was mended at the start, as is usual after a power cut. A sitting is possible. If it happens often, have power and disk looked at."},
		{Code: DiskLow, Severity: Warning, DependsOn: DiskFull, Delay: 10 * time.Second, Hold: 10 * time.Second,
			DE: "Der Speicher wird knapp. Diese Sitzung ist möglich. Den Kundendienst bald Platz schaffen lassen.",
			EN: "The disk is getting full. This sitting is possible. Have the service make room soon."},
		{Code: RecordFailed, Severity: Critical, Hold: 10 * time.Second, Boot: true,
			DE: "Die Sitzung wird nicht aufgezeichnet: Entscheidungen stehen nicht im Sitzungsprotokoll. Der Sitzungsleitung sagen und von Hand mitschreiben; Speicher prüfen lassen.",
			EN: "The sitting is not being recorded: decisions are not in the record. Tell the chair and take notes by hand; have the disk looked at."},
		{Code: DiskSlow, Severity: Warning, DependsOn: RecordFailed, Delay: 5 * time.Second, Hold: 30 * time.Second,
			DE: "Der Speicher ist sehr langsam: Mikrofone können verzögert aufgehen, Einträge verspätet im Protokoll stehen. Die Sitzung ist möglich. Speicher bald prüfen lassen.",
			EN: "The disk is very slow: microphones may open late, and records may be written late. A sitting is possible. Have the disk looked at soon."},
		{Code: JournalDamaged, Severity: Critical, Boot: true,
			DE: "Das Sitzungsprotokoll ist beschädigt oder verändert worden. Den Speicher nicht löschen; die Schriftführung verständigen, Diagnose auf einen Stick ziehen und den Kundendienst rufen.",
			EN: "The record was damaged or changed. Do not wipe the disk; tell the clerk, take the diagnosis to a stick and call the service."},
		{Code: RecordDeviates, Severity: Error, Boot: true,
			DE: "Frühere Entscheidungen würden nach den heutigen Regeln anders ausfallen: Rednerliste und Worterteilung vor dem Weitersitzen mit dem Protokoll vergleichen, den Kundendienst rufen.",
			EN: "Earlier decisions would come out differently by today's rules: compare the list and who has the word with the record before going on, and call the service."},
		{Code: ConfigFallback, Severity: Error, Boot: true,
			DE: "Die Konfiguration ist fehlerhaft; das Gerät läuft mit der letzten guten weiter. Die Sitzung ist möglich, aber neue Einstellungen gelten nicht. Konfiguration berichtigen und neu einspielen.",
			EN: "The configuration is faulty; the box goes on with the last good one. A sitting is possible, but new settings do not count. Correct the configuration and apply it again."},
	}
}

// The bus and what is reached by it. A service that is restarted is back within the delay.
func serviceConditions() []Definition {
	const delay, hold = 10 * time.Second, 10 * time.Second
	return []Definition{
		{Code: BusGone, Severity: Error, Delay: delay, Hold: hold, Boot: true,
			DE: "Das Gerät erreicht seine Systemdienste nicht: Updates, Sticks und Ausschalten am Bildschirm gehen nicht. Die laufende Sitzung ist nicht betroffen. Nach der Sitzung neu starten.",
			EN: "The box does not reach its system services: updates, sticks and switching off at the panel do not work. A running sitting is not affected. Restart after the sitting."},
		{Code: SystemdGone, Severity: Error, DependsOn: BusGone, Delay: delay, Hold: hold, Boot: true,
			DE: "Die Systemverwaltung antwortet nicht: Technikmodus, Zurücksetzen und Neustart am Bildschirm gehen nicht. Die Sitzung ist möglich. Danach das Gerät aus- und einschalten.",
			EN: "The system's manager does not answer: technician mode, reset and restart at the panel do not work. A sitting is possible. Switch the box off and on afterwards."},
		{Code: UDisksGone, Severity: Error, DependsOn: BusGone, Delay: delay, Hold: hold, Boot: true,
			DE: "USB-Sticks werden nicht erkannt: kein Update, keine Einrichtung und keine Diagnose per Stick. Die Sitzung ist möglich. Danach neu starten.",
			EN: "USB sticks are not noticed: no update, setup or diagnosis by stick. A sitting is possible. Restart afterwards."},
		{Code: RAUCGone, Severity: Error, DependsOn: BusGone, Delay: delay, Hold: hold, Boot: true,
			DE: "Der Updatedienst antwortet nicht: Updates können nicht installiert werden. Die Sitzung ist möglich. Danach neu starten; bleibt es so, den Kundendienst rufen.",
			EN: "The update service does not answer: updates cannot be installed. A sitting is possible. Restart afterwards; if it stays so, call the service."},
		{Code: ServiceGone, Severity: Warning, DependsOn: BusGone, Delay: delay, Hold: hold,
			DE: "Ein Systemdienst antwortet nicht: Ausschalten, Uhrzeit oder Gerätename lassen sich am Bildschirm nicht ändern. Die Sitzung ist möglich. Danach neu starten.",
			EN: "A system service does not answer: switching off, the clock or the box's name cannot be changed at the panel. A sitting is possible. Restart afterwards."},
	}
}

func updateConditions() []Definition {
	return []Definition{
		{Code: UpdateOffered, Severity: Info,
			DE: "Ein Update liegt bereit. Es wird nie während einer Sitzung installiert; im Technikbereich mit PIN bestätigen.",
			EN: "An update is ready. It is never installed during a sitting; confirm it with the PIN in the technician's area."},
		{Code: UpdateTrial, Severity: Info,
			DE: "Die neue Version läuft zur Probe. Bewährt sie sich, bleibt sie; sonst kehrt das Gerät von selbst zur vorigen zurück. Bitte kurz warten.",
			EN: "The new version is on trial. If it does well it stays; else the box goes back to the one before by itself. Please wait a moment."},
		{Code: UpdateWentBack, Severity: Error,
			DE: "Die neue Version hat sich nicht bewährt; das Gerät läuft wieder mit der vorigen. Die Sitzung ist möglich. Diagnose auf einen Stick ziehen und dem Hersteller geben.",
			EN: "The new version did not do well; the box runs the one before again. A sitting is possible. Take the diagnosis to a stick for the vendor."},
		{Code: UpdateInterrupted, Severity: Warning,
			DE: "Die Installation des Updates wurde unterbrochen; es hat sich nichts geändert. Die Sitzung ist möglich. Den Stick neu einstecken und noch einmal beginnen.",
			EN: "Installing the update was interrupted; nothing has changed. A sitting is possible. Plug the stick in again and start once more."},
		{Code: SlotBad, Severity: Warning, DependsOn: RAUCGone, Delay: 10 * time.Second,
			DE: "Das zweite System auf dem Gerät startet nicht: Fällt dieses aus, gibt es keinen Ersatz. Die Sitzung ist möglich. Das letzte Update noch einmal installieren.",
			EN: "The second system on the box does not start: if this one fails there is nothing to fall back on. A sitting is possible. Install the last update once more."},
	}
}

func deviceConditions() []Definition {
	const delay, hold = 3 * time.Second, 5 * time.Second
	return []Definition{
		{Code: DeviceLost, Severity: Error, Delay: delay, Hold: hold,
			DE: "Ein Gerät, das die Sitzung braucht, fehlt. Stecker und Strom prüfen: Es kommt von selbst zurück. Ohne es lässt sich die Sitzung nur ausdrücklich öffnen.",
			EN: "A device that the sitting needs is missing. Look at plug and power: it comes back by itself. Without it a sitting can be opened only by saying so."},
		{Code: DeviceLostOptional, Severity: Warning, Delay: delay, Hold: hold,
			DE: "Ein Gerät fehlt; die Sitzung ist auch ohne es möglich. Stecker und Strom prüfen: Es kommt von selbst zurück.",
			EN: "A device is missing; a sitting is possible without it. Look at plug and power: it comes back by itself."},
		{Code: DeviceDegraded, Severity: Warning, Delay: delay, Hold: hold,
			DE: "Ein Gerät arbeitet nicht richtig; die Sitzung ist möglich. Was zu tun ist, steht dabei.",
			EN: "A device does not work properly; a sitting is possible. What to do is said beside it."},
		{Code: DeviceStarting, Severity: Info, Delay: startPatience, Hold: hold,
			DE: "Ein Gerät startet ungewöhnlich lange. Kurz warten; bleibt es so, Stecker und Strom prüfen.",
			EN: "A device takes unusually long to start. Wait a moment; if it stays so, look at plug and power."},
	}
}

func boxConditions() []Definition {
	return []Definition{
		{Code: USBRefused, Severity: Warning, Delay: 2 * time.Second, Hold: 5 * time.Second,
			DE: "Ein USB-Gerät wurde nicht zugelassen, zum Schutz vor fremden Tastaturen und Netzen. Die Sitzung ist möglich. Abziehen, oder im Technikmodus zulassen.",
			EN: "A USB device was not let in, as a guard against foreign keyboards and networks. A sitting is possible. Unplug it, or let it in by technician mode."},
		{Code: OwnerPINMissing, Severity: Warning,
			DE: "Noch hat niemand das Gerät in Besitz genommen: Vorher gibt es keine Sitzung. Am Bildschirm des Geräts die PIN des Eigentümers festlegen.",
			EN: "Nobody has taken the box into possession yet: no sitting before that. Set the owner's PIN at the box's own panel."},
		{Code: MemoryHigh, Severity: Warning, Delay: 30 * time.Second, Hold: 30 * time.Second,
			DE: "Der Arbeitsspeicher wird knapp: Das Gerät könnte sich neu starten. Die Sitzung ist möglich. In einer Pause neu starten und die Diagnose dem Hersteller geben.",
			EN: "Memory is running out: the box might restart itself. A sitting is possible. Restart in a break and give the diagnosis to the vendor."},
		{Code: Restarted, Severity: Warning,
			DE: "Das Programm wurde nach einem Fehler neu gestartet; die Sitzung ist, wie sie war. Prüfen, ob alle wieder verbunden sind; Diagnose auf einen Stick ziehen und dem Hersteller geben.",
			EN: "The program was restarted after a fault; the sitting is as it was. See that everybody is connected again; take the diagnosis to a stick for the vendor."},
		{Code: TechnicianMode, Severity: Info,
			DE: "Technikmodus: Alle USB-Geräte sind zugelassen. Vor der Sitzung ausschalten.",
			EN: "Technician mode: all USB devices are let in. Switch it off before the sitting."},
		{Code: SupportEnded, Severity: Warning, DependsOn: ClockUnset,
			DE: "Für diese Version gibt es keine Sicherheitsupdates mehr. Die Sitzung ist möglich. Beim Hersteller eine neue Version anfordern.",
			EN: "There are no security updates for this version any more. A sitting is possible. Ask the vendor for a new version."},
	}
}
