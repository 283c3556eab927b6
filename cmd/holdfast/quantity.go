package main

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads Go's notation, 1m30s, in which a number needs its unit.
func parseDuration(text string) (time.Duration, *flaw) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	f := &flaw{What: "is no duration", Mend: "write it as 500ms, 30s or 1m30s"}
	switch number := strings.TrimSpace(text); {
	case text == "":
		return 0, emptyFlaw()
	case isNumber(number):
		f.Why, f.Mend = "it has no unit", "write "+strings.TrimLeft(number, "+")+"s"
	case strings.HasSuffix(number, "d"):
		f.Why, f.Mend = "the largest unit is the hour", "write it in h"
	case strings.ContainsAny(number, " \t"):
		f.Why = "there is a space in it"
	}
	return 0, f
}

// sizeUnits are the units of a size, in bytes. The case of letters does not matter.
var sizeUnits = []struct {
	name  string
	bytes uint64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"PiB", 1 << 50}, {"EiB", 1 << 60},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"PB", 1e15}, {"EB", 1e18}, {"B", 1}, {"", 1},
}

// parseSize reads a number of bytes: plain, with underscores between its digits, or with
// a unit, as 16KiB (1024) or 1GB (1000³).
func parseSize(text string) (int64, *flaw) {
	unit := strings.TrimLeft(text, "0123456789_")
	digits := text[:len(text)-len(unit)]
	number, err := strconv.ParseUint(strings.ReplaceAll(digits, "_", ""), 10, 63)
	if text == "" {
		return 0, emptyFlaw()
	}
	if !groupedDigits(digits) {
		return 0, sizeFlaw(text, unit)
	}
	for _, u := range sizeUnits {
		if !strings.EqualFold(strings.TrimLeft(unit, " "), u.name) {
			continue
		}
		high, low := bits.Mul64(number, u.bytes)
		if err != nil || high != 0 || low > math.MaxInt64 {
			return 0, &flaw{What: "is out of range", Mend: "write one below 8EiB"}
		}
		return int64(low), nil
	}
	return 0, sizeFlaw(text, unit)
}

// groupedDigits tells whether s is digits with single underscores between them.
func groupedDigits(s string) bool {
	return s != "" && s[0] != '_' && s[len(s)-1] != '_' && !strings.Contains(s, "__")
}

func sizeFlaw(text, unit string) *flaw {
	f := &flaw{What: "is no size", Mend: "write it as 16KiB, 1GiB or 1_000_000 bytes"}
	switch {
	case strings.HasPrefix(text, "-"):
		f.Why = "it is negative"
	case strings.ContainsAny(text, ".,"):
		f.Why = "it must be a whole number; a smaller unit helps"
	case len(unit) == 1 && strings.Contains("KMGTkmgt", unit):
		f.Why = unit + " alone is a power of 1000 to some and of 1024 to others"
		f.Mend = "write " + text + "iB or " + text + "B"
	}
	return f
}

// formatSize writes n in the largest binary unit that it is a multiple of.
func formatSize(n int64) string {
	for i := 5; i >= 0 && n > 0; i-- {
		if unit := int64(sizeUnits[i].bytes); n%unit == 0 {
			return strconv.FormatInt(n/unit, 10) + sizeUnits[i].name
		}
	}
	return strconv.FormatInt(n, 10)
}
