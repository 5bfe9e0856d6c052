package stick

import "strings"

// code names what there is to say of a stick.
type code string

const (
	saidWaiting     code = "waiting"
	saidLooking     code = "looking"
	saidUpdate      code = "update"
	saidSetup       code = "setup"
	saidDiagnosis   code = "diagnosis"
	saidDone        code = "done"
	saidOther       code = "other"
	saidUnformatted code = "unformatted"
	saidFilesystem  code = "filesystem"
	saidUnreadable  code = "unreadable"
	saidStuck       code = "stuck"
	saidFailed      code = "failed"
)

// sentence is what people read, German first. {fs} is the stick's file system.
type sentence struct{ de, en string }

// sentences are all that this room says.
func sentences() map[code]sentence {
	return map[code]sentence{
		saidWaiting: {
			"USB-Stick erkannt. Während der Sitzung bleibt er unberührt; nach dem Schließen der Sitzung wird er angesehen.",
			"USB stick noticed. It is left alone during the sitting, and looked at when the sitting has closed.",
		},
		saidLooking: {
			"USB-Stick wird angesehen. Bitte stecken lassen.",
			"Looking at the USB stick. Please leave it plugged in.",
		},
		saidUpdate: {
			"USB-Stick mit einem Update. Bitte stecken lassen, bis das Update installiert ist oder nicht mehr gebraucht wird.",
			"USB stick with an update. Please leave it plugged in until the update is installed or not wanted any more.",
		},
		saidSetup: {
			"USB-Stick mit einer Einrichtung. Bitte stecken lassen, bis sie übernommen ist.",
			"USB stick with a setup. Please leave it plugged in until the setup is applied.",
		},
		saidDiagnosis: {
			"USB-Stick für die Diagnose. Bitte stecken lassen, bis die Datei geschrieben ist.",
			"USB stick for the diagnosis. Please leave it plugged in until the file is written.",
		},
		saidDone: {
			"Der USB-Stick wird nicht mehr gebraucht. Er kann abgezogen werden.",
			"The USB stick is not needed any more. It can be pulled out.",
		},
		saidOther: {
			"Auf diesem USB-Stick ist nichts für dieses Gerät. Für ein Update gehört die Datei mit der Endung .raucb in das oberste Verzeichnis; " +
				"ein Stick zum Einrichten heißt PLENUMSETUP, einer für die Diagnose PLENUM-DIAG.",
			"There is nothing for this box on this USB stick. For an update, put the file ending in .raucb into the top folder; " +
				"a stick for setup is labelled PLENUMSETUP, one for the diagnosis PLENUM-DIAG.",
		},
		saidUnformatted: {
			"Dieser USB-Stick ist nicht formatiert. Bitte am Rechner mit FAT32 oder exFAT formatieren und neu bespielen.",
			"This USB stick is not formatted. Please format it as FAT32 or exFAT on a computer, and copy the files again.",
		},
		saidFilesystem: {
			"Dieses Gerät liest das Dateisystem {fs} nicht. Bitte den USB-Stick am Rechner mit FAT32 oder exFAT formatieren und neu bespielen.",
			"This box does not read the file system {fs}. Please format the USB stick as FAT32 or exFAT on a computer, and copy the files again.",
		},
		saidUnreadable: {
			"Dieser USB-Stick lässt sich nicht lesen. Bitte abziehen und neu stecken; hilft das nicht, einen anderen Stick nehmen.",
			"This USB stick cannot be read. Please pull it out and plug it in again; if that does not help, take another stick.",
		},
		saidFailed: {
			"Beim Lesen dieses USB-Sticks ist das Gerät ausgefallen; er wird nicht noch einmal gelesen. Bitte abziehen und am Rechner neu bespielen. " +
				"Fiel nur der Strom aus, genügt es, ihn abzuziehen und neu zu stecken.",
			"The box failed while it was reading this USB stick; it is not read again. Please pull it out and copy the files again on a computer. " +
				"If it was only the power that failed, pulling it out and plugging it in again is enough.",
		},
		saidStuck: {
			"Der USB-Stick ließ sich nicht freigeben. Er kann abgezogen werden; danach bitte am Rechner prüfen.",
			"The USB stick could not be released. It can be pulled out; please check it on a computer afterwards.",
		},
	}
}

// say fills the sentence of a code.
func say(c code, v Volume) sentence {
	s := sentences()[c]
	fill := strings.NewReplacer("{fs}", v.Filesystem)
	return sentence{fill.Replace(s.de), fill.Replace(s.en)}
}
