package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// value is a setting as text, and where it comes from.
type value struct {
	texts []string
	from  string // "--https", "HOLDFAST_HTTPS", "holdfast.toml:3"; empty for the default
	kind  kind

	tables []table // of an array of tables, which no flag has
}

// kind is what a value was written as. The command line and the environment have only
// text; a file distinguishes.
type kind uint8

const (
	textKind kind = iota
	integerKind
	booleanKind
	listKind
	otherKind // a float, a date: no setting is one
)

// layers lays the sources of the call's settings over each other: flag, environment,
// file, default. Each setting comes whole from one of them: lists are not merged.
func (c *call) layers() (values map[string]value, warnings, faults []fault) {
	file, faults := c.readConfig()
	var known []string
	values = make(map[string]value)
	for _, s := range slots(c.node) {
		known = append(known, variableStem(s.name))
		values[s.name] = c.lay(s, file)
	}
	values["site"], values["accounts"] = file["site"], file["accounts"] // there is no other layer that has them
	known = append(known, variableStem(accountStoreVariable))
	c.goPublic(values)
	if commandPath(c.node) == "serve" { // other commands know but a few of the variables
		warnings = unknownVariables(c.env, known)
	}
	return values, warnings, faults
}

// goPublic gives the listeners of a server with a domain the ports of the public. In Kubernetes a
// Service has those.
func (c *call) goPublic(values map[string]value) {
	if len(values["domain"].texts) == 0 || c.env.kubernetes() {
		return
	}
	for _, s := range slots(c.node) {
		if s.withDomain != "" && values[s.name].from == "" {
			values[s.name] = value{texts: []string{s.withDomain}}
		}
	}
}

// slot is a setting's place in the declaration, a flag or the argument ROOT.
type slot struct {
	name, label  string
	repeatable   bool
	usual        string // the default
	inKubernetes string // the default there, if it is another
	withDomain   string // the default elsewhere with --domain, if it is another
}

func slots(node *kong.Node) []slot {
	var all []slot
	for _, f := range node.Flags {
		all = append(all, newSlot(f.Value, "--"+f.Name))
	}
	for _, a := range node.Positional {
		all = append(all, newSlot(a, strings.ToUpper(a.Name)))
	}
	return all
}

func newSlot(v *kong.Value, label string) slot {
	return slot{
		name: v.Name, label: label, repeatable: v.IsSlice() && v.Flag != nil,
		usual: v.Default, inKubernetes: v.Tag.Get("kube"), withDomain: v.Tag.Get("public"),
	}
}

// lay finds the topmost layer that has the setting. An empty variable counts as unset,
// as it does for most programs: that is how a manifest takes one back.
func (c *call) lay(s slot, file map[string]value) value {
	if texts, ok := c.given[s.name]; ok {
		return value{texts: texts, from: s.label}
	}
	if text := c.env.get(variable(s.name)); text != "" {
		v := value{texts: []string{text}, from: variable(s.name)}
		if s.repeatable {
			v.texts = splitList(text)
		}
		return v
	}
	if v, ok := file[s.name]; ok {
		return v
	}
	v := value{texts: []string{s.usual}}
	if s.inKubernetes != "" && c.env.kubernetes() {
		v.texts = []string{s.inKubernetes}
	}
	if s.repeatable {
		v.texts = nil
	}
	return v
}

// splitList splits a variable that holds several values at its commas.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}
