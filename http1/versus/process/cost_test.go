package process

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestSchedstat(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"639022 2802144 2\n": 639022,
		"0 0 0\n":            0,
	} {
		if got, err := parseSchedstat([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x 1 2\n", " 1 2"} {
		if got, err := parseSchedstat([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestStat(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7 (raw) S 1 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 5 0 1": 3 * time.Second,
		"7 (a) b) (c d) R 1 7 7 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 5": 30 * time.Millisecond,
	} {
		if got, err := parseStat([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7 (raw", "7 (raw) S 1 7", "7 (raw) S 1 7 7 0 -1 4194304 1 0 0 0 a 50 0", "7 (raw) S 1 7 7 0 -1 4194304 1 0 0 0 50 a 0"} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestSmaps(t *testing.T) {
	const text = "00400000-7fff000 ---p 00000000 00:00 0    [rollup]\nRss:                1836 kB\nPss:                 190 kB\nPss_Dirty:            96 kB\n"
	if got, err := parseSmaps([]byte(text)); err != nil || got != (Memory{RSS: 1836 << 10, PSS: 190 << 10}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "Rss: 12 kB\n", "Rss: 12 MB\nPss: 1 kB\n", "Rss: x kB\nPss: 1 kB\n"} {
		if got, err := parseSmaps([]byte(bad)); err == nil {
			t.Errorf("%q is taken for %+v", bad, got)
		}
	}
}

func TestCoreList(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0-1": {0, 1}, "1,3-5,9": {1, 3, 4, 5, 9}} {
		if got, err := parseCores(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"", "a", "1-", "-1", "1,,2"} {
		if got, err := parseCores(list); err == nil {
			t.Errorf("%q is taken for %v", list, got)
		}
	}
}

func TestCost(t *testing.T) {
	c := start(t, specOf(t, "work"))
	t.Run("work is booked on who did it", func(t *testing.T) {
		if _, err := c.Ask("once"); err != nil { // from here on it is at rest
			t.Fatal(err)
		}
		before, err := CPU(c.PID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Ask("again"); err != nil {
			t.Fatal(err)
		}
		if after, err := CPU(c.PID); err != nil || after <= before {
			t.Errorf("from %v to %v, %v", before, after, err)
		}
	})
	t.Run("the kernel's other account is in the same unit", func(t *testing.T) {
		exact, err := CPU(c.PID)
		if err != nil {
			t.Fatal(err)
		}
		rough, err := cpuTicks(c.PID)
		if err != nil {
			t.Fatal(err)
		}
		if rough > 10*exact+time.Second || exact > 10*rough+time.Second {
			t.Errorf("schedstat says %v, stat %v", exact, rough)
		}
	})
	t.Run("its memory is resident", func(t *testing.T) {
		if m, err := Resident(c.PID); err != nil || m.PSS <= 0 || m.RSS < m.PSS {
			t.Errorf("%+v, %v", m, err)
		}
	})
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	t.Run("a process that is gone is an error, not a zero", func(t *testing.T) {
		if d, err := CPU(c.PID); err == nil {
			t.Errorf("CPU %v", d)
		}
		if m, err := Resident(c.PID); err == nil {
			t.Errorf("memory %+v", m)
		}
	})
	t.Run("a process is never without a core", func(t *testing.T) {
		if cores, err := Cores(); err != nil || len(cores) == 0 {
			t.Errorf("process %d: %v, %v", os.Getpid(), cores, err)
		}
	})
}
