package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"github.com/google/renameio/v2"

	"plenum/device/config"
	"plenum/device/sitting"
	"plenum/hal/desk/sim"
)

// hallNames are those in the hall, seat by seat; seat 1 leads the sitting.
func hallNames() []config.Member {
	names := []struct{ name, group string }{
		{"Clara Hoffmann", "Bürgermeisterin"}, {"Bernd Schulte", "Fraktion A"}, {"Elif Yıldız", "Fraktion A"}, {"Günter Krause", "Fraktion A"},
		{"Hannah Peters", "Fraktion A"}, {"Ingo Brandt", "Fraktion A"}, {"Jasmin Keller", "Fraktion B"}, {"Karl-Heinz Vogt", "Fraktion B"},
		{"Lena Sommer", "Fraktion B"}, {"Mehmet Aydın", "Fraktion B"}, {"Nadine Wolff", "Fraktion B"}, {"Otto Lindner", "Fraktion C"},
		{"Petra Neumann", "Fraktion C"}, {"Quirin Haas", "Fraktion C"}, {"Ruth Zimmermann", "Fraktion C"}, {"Stefan Möller", "Fraktion D"},
		{"Tanja Berger", "Fraktion D"}, {"Ulrich Engel", "Fraktion D"}, {"Vera Horn", "Fraktion D"}, {"Werner Busch", "Fraktion E"},
		{"Xenia Pohl", "Fraktion E"}, {"Yannick Roth", "Fraktion E"}, {"Zoé Laurent", "Fraktion F"}, {"Achim Seidel", "fraktionslos"},
	}
	ms := make([]config.Member, 0, len(names))
	for _, n := range names {
		ms = append(ms, config.Member{Name: n.name, Group: n.group})
	}
	return ms
}

// remoteMembers are those who take part from elsewhere.
func remoteMembers() []config.Member {
	return []config.Member{
		{ID: "a.demir", Name: "Aylin Demir", Group: "Fraktion A", Role: sitting.RoleMember, Remote: true},
		{ID: "j.weber", Name: "Jonas Weber", Group: "Fraktion B", Role: sitting.RoleMember, Remote: true},
		{ID: "s.petrova", Name: "Sofia Petrova", Group: "Fraktion C", Role: sitting.RoleMember, Remote: true},
	}
}

// roster seats everybody.
func roster(desks int) []config.Member {
	names, ms := hallNames(), make([]config.Member, 0, desks+3)
	for seat := 1; seat <= desks; seat++ {
		m := config.Member{Name: fmt.Sprintf("Ratsmitglied %d", seat)}
		if seat <= len(names) {
			m = names[seat-1]
		}
		m.ID, m.Seat, m.Role = fmt.Sprintf("platz-%d", seat), fmt.Sprint(seat), sitting.RoleMember
		if seat == 1 {
			m.Role = sitting.RoleChair
		}
		ms = append(ms, m)
	}
	return append(ms, remoteMembers()...)
}

// writeConfig writes the daemon's configuration for the virtual chamber and returns its path.
func writeConfig(o options, units *sim.Sim, socket string) (string, error) {
	c := config.Config{
		Listen: o.listen, Data: o.data, Socket: socket,
		Sitting: config.Sitting{Body: "Rat der Stadt Musterstadt", Mode: sitting.ModeChairGrants, Limit: 4, MaxLimit: 4, OpenAtStart: true},
		Members: roster(o.desks),
		Cameras: []config.Camera{
			{Name: "Totale", Device: "test:picture", Shows: config.ShowsHall, Width: 640, Height: 360, FPS: 25, BitRate: 500_000},
			{Name: "Rednerkamera", Device: "test:picture", Shows: config.ShowsSpeaker, Width: 640, Height: 360, FPS: 25, BitRate: 700_000},
		},
		Hall: config.Hall{
			Microphone: config.Microphone{Device: "test:voice", Channels: []string{config.HallChannel}},
			Output:     config.Playback{Device: "wav:" + filepath.Join(o.data, "hall.wav")},
		},
	}
	d := config.Desk{Name: "saal", Dialect: "quinta", Port: units.Path()}
	for seat := 1; seat <= o.desks; seat++ {
		d.Seats = append(d.Seats, config.Seat{Seat: fmt.Sprint(seat), Unit: units.Key(seat, "").ID})
	}
	c.Desks = []config.Desk{d}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	path := filepath.Join(o.data, "plenum.toml")
	if err := renameio.WriteFile(path, text.Bytes(), os.FileMode(0o600)); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}
