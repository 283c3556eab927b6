package trust

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// databaseFile makes a directory an NSS database.
const databaseFile = "cert9.db"

// firefoxProfiles are where profiles are, below the home directory: a distribution's Firefox,
// Ubuntu's snap, Flatpak, macOS.
var firefoxProfiles = []string{
	".mozilla/firefox/*",
	"snap/firefox/common/.mozilla/firefox/*",
	".var/app/org.mozilla.firefox/.mozilla/firefox/*",
	"Library/Application Support/Firefox/Profiles/*",
}

// chromiums read ~/.pki/nssdb on Linux, whether it is there yet or not.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "brave-browser", "microsoft-edge"}

func (m *Machine) planBrowsers(ctx context.Context, p *Plan, c Certificate, in bool) {
	if m.Home == "" {
		p.note("HOME is not set, so no browser's databases are looked for")
		return
	}
	databases := m.databases(in)
	if len(databases) == 0 {
		return
	}
	certutil := m.find("certutil")
	if certutil == "" {
		p.note("browsers keep databases of their own, which certutil changes: install libnss3-tools (Debian, Ubuntu) or nss-tools (Fedora), and call this again")
		return
	}
	for _, dir := range databases {
		m.planDatabase(ctx, p, certutil, dir, c, in)
	}
}

// databases are those there are, and with in also the one that is to be.
func (m *Machine) databases(in bool) (all []string) {
	if m.Home == "" {
		return nil
	}
	shared := filepath.Join(m.Home, ".pki", "nssdb")
	if isDatabase(shared) || in && m.OS == "linux" && m.find(chromiums...) != "" {
		all = append(all, shared)
	}
	for _, pattern := range firefoxProfiles {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(m.Home), pattern)) // the patterns are good
		all = append(all, slices.DeleteFunc(found, func(dir string) bool { return !isDatabase(dir) })...)
	}
	return all
}

func (m *Machine) planDatabase(ctx context.Context, p *Plan, certutil, dir string, c Certificate, in bool) {
	if owner, ok := ownerOf(dir); ok && owner != m.UID {
		p.note("%s is another user's: a database that root writes to is of no use to its owner, who has to call this", dir)
		return
	}
	database, nickname := "sql:"+dir, c.nickname()
	step := Step{Store: "the NSS database " + dir}
	there := false
	if isDatabase(dir) {
		text, err := m.run(ctx, []string{certutil, "-d", database, "-L", "-n", nickname, "-a"})
		there = err == nil && c.isIn(text)
		if err == nil && !there {
			p.note("%s has another certificate called %q, which is left alone", dir, nickname)
			return
		}
	} else {
		step.Commands = [][]string{{m.tool("mkdir"), "-p", "-m", "0700", dir}, {certutil, "-d", database, "-N", "--empty-password"}}
	}
	switch {
	case there == in:
	case in:
		step.certificate = c
		step.Commands = append(step.Commands, []string{certutil, "-d", database, "-A", "-t", "C,,", "-n", nickname, "-i", c.Path})
	default:
		step.Commands = [][]string{{certutil, "-d", database, "-D", "-n", nickname}}
	}
	p.step(step)
}

func isDatabase(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, databaseFile))
	return err == nil && info.Mode().IsRegular()
}

// escapeGlob takes the meaning from what a home directory's name may have.
func escapeGlob(path string) string {
	var b []byte
	for i := range len(path) {
		switch path[i] {
		case '*', '?', '[', '\\':
			b = append(b, '\\')
		}
		b = append(b, path[i])
	}
	return string(b)
}
