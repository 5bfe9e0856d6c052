// Only with Go's FIPS 140-3 module on does TLS refuse ChaCha20, which TR-02102-2 does not name.
//
//go:debug fips140=on

// Command plenumd is the daemon of the box: it wires desks, cameras, sound, the sitting and its pages together and runs
// until it is told to end. It decides nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"plenum/device/app"
	"plenum/device/config"
	"plenum/hal/line"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plenumd:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// The daemon starts itself a second time as the guard of its lamps and relays, see package line.
	if len(args) == 1 && args[0] == "line-guard" {
		return line.Guard(context.Background(), os.Stdin, os.Stdout)
	}
	flags := flag.NewFlagSet("plenumd", flag.ContinueOnError)
	path := flags.String("config", "/etc/plenum/plenum.toml", "configuration `file`")
	check := flags.Bool("check", false, "check the configuration and end")
	example := flags.Bool("example", false, "print a configuration with every key explained and end")
	verbose := flags.Bool("verbose", false, "log what devices say")
	appliance := flags.Bool("appliance", false, "this machine is the box: sticks, updates, power and the clock are the daemon's, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *example {
		fmt.Print(config.Example)
		return nil
	}
	if *check {
		cfg, err := config.Load(*path)
		if err != nil {
			return err
		}
		return tell(*path, cfg)
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if *appliance {
		return app.RunBox(ctx, app.ThisBox(*path), log)
	}
	cfg, err := config.Load(*path)
	if err != nil {
		return err
	}
	return app.Run(ctx, cfg, log)
}

// tell checks what the file says against the devices that are there. What is absent may come later and is only said.
func tell(path string, cfg config.Config) error {
	absent, err := app.Check(cfg)
	for _, a := range absent {
		fmt.Println("not there now:", a)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Printf("%s: %d members, %d desk systems, %d cameras: good\n", path, len(cfg.Members), len(cfg.Desks), len(cfg.Cameras))
	return nil
}
