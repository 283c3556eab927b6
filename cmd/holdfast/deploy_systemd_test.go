package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const unitDir = "../../deploy/systemd"

// unit reads a systemd unit into its settings; a setting may be there several times.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(unitDir, name))
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string][]string)
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings
}

func TestSystemdUnits(t *testing.T) {
	service := unit(t, "holdfast.service")
	t.Run("the command line is one that holdfast takes", func(t *testing.T) {
		args := strings.Fields(service["ExecStart"][0])[1:]
		c, faults := parse(args)
		if c == nil || len(faults) > 0 {
			t.Fatalf("%q: %v", args, faults)
		}
	})
	t.Run("systemd waits longer than the drain takes", func(t *testing.T) {
		granted, err := strconv.ParseFloat(service["TimeoutStopSec"][0], 64)
		needed := configured(t, testEnvironment(t)).graceNeeded()
		if err != nil || granted < needed.Seconds() {
			t.Errorf("TimeoutStopSec is %q, the drain may take %v", service["TimeoutStopSec"], needed)
		}
	})
	t.Run("a wrong configuration is not tried again, other failures are", func(t *testing.T) {
		if service["Restart"][0] != "on-failure" || service["RestartPreventExitStatus"][0] != strconv.Itoa(exitUsage) {
			t.Errorf("%q, %q", service["Restart"], service["RestartPreventExitStatus"])
		}
	})
	t.Run("each socket says which listener it is", func(t *testing.T) {
		for name, file := range map[string]string{"https": "holdfast.socket", "http": "holdfast-http.socket"} {
			socket := unit(t, file)
			if !slices.Equal(socket["FileDescriptorName"], []string{name}) || !slices.Equal(socket["Service"], []string{"holdfast.service"}) {
				t.Errorf("%s: %q for %q", file, socket["FileDescriptorName"], socket["Service"])
			}
			if !strings.Contains(service["Sockets"][0], file) {
				t.Errorf("the service does not take %s", file)
			}
		}
	})
}

// exposureLimit is systemd's own measure of what a unit may do, in tenths: 100 is all.
const exposureLimit = "20"

func TestSystemdAccepts(t *testing.T) {
	analyze := program(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"holdfast.service", "holdfast.socket", "holdfast-http.socket"} {
		content, err := os.ReadFile(filepath.Join(unitDir, name))
		if err != nil {
			t.Fatal(err)
		}
		// The program has to be there for systemd to accept the unit.
		text := strings.ReplaceAll(string(content), "/usr/local/bin/holdfast", binary(t))
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("no unit has a mistake", func(t *testing.T) {
		if r := runToEnd(t, "", analyze, append([]string{"verify", "--man=no"}, files...)...); r.exit != 0 || strings.Contains(r.stderr, dir) {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("the service may do little", func(t *testing.T) {
		if r := runToEnd(t, "", analyze, "security", "--offline=true", "--threshold="+exposureLimit, files[0]); r.exit != 0 {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
}
