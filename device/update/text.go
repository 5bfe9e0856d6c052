package update

import (
	"maps"
	"strconv"
	"strings"
)

// sentence is what people read.
type sentence struct{ de, en string }

// topic is what a sentence is about: a state, or a state and a reason.
type topic string

// facts fill the places in a sentence.
type facts struct {
	version string // of the update
	current string // that runs, or ran before
	file    string
	kind    string // of box the bundle is for
	want    string // of box this is
	percent int
}

// say returns the sentence about a topic, filled.
func say(about topic, f facts) sentence {
	all := sentences()
	s, known := all[about]
	if reason, ok := strings.CutPrefix(string(about), "failed "); ok && !known {
		// What refuses a bundle can also stop it later, and says the same.
		s = all[topic("refused "+reason)]
	}
	fill := strings.NewReplacer("{version}", f.version, "{current}", f.current, "{file}", f.file, "{kind}", f.kind, "{want}", f.want,
		"{percent}", strconv.Itoa(f.percent))
	return sentence{fill.Replace(s.de), fill.Replace(s.en)}
}

// sentences are all that this room says: what is so, and what to do.
func sentences() map[topic]sentence {
	all := map[topic]sentence{}
	for _, part := range []map[topic]sentence{states(), outcomes(), refusals(), failures()} {
		maps.Copy(all, part)
	}
	return all
}

func states() map[topic]sentence {
	return map[topic]sentence{
		"idle": {
			"Es läuft Version {current}. Für ein Update einen USB-Stick mit der Update-Datei stecken.",
			"Version {current} is running. For an update, plug in a USB stick with the update file."},
		"unsure": {
			"Eine Installation war im Gang, als das Gerät neu startete. Ihr Ausgang wird geprüft; bitte warten.",
			"An installation was under way when the box restarted. Its outcome is being found out; please wait."},
		"on trial": {
			"Die neue Version {version} wird gerade erprobt. Bitte warten und den Strom nicht trennen.",
			"The new version {version} is on trial. Please wait, and do not cut the power."},
		"offered": {
			"Version {version} kann installiert werden; es läuft {current}. Zum Installieren mit der PIN bestätigen.",
			"Version {version} can be installed; {current} is running. Confirm with the PIN to install it."},
		"offered again": {
			"Version {version} kann installiert werden; es läuft {current}. Sie wurde schon einmal versucht, und das Gerät ist zur alten Version zurückgekehrt: " +
				"Zum Installieren mit der PIN bestätigen; kehrt es wieder zurück, den Hersteller fragen.",
			"Version {version} can be installed; {current} is running. It was tried before and the box went back: " +
				"confirm with the PIN to install it; if the box goes back again, ask the manufacturer."},
		"installing": {
			"Version {version} wird installiert: {percent} %. Stick stecken lassen, Strom nicht trennen.",
			"Installing version {version}: {percent} %. Leave the stick plugged in, do not cut the power."},
		"installed": {
			"Version {version} ist installiert. Der Stick kann abgezogen werden. Zum Umschalten das Gerät neu starten.",
			"Version {version} is installed. The stick can be pulled out. Restart the box to change to it."},
		"rebooting": {
			"Das Gerät startet neu mit Version {version}. Bitte warten und den Strom nicht trennen.",
			"The box restarts with version {version}. Please wait, and do not cut the power."},
	}
}

func outcomes() map[topic]sentence {
	return map[topic]sentence{
		"last updated": {
			"Update gelungen: Version {version} läuft und ist bestätigt, vorher war es {current}.",
			"The update succeeded: version {version} is running and confirmed; before it was {current}."},
		"last trial": {
			"Version {version} läuft zur Probe. Besteht sie nicht, kehrt das Gerät von selbst zu {current} zurück.",
			"Version {version} is on trial. If it does not prove itself, the box goes back to {current} by itself."},
		"last went-back": {
			"Version {version} hat ihre Probe nicht bestanden, oder dabei fiel der Strom aus. Das Gerät läuft wieder mit {current} wie zuvor. " +
				"Das Update noch einmal installieren; kehrt es wieder zurück, ein Diagnose-Paket holen und den Hersteller fragen.",
			"Version {version} did not pass its trial, or the power was cut meanwhile. The box runs {current} again as before. " +
				"Install the update again; if the box goes back once more, fetch a diagnosis and ask the manufacturer."},
		"last went-back late": {
			"Version {version} lief, ist aber nicht mehr gestartet. Das Gerät läuft mit der älteren Version {current}. Bitte ein Diagnose-Paket holen und das Update neu installieren.",
			"Version {version} was running, but did not start any more. The box runs the older version {current}. Please fetch a diagnosis, and install the update again."},
		"last interrupted": {
			"Die Installation von {version} wurde unterbrochen, durch Stromausfall oder abgezogenen Stick. Das Gerät läuft unverändert mit {current}. Bitte das Update noch einmal installieren.",
			"Installing {version} was interrupted, by a power cut or a pulled stick. The box runs {current} unchanged. Please install the update again."},
	}
}

func refusals() map[topic]sentence {
	return map[topic]sentence{
		"refused no-bundle": {
			"Auf dem Stick ist keine Update-Datei. Die Datei mit der Endung .raucb in das oberste Verzeichnis kopieren.",
			"There is no update file on the stick. Copy the file ending in .raucb into the top folder."},
		"refused two-bundles": {
			"Auf dem Stick sind mehrere Update-Dateien. Am Rechner alle bis auf eine löschen und den Stick neu stecken.",
			"There are several update files on the stick. Delete all but one on a computer, and plug the stick in again."},
		"refused two-sticks": {
			"Es stecken mehrere Sticks mit einem Update. Bitte nur einen stecken lassen.",
			"Several sticks with an update are plugged in. Please leave only one."},
		"refused unreadable": {
			"Der Stick lässt sich nicht lesen. Neu stecken; hilft das nicht, die Datei auf einen anderen Stick kopieren.",
			"The stick cannot be read. Plug it in again; if that does not help, copy the file to another stick."},
		"refused foreign": {
			"Die Datei {file} ist nicht vom Hersteller dieses Geräts unterschrieben oder wurde verändert. Nicht verwenden; die Datei neu vom Hersteller holen.",
			"The file {file} is not signed by the manufacturer of this box, or was changed. Do not use it; get the file from the manufacturer again."},
		"refused too-early": {
			"Nach der Uhr des Geräts ist die Unterschrift von {file} noch nicht gültig. Erst die Uhr des Geräts stellen, dann den Stick neu stecken.",
			"By the clock of the box the signature of {file} is not valid yet. Set the clock of the box first, then plug the stick in again."},
		"refused expired": {
			"Nach der Uhr des Geräts ist die Unterschrift von {file} abgelaufen. Die Uhr des Geräts prüfen; stimmt sie, eine neue Datei vom Hersteller holen.",
			"By the clock of the box the signature of {file} has expired. Check the clock of the box; if it is right, get a new file from the manufacturer."},
		"refused damaged": {
			"Die Datei {file} ist beschädigt. Die Datei neu herunterladen, auf den Stick kopieren und den Stick am Rechner auswerfen, bevor er abgezogen wird.",
			"The file {file} is damaged. Download it again, copy it to the stick, and eject the stick on the computer before pulling it out."},
		"refused wrong-box": {
			"Die Datei {file} ist für ein anderes Gerät ({kind}), dieses ist {want}. Die Datei für {want} vom Hersteller holen.",
			"The file {file} is for another device ({kind}), this box is {want}. Get the file for {want} from the manufacturer."},
		"refused no-version": {
			"Die Datei {file} nennt keine gültige Version. Die Datei neu vom Hersteller holen.",
			"The file {file} names no valid version. Get the file from the manufacturer again."},
		"refused same-version": {
			"Version {version} läuft schon. Es ist nichts zu tun; der Stick kann abgezogen werden.",
			"Version {version} is running already. There is nothing to do; the stick can be pulled out."},
		"refused older": {
			"Auf dem Stick ist die ältere Version {version}; es läuft {current}. Ältere Versionen werden nicht installiert. Eine neuere Datei vom Hersteller holen.",
			"The stick holds the older version {version}; {current} is running. Older versions are not installed. Get a newer file from the manufacturer."},
		"refused absent": {
			"Der Update-Dienst des Geräts antwortet nicht. Es wird weiter versucht; dauert es länger als eine Minute, das Gerät neu starten.",
			"The update service of the box does not answer. It is being tried again; if it takes longer than a minute, restart the box."},
		"refused engaged": {
			"Der Update-Dienst des Geräts ist noch beschäftigt. Bitte warten; es wird von selbst weiter versucht.",
			"The update service of the box is still busy. Please wait; it is tried again by itself."},
		"refused denied": {
			"Das Gerät darf seinen Update-Dienst nicht benutzen. Bitte ein Diagnose-Paket holen und den Hersteller fragen.",
			"The box is not allowed to use its update service. Please fetch a diagnosis and ask the manufacturer."},
	}
}

func failures() map[topic]sentence {
	return map[topic]sentence{
		"failed absent": {
			"Der Update-Dienst des Geräts ist während der Installation ausgefallen. Das Gerät läuft unverändert mit {current}. Die Installation noch einmal beginnen.",
			"The update service of the box failed during the installation. The box runs {current} unchanged. Begin the installation again."},
		"failed gone": {
			"Der Stick wurde während der Installation abgezogen. Das Gerät läuft unverändert mit {current}. Den Stick wieder stecken und noch einmal bestätigen.",
			"The stick was pulled out during the installation. The box runs {current} unchanged. Plug the stick in again and confirm once more."},
		"failed changed": {
			"Auf dem Stick ist etwas anderes als das, was angeboten wurde. Nichts wurde verändert. Den Stick neu stecken und das Angebot noch einmal prüfen.",
			"The stick holds something else than what was offered. Nothing was changed. Plug the stick in again and check the offer once more."},
		"failed damaged": {
			"Die Datei {file} ist beschädigt oder verändert; die Installation wurde abgebrochen. Das Gerät läuft unverändert mit {current}. " +
				"Die Datei neu vom Hersteller holen und auf einen anderen Stick kopieren.",
			"The file {file} is damaged or was changed; the installation was broken off. The box runs {current} unchanged. " +
				"Get the file from the manufacturer again, and copy it to another stick."},
		"failed too-big": {
			"Version {version} passt nicht in den Speicher dieses Geräts. Das Gerät läuft unverändert mit {current}. Bitte den Hersteller fragen.",
			"Version {version} does not fit into the storage of this box. The box runs {current} unchanged. Please ask the manufacturer."},
		"failed full": {
			"Die Datenpartition ist voll oder schreibgeschützt. Das Gerät läuft unverändert mit {current}. Erst Platz schaffen, dann die Installation noch einmal beginnen.",
			"The data partition is full or read-only. The box runs {current} unchanged. Make room first, then begin the installation again."},
		"failed no-slot": {
			"Der Platz für die zweite Version lässt sich nicht beschreiben. Das Gerät läuft unverändert mit {current}. Bitte ein Diagnose-Paket holen und den Hersteller fragen.",
			"The place for the second version cannot be written. The box runs {current} unchanged. Please fetch a diagnosis and ask the manufacturer."},
		"failed stalled": {
			"Die Installation wurde nicht fertig. Das Gerät läuft unverändert mit {current}. Einen anderen Stick nehmen und noch einmal beginnen.",
			"The installation did not finish. The box runs {current} unchanged. Take another stick and begin again."},
		"failed trouble": {
			"Die Installation ist fehlgeschlagen. Das Gerät läuft unverändert mit {current}. Noch einmal versuchen; gelingt es wieder nicht, ein Diagnose-Paket holen.",
			"The installation failed. The box runs {current} unchanged. Try again; if it fails once more, fetch a diagnosis."},
	}
}
