package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// reader reads settings as what they should be and collects every fault on the way. A
// faulty setting reads as its type's zero value.
type reader struct {
	values map[string]value
	faults []fault
	read   map[string]bool // the settings that were asked for

	elsewhere bool // the settings are for another machine, whose paths are not here
}

// flaw is what is wrong with a text, whichever setting it is for.
type flaw struct {
	What string // "is no duration"
	Why  string
	Mend string
}

// is it the case that the user wrote this setting, rather than its default?
func (r *reader) written(name string) bool { return r.get(name).from != "" }

func (r *reader) get(name string) value {
	v, ok := r.values[name]
	if !ok {
		panic("no such setting: " + name) // declared nowhere in flags.go
	}
	if r.read == nil {
		r.read = make(map[string]bool)
	}
	r.read[name] = true
	return v
}

// refuse books a usage fault of a setting.
func (r *reader) refuse(name, text, from string, f *flaw) {
	r.faults = append(r.faults, fault{
		What: name + " " + quote(text) + " " + f.What, Where: from, Why: f.Why, Mend: f.Mend, Usage: true,
	})
}

// single is the one text of a setting that a file must have written as one of kinds.
// Text is always right; ok is false after a fault.
func (r *reader) single(name string, kinds ...kind) (text, from string, ok bool) {
	v := r.get(name)
	for _, k := range append(kinds, textKind) {
		if v.kind == k {
			return v.texts[0], v.from, true
		}
	}
	r.refuse(name, strings.Join(v.texts, ", "), v.from, &flaw{
		What: "has the wrong type", Why: "it takes " + kindNames(kinds), Mend: "write it as " + name + ` = "…"`,
	})
	return "", v.from, false
}

func kindNames(kinds []kind) string {
	for _, k := range kinds {
		switch k {
		case integerKind:
			return "a number or text"
		case booleanKind:
			return "true, false or text"
		}
	}
	return "text in quotes"
}

// list is all texts of a repeatable setting, none of them empty.
func (r *reader) list(name string) (texts []string, from string) {
	v := r.get(name)
	if v.kind != textKind && v.kind != listKind {
		r.refuse(name, strings.Join(v.texts, ", "), v.from, &flaw{
			What: "has the wrong type", Why: "it takes text or an array of text", Mend: "write it as " + name + ` = ["…"]`,
		})
		return nil, v.from
	}
	for _, text := range v.texts {
		if text == "" {
			r.refuse(name, text, v.from, emptyFlaw())
			return nil, v.from
		}
	}
	return v.texts, v.from
}

func emptyFlaw() *flaw {
	return &flaw{What: "is empty", Mend: "give it a value, or leave it out (is a shell variable unset?)"}
}

func (r *reader) choice(name string, choices ...string) string {
	text, from, ok := r.single(name)
	if !ok {
		return ""
	}
	for _, c := range choices {
		if text == c {
			return c
		}
	}
	all := strings.Join(choices, ", ")
	r.refuse(name, text, from, &flaw{What: "is none of " + all, Mend: suggest(text, choices, "", "choose one of them")})
	return ""
}

// toggle reads on and off, for which a file may have true and false.
func (r *reader) toggle(name string) bool {
	text, from, ok := r.single(name, booleanKind)
	if !ok {
		return false
	}
	switch text {
	case "on", "true":
		return true
	case "off", "false":
		return false
	}
	r.refuse(name, text, from, &flaw{What: "is neither on nor off", Mend: "write on or off"})
	return false
}

func (r *reader) duration(name string, low, high time.Duration) time.Duration {
	text, from, ok := r.single(name)
	if !ok {
		return 0
	}
	d, f := parseDuration(text)
	if f == nil && (d < low || d > high) {
		f = rangeFlaw(low, high)
	}
	if f != nil {
		r.refuse(name, text, from, f)
		return 0
	}
	return d
}

func (r *reader) size(name string, low, high int64) int64 {
	text, from, ok := r.single(name, integerKind)
	if !ok {
		return 0
	}
	n, f := parseSize(text)
	if f == nil && (n < low || n > high) {
		f = rangeFlaw(formatSize(low), formatSize(high))
	}
	if f != nil {
		r.refuse(name, text, from, f)
		return 0
	}
	return n
}

// count reads a whole number, or 0 where word (such as "off") stands for none.
func (r *reader) count(name, word string, low, high int) int {
	text, from, ok := r.single(name, integerKind)
	if !ok || text == word {
		return 0
	}
	n, err := strconv.Atoi(strings.ReplaceAll(text, "_", ""))
	f := &flaw{What: "is no whole number", Mend: fmt.Sprintf("write one from %d to %d", low, high)}
	if err == nil && n >= low && n <= high {
		return n
	}
	if err == nil || isNumber(text) {
		f = rangeFlaw(low, high)
	}
	if word != "" {
		f.Mend += ", or " + word
	}
	r.refuse(name, text, from, f)
	return 0
}

func isNumber(text string) bool {
	text = strings.TrimLeft(text, "+-")
	return text != "" && strings.Trim(text, "0123456789") == ""
}

func rangeFlaw[T any](low, high T) *flaw {
	return &flaw{What: "is out of range", Mend: fmt.Sprintf("write one from %v to %v", low, high)}
}
