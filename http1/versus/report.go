package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// A report is what bench.json holds.
type report struct {
	Time      string    `json:"time"`
	Go        string    `json:"go"`
	Kernel    string    `json:"kernel"`
	CPU       string    `json:"cpu"`
	Setup     string    `json:"setup"` // cores and generator
	Generator string    `json:"generator"`
	Notes     []string  `json:"notes,omitempty"` // what is missing or was done otherwise
	Cases     []outcome `json:"cases"`
}

// An outcome is one case, measured.
type outcome struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Unit    string `json:"unit"`
	Aim     aim    `json:"aim"`
	Reached *bool  `json:"reached,omitempty"` // by holdfast
	Rows    []row  `json:"servers"`
}

// verdict is the aim and what holdfast reached of it.
func (o *outcome) verdict() string {
	for i := range o.Rows {
		if o.Rows[i].Server != ours {
			continue
		}
		if v, ok := o.Aim.judged(&o.Rows[i]); ok {
			reached := o.Aim.reached(v)
			o.Reached = &reached
			return fmt.Sprintf("aim: %v; measured %.2f: %s", o.Aim, v, map[bool]string{true: "reached", false: "not reached"}[reached])
		}
	}
	return fmt.Sprintf("aim: %v", o.Aim)
}

// print writes the case as a table.
func (o *outcome) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s (%s)\n%s\n", o.Title, o.Name, o.verdict())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if o.Unit == unitMemory {
		fmt.Fprintln(t, "server\tKiB each\tlow\thigh\tbefore GC\tof net/http\t")
	} else {
		fmt.Fprintln(t, "server\tµs/request\tbest\tworst\tof net/http\tlow–high\trequests/s\ttimes net/http\tcore busy\t")
	}
	for i := range o.Rows {
		if r := &o.Rows[i]; o.Unit == unitMemory {
			r.printMemory(t)
		} else {
			r.printTime(t)
		}
	}
	_ = t.Flush()
}

func (r *row) printMemory(w io.Writer) {
	grown := spreadOf(each(r.Rounds, func(s *sample) float64 { return s.GrownKiB }))
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t\n", r.Server, r.Main.Median, r.Main.Low, r.Main.High, grown.Median, r.Share.median())
}

func (r *row) printTime(w io.Writer) {
	busy := spreadOf(each(r.Rounds, func(s *sample) float64 { return s.Busy }))
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%s\t%s\t%.0f\t%s\t%.0f %%\t\n", r.Server, r.Main.Median, r.Main.Low, r.Main.High,
		r.Share.median(), r.Share.ends(), r.Speed.Median, r.Speedup.median(), 100*busy.Median)
}

// median is s's median as text, a dash where there is no s.
func (s *spread) median() string {
	if s == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f", s.Median)
}

func (s *spread) ends() string {
	if s == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f–%.2f", s.Low, s.High)
}

// write makes the report a file, and its folder where there is none.
func (r *report) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
