package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// entry is the part of a help text about one flag: its line and the indented ones below.
func entry(help, flag string) string {
	_, rest, ok := strings.Cut("\n"+help, "\n  "+flag+" ")
	if !ok {
		return ""
	}
	var b strings.Builder
	for i, line := range strings.Split(rest, "\n") {
		if i > 0 && !strings.HasPrefix(line, strings.Repeat(" ", helpIndent)) {
			break
		}
		b.WriteString(strings.TrimSpace(line) + " ")
	}
	return b.String()
}

// leaves are all commands.
func leaves() []*kong.Node { return declared().Leaves(false) }

func TestWholeHelp(t *testing.T) {
	t.Run("every setting of a server has its text, group, environment name and default", func(t *testing.T) {
		node, _ := findCommand(declared(), []string{"serve"})
		help := holdfast(t, testEnvironment(t), "serve", "--help").out
		for _, f := range node.Flags {
			text := entry(help, "--"+f.Name)
			if f.Help == "" || f.Group == nil || !strings.Contains(help, "\n"+f.Group.Title+":\n") {
				t.Errorf("--%s has no text or no group", f.Name)
			}
			if !strings.Contains(text, "["+variable(f.Name)) {
				t.Errorf("--%s is without its environment name: %s", f.Name, text)
			}
			if f.Default != "" && !strings.Contains(text, "default "+f.Default) {
				t.Errorf("--%s is without its default: %s", f.Name, text)
			}
			if kube := f.Tag.Get("kube"); kube != "" && !strings.Contains(text, "in Kubernetes "+kube) {
				t.Errorf("--%s is without its default in Kubernetes: %s", f.Name, text)
			}
			if f.PlaceHolder == "" || !strings.HasPrefix(text, f.PlaceHolder) {
				t.Errorf("--%s is without what it takes: %s", f.Name, text)
			}
		}
		if !strings.Contains(entry(help, "ROOT"), "[HOLDFAST_ROOT; default .]") {
			t.Errorf("ROOT has %q", entry(help, "ROOT"))
		}
	})
	t.Run("a flag without a constant default says where it comes from", func(t *testing.T) {
		help := holdfast(t, testEnvironment(t), "serve", "--help").out
		for flag, want := range map[string]string{
			"--public-https-port": "default 443 when the request's Host names no port, else the HTTPS listener's]",
			"--max-connections":   "default three quarters of the descriptor limit (ulimit -n) after 64 set aside",
			"--state":             "default $STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast]",
		} {
			if got := entry(help, flag); !strings.Contains(got, want) {
				t.Errorf("%s has %q", flag, got)
			}
		}
	})
	t.Run("a flag with several defaults says which counts where", func(t *testing.T) {
		help := holdfast(t, testEnvironment(t), "serve", "--help").out
		if got, want := entry(help, "--https"), "default 127.0.0.1:8443; in Kubernetes :8443; elsewhere with --domain :443]"; !strings.Contains(got, want) {
			t.Errorf("--https has %q", got)
		}
	})
	t.Run("what is no setting has its default alone", func(t *testing.T) {
		for _, c := range [][3]string{{"users invite", "--uses", " [default 1] "}, {"users invite", "--valid", " [default 168h] "}, {"stop", "--timeout", " [default 10m] "}} {
			help := holdfast(t, testEnvironment(t), append(strings.Fields(c[0]), "--help")...).out
			if got := entry(help, c[1]); !strings.HasSuffix(got, c[2]) {
				t.Errorf("%s --help has for %s %q", c[0], c[1], got)
			}
		}
	})
	t.Run("what names the store of members is said", func(t *testing.T) {
		help := holdfast(t, testEnvironment(t), "users", "list", "--help").out
		if got := entry(help, "--state"); !strings.Contains(got, variable(accountStoreVariable)) {
			t.Errorf("--state has %q", got)
		}
	})
	t.Run("that of reload says what is read", func(t *testing.T) {
		help := holdfast(t, testEnvironment(t), "reload", "--help").out
		for _, want := range []string{"certificate files", "clients' CAs", "cluster's secret", "members' own pages", "Roots"} {
			if !strings.Contains(help, want) {
				t.Errorf("without %q:\n%s", want, help)
			}
		}
	})
	t.Run("every command has one", func(t *testing.T) {
		for _, leaf := range leaves() {
			r := holdfast(t, testEnvironment(t), append(strings.Fields(commandPath(leaf)), "--help")...)
			for _, f := range leaf.Flags {
				text := entry(r.out, "--"+f.Name)
				if text == "" {
					t.Errorf("%s --help is without --%s", commandPath(leaf), f.Name)
				}
				if named := strings.Contains(text, "["+variable(f.Name)); named == (f.IsBool() || f.Tag.Has("alone")) {
					t.Errorf("%s --help has for --%s %q", commandPath(leaf), f.Name, text)
				}
				if f.Default != "" && !f.IsBool() && !strings.Contains(text, "default "+f.Default) {
					t.Errorf("%s --help is without the default of --%s: %q", commandPath(leaf), f.Name, text)
				}
			}
			if r.exit != 0 || !strings.HasPrefix(r.out, "Usage: holdfast "+commandPath(leaf)) || !strings.Contains(r.out, leaf.Help) {
				t.Errorf("%s --help: exit %d\n%s", commandPath(leaf), r.exit, r.out)
			}
		}
	})
}

func TestHelpFits(t *testing.T) {
	t.Parallel()
	commands := [][]string{{}, {"certs"}}
	for _, leaf := range leaves() {
		commands = append(commands, strings.Fields(commandPath(leaf)))
	}
	for _, command := range commands {
		for _, flag := range []string{"-h", "--help"} {
			for _, line := range lines(holdfast(t, testEnvironment(t), append(command, flag)...).out) {
				if utf8.RuneCountInString(line) > helpWidth {
					t.Errorf("%q %s has a line of more than %d columns: %s", command, flag, helpWidth, line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Errorf("%q %s has blanks at the end of %q", command, flag, line)
				}
			}
		}
	}
}

func TestShortHelp(t *testing.T) {
	r := holdfast(t, testEnvironment(t), "serve", "-h")
	if n := strings.Count(r.out, "\n  --"); n != 13 { // twelve and --help
		t.Errorf("%d flags:\n%s", n, r.out)
	}
	if n := strings.Count(r.out, "\n  holdfast serve "); n != 2 {
		t.Errorf("%d examples:\n%s", n, r.out)
	}
	if n := len(lines(r.out)); n > 32 {
		t.Errorf("%d lines are more than a screen holds", n)
	}
}

func TestHelpIsFound(t *testing.T) {
	for _, c := range []struct {
		name, args, want string
	}{
		{"no arguments", "", "Usage: holdfast COMMAND\n"},
		{"-h alone", "-h", "Usage: holdfast COMMAND\n"},
		{"--help alone", "--help", "Usage: holdfast COMMAND\n"},
		{"the word help", "help", "Usage: holdfast COMMAND\n"},
		{"the word help before a command", "help certs ca", "Usage: holdfast certs ca [flags]\n"},
		{"a word that groups commands", "certs", "Usage: holdfast certs COMMAND\n"},
		{"of the demo, which takes no ROOT", "demo -h", "Usage: holdfast demo [flags]\n"},
		{"of check, which takes URLs too", "check -h", "Usage: holdfast check [ROOT | URL...] [flags]\n"},
		{"behind a mistake, since whoever made it asks", "serve --bogus --https --help", "Usage: holdfast serve [ROOT] [flags]\n"},
		{"behind an argument", "explain code -h", "Usage: holdfast explain [CODE...]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), strings.Fields(c.args)...)
			if r.exit != 0 || r.err != "" || !strings.HasPrefix(r.out, c.want) {
				t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
			}
		})
	}
	t.Run("not after two dashes", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), "serve", "--", "--help"); r.exit != 1 || !strings.Contains(r.err, `the directory "--help"`) {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
}

// What the help shows without brackets is what a command refuses to do without.
func TestHelpShowsWhatIsNeeded(t *testing.T) {
	needed := make(map[string]string)
	for _, leaf := range leaves() {
		for _, p := range leaf.Positional {
			if p.Tag.Has("needed") {
				needed[commandPath(leaf)] = strings.ToUpper(p.Name)
			}
		}
	}
	for path, name := range needed {
		t.Run(path, func(t *testing.T) {
			command := strings.Fields(path)
			if r := holdfast(t, testEnvironment(t), command...); r.exit != exitUsage || !strings.Contains(r.err, "no "+name+" is ") {
				t.Errorf("without it: exit %d, %q", r.exit, r.err)
			}
			if r := holdfast(t, testEnvironment(t), append(command, "-h")...); !strings.HasPrefix(r.out, "Usage: holdfast "+path+" "+name) {
				t.Error(r.out)
			}
		})
	}
	for path, want := range map[string]string{"doctor": "DOMAIN... [flags]", "certs explain": "HOST [flags]", "certs renew": "HOST [flags]", "users add": "NAME [flags]",
		"users remove": "NAME [flags]", "users passwd": "NAME [flags]", "users quota": "NAME [QUOTA] [flags]", "users import": "[FILE] [flags]"} {
		node, _ := findCommand(declared(), strings.Fields(path))
		if got := usage(node); got != want {
			t.Errorf("%s has %q", path, got)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"one":              "one",
		"one two":          "one two",
		"one two three":    "one two|three",
		"a  b\nc":          "a b c",
		"incomprehensible": "incomprehensible",
		"a bbbbbbbbbbbb c": "a|bbbbbbbbbbbb|c",
	} {
		if got := strings.Join(wrap(text, 8), "|"); got != want {
			t.Errorf("%q wraps to %q, want %q", text, got, want)
		}
	}
}
