package main

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
)

// A command does its work, or returns the settings of a server to run.
type command interface {
	run(c *call) outcome
}

// call is a command as it was called.
type call struct {
	command command
	node    *kong.Node          // its declaration
	given   map[string][]string // of flags and arguments on the command line
	args    []string            // all of it, as it was written
	env     environment
	std     streams
	faults  []fault // found while parsing; the rest is still checked

	// elsewhere reads a file of the machine that the settings are for, whose paths are
	// then not looked for on this one; nil when it is this one.
	elsewhere func(path string) ([]byte, error)
}

// newParser builds the parser over an empty commandLine. It prints and exits nowhere.
func newParser() *kong.Kong {
	parser, err := kong.New(new(commandLine), kong.Name("holdfast"), kong.NoDefaultHelp())
	if err != nil {
		panic(err) // a tag in flags.go is wrong
	}
	return parser
}

// declared is the topmost node of all declarations, to look things up in: nothing is parsed into it.
// Building them takes milliseconds, which each start would pay several times.
var declared = sync.OnceValue(func() *kong.Node { return newParser().Model.Node })

// parse reads the command line. Faults of single words are collected and those words
// left out, so that one run tells all mistakes; where the command itself is not
// known, the call is nil.
func parse(args []string) (*call, []fault) {
	parser := newParser()
	node, words := findCommand(parser.Model.Node, args)
	a := arrangement{node: node}
	if node.Leaf() {
		a.arrange(args[words:])
		args = slices.Concat(args[:words], a.flags, []string{"--"}, a.words)
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return nil, append(a.faults, fault{What: plain(err.Error()), Mend: a.see(), Usage: true})
	}
	selected := ctx.Selected()
	return &call{
		command: selected.Target.Addr().Interface().(command),
		node:    selected,
		given:   given(ctx),
	}, a.faults
}

// given collects what the command line itself said, without defaults.
func given(ctx *kong.Context) map[string][]string {
	values := make(map[string][]string)
	for _, p := range ctx.Path {
		switch {
		case p.Flag != nil:
			values[p.Flag.Name] = texts(p.Flag.Target)
		case p.Positional != nil:
			values[p.Positional.Name] = texts(p.Positional.Target)
		}
	}
	return values
}

func texts(v reflect.Value) []string {
	if list, ok := v.Interface().([]string); ok {
		return list
	}
	return []string{v.String()}
}

// findCommand follows the words of args down the tree of commands, and returns how many
// it used.
func findCommand(node *kong.Node, args []string) (*kong.Node, int) {
	for used, word := range args {
		next := child(node, word)
		if next == nil {
			return node, used
		}
		node = next
	}
	return node, len(args)
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// commandPath is the node's command without the program's name.
func commandPath(node *kong.Node) string {
	if node.Parent == nil {
		return ""
	}
	return strings.TrimSpace(commandPath(node.Parent) + " " + node.Name)
}

// arrangement sorts what follows a command into flags with their values and other words.
type arrangement struct {
	node         *kong.Node
	flags, words []string
	faults       []fault
}

// arrange sorts args. A word after an unknown flag is taken for its value and left out
// with it: a fault of its own would only mislead.
func (a *arrangement) arrange(args []string) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			a.words = append(a.words, args...)
			return
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			a.words = append(a.words, arg)
		default:
			args = a.flag(arg, args)
		}
	}
}

// flag takes a flag and, where it stands apart, its value, and returns what follows.
func (a *arrangement) flag(arg string, rest []string) []string {
	name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	flag := a.find(name)
	switch {
	case flag == nil || !strings.HasPrefix(arg, "--"):
		dashes := arg[:len(arg)-len(strings.TrimLeft(arg, "-"))]
		a.refuse("unknown flag "+quote(dashes+name), suggest(name, flagNames(a.node.Flags), "--", a.see()))
		if !joined && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			return rest[1:]
		}
	case joined || flag.IsBool():
		a.flags = append(a.flags, arg)
	case flag.Tag.Has("bare") && (len(rest) == 0 || !isToggle(rest[0])):
		a.flags = append(a.flags, arg+"="+flag.Tag.Get("bare"))
	case len(rest) == 0 || strings.HasPrefix(rest[0], "-") && rest[0] != "-":
		a.refuse("--"+name+" has no value", "write --"+name+" "+flag.PlaceHolder)
	default:
		a.flags = append(a.flags, arg+"="+rest[0])
		return rest[1:]
	}
	return rest
}

// isToggle tells a value of a flag that can stand alone from the word after it.
func isToggle(word string) bool { return slices.Contains([]string{"on", "off", "true", "false"}, word) }

func (a *arrangement) refuse(what, mend string) {
	a.faults = append(a.faults, fault{What: what, Mend: mend, Usage: true})
}

func (a *arrangement) find(name string) *kong.Flag {
	i := slices.IndexFunc(a.node.Flags, func(f *kong.Flag) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return a.node.Flags[i]
}

func (a *arrangement) see() string { return "see " + words("holdfast", commandPath(a.node), "--help") }

// words joins those of the texts that are not empty with spaces.
func words(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), " ")
}

func flagNames(flags []*kong.Flag) (names []string) {
	for _, f := range flags {
		names = append(names, f.Name)
	}
	return names
}
