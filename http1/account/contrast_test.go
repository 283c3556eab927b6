package account

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// contrast is the ratio of two of the stylesheet's colours (WCAG 2.2, contrast ratio).
func contrast(t *testing.T, css, one, two string) float64 {
	t.Helper()
	a, b := luminance(t, css, one), luminance(t, css, two)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, css, name string) (sum float64) {
	t.Helper()
	m := regexp.MustCompile(`--` + name + `: #([0-9a-f]{6})`).FindStringSubmatch(css)
	if m == nil {
		t.Fatalf("no colour %s", name)
	}
	for i, share := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(m[1][2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			sum += share * c / 12.92
		} else {
			sum += share * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
