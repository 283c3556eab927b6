package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// build says which binary this is.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision, RFC 3339
	Modified bool   `json:"modified"`       // it was built from more than the revision
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// buildVersion reads what the Go toolchain wrote into the binary.
func buildVersion() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) build {
	b := build{Version: info.Main.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is one line for people.
func (b build) String() string {
	line := "holdfast " + b.Version
	if b.Revision != "" {
		line += " (" + b.Revision[:min(len(b.Revision), 12)]
		if b.Modified {
			line += ", modified"
		}
		if b.Time != "" {
			line += ", " + b.Time
		}
		line += ")"
	}
	return line + " " + b.Go + " " + b.OS + "/" + b.Arch
}

func (v *versionCmd) run(c *call) outcome {
	if len(c.faults) > 0 {
		return outcome{exit: report(c.std.err, c.faults)}
	}
	b := buildVersion()
	if !v.JSON {
		fmt.Fprintln(c.std.out, b)
		return outcome{exit: exitOK}
	}
	_ = json.NewEncoder(c.std.out).Encode(b) // a closed stdout is the reader's affair
	return outcome{exit: exitOK}
}
