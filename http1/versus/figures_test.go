package main

import (
	"bytes"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/versus/load"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   spread
	}{
		{"of one round is that round", []float64{3}, spread{3, 3, 3}},
		{"of two has its median between them", []float64{4, 2}, spread{3, 2, 4}},
		{"of three has the middle one", []float64{9, 1, 2}, spread{2, 1, 9}},
		{"of four has the mean of the middle two", []float64{8, 1, 2, 4}, spread{3, 1, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.values)
			if got := spreadOf(c.values); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if !slices.Equal(c.values, before) {
				t.Error("the rounds were put in another order")
			}
		})
	}
}

func TestTimeSample(t *testing.T) {
	got := timeSample(load.Result{Requests: 50_000, Elapsed: 2 * time.Second}, time.Second)
	if got != (sample{CPUMicros: 20, PerSecond: 25_000, Busy: 0.5}) {
		t.Errorf("%+v", got)
	}
}

// taken are three rounds, in the second of which the machine was busy otherwise.
var taken = map[string][]sample{
	"holdfast": {{CPUMicros: 10, PerSecond: 60, Busy: 1}, {CPUMicros: 30, PerSecond: 20, Busy: 1}, {CPUMicros: 12, PerSecond: 50, Busy: 0.5}},
	"nethttp":  {{CPUMicros: 20, PerSecond: 30, Busy: 1}, {CPUMicros: 60, PerSecond: 10, Busy: 1}, {CPUMicros: 20, PerSecond: 30, Busy: 1}},
}

func TestRows(t *testing.T) {
	t.Run("a server is compared with net/http of the same round", func(t *testing.T) {
		table := rows([]string{"holdfast", "nethttp", "nginx"}, taken)
		if len(table) != 2 || table[0].Server != "holdfast" || table[1].Server != "nethttp" {
			t.Fatalf("%+v", table)
		}
		r := table[0]
		if r.Main != (spread{12, 10, 30}) || *r.Share != (spread{0.5, 0.5, 0.6}) || math.Abs(r.Speedup.Low-5.0/3) > 1e-9 || r.Speedup.Median != 2 {
			t.Errorf("%+v, share %+v, speedup %+v", r, r.Share, r.Speedup)
		}
		if r := table[1]; *r.Share != (spread{1, 1, 1}) || *r.Speedup != (spread{1, 1, 1}) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("without net/http there is nothing to compare with", func(t *testing.T) {
		table := rows([]string{"holdfast"}, map[string][]sample{"holdfast": taken["holdfast"]})
		if len(table) != 1 || table[0].Share != nil || table[0].Speedup != nil || table[0].Main.Median != 12 {
			t.Errorf("%+v", table)
		}
	})
	t.Run("memory has a share and no speed", func(t *testing.T) {
		table := rows([]string{"raw", "nethttp"}, map[string][]sample{"raw": {{KiB: 5}}, "nethttp": {{KiB: 20}}})
		if r := table[0]; r.Main.Median != 5 || r.Share.Median != 0.25 || r.Speedup != nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestAim(t *testing.T) {
	for _, c := range []struct {
		aim  aim
		v    float64
		want bool
	}{
		{aim{cpuShare, 0.5}, 0.5, true}, {aim{cpuShare, 0.5}, 0.51, false},
		{aim{speedup, 10}, 10, true}, {aim{speedup, 10}, 9.9, false},
		{aim{kibibytes, 4}, 3, true}, {aim{kibibytes, 4}, 4.1, false},
	} {
		if got := c.aim.reached(c.v); got != c.want {
			t.Errorf("%v by %v: %v", c.aim, c.v, got)
		}
	}
}

func TestReport(t *testing.T) {
	timed := outcome{Name: "get", Title: "a case", Unit: unitTime, Aim: aim{cpuShare, 0.4}, Rows: rows([]string{"holdfast", "nethttp"}, taken)}
	t.Run("a table has a line a server and says whether the aim is reached", func(t *testing.T) {
		var b bytes.Buffer
		timed.print(&b)
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 5 || lines[1] != "aim: at most 0.4 of net/http's CPU per request; measured 0.50: not reached" {
			t.Fatalf("%s", &b)
		}
		want := []string{"holdfast", "12.00", "10.00", "30.00", "0.50", "0.50–0.60", "50", "2.00", "100", "%"}
		if got := strings.Fields(lines[3]); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if timed.Reached == nil || *timed.Reached {
			t.Errorf("reached: %v", timed.Reached)
		}
	})
	t.Run("what cannot be judged is not", func(t *testing.T) {
		for _, a := range []aim{{cpuShare, 0.4}, {speedup, 10}} {
			alone := outcome{Unit: unitTime, Aim: a, Rows: rows([]string{"holdfast"}, map[string][]sample{"holdfast": taken["holdfast"]})}
			var b bytes.Buffer
			alone.print(&b)
			if alone.Reached != nil || strings.Contains(b.String(), "reached") || !strings.Contains(b.String(), "–") {
				t.Error(b.String())
			}
		}
	})
	t.Run("memory is judged by itself", func(t *testing.T) {
		o := outcome{Unit: unitMemory, Aim: aim{kibibytes, 4}, Rows: rows([]string{"holdfast"}, map[string][]sample{"holdfast": {{KiB: 3.5, GrownKiB: 6}}})}
		var b bytes.Buffer
		o.print(&b)
		if o.Reached == nil || !*o.Reached || !strings.Contains(b.String(), "6.00") {
			t.Error(b.String())
		}
	})
	t.Run("the file has every round", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bench.json")
		r := report{Go: "go", Cases: []outcome{timed}}
		if err := r.write(path); err != nil {
			t.Fatal(err)
		}
		back := readReport(t, path)
		a, _ := json.Marshal(r)
		b, _ := json.Marshal(back)
		if !bytes.Equal(a, b) || len(back.Cases[0].Rows[0].Rounds) != 3 {
			t.Errorf("%s\n%s", a, b)
		}
	})
}
