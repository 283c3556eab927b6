package coding

import (
	"strings"
	"testing"
)

var all = []Coding{Brotli, Zstd, Gzip}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		clause, value string
		offers        []Coding
		want          Coding
		refused       bool
	}{
		{"an empty field is identity alone (RFC 9110 §12.5.3)", "", all, Identity, false},
		{"a browser gets the first offer", "gzip, deflate, br, zstd", all, Brotli, false},
		{"what is not offered does not count", "gzip, deflate, br", []Coding{Zstd, Gzip}, Gzip, false},
		{"nothing known is identity", "deflate, compress", all, Identity, false},
		{"the greater weight wins over our order", "br;q=0.5, gzip;q=0.501", all, Gzip, false},
		{"of equal weights our order decides", "gzip;q=0.5, br;q=0.5", all, Brotli, false},
		{"a weight of 0 refuses", "br;q=0, gzip;q=0.001", all, Gzip, false},
		{"identity goes last of equals", "identity;q=0.5, gzip;q=0.5", all, Gzip, false},
		{"identity goes first where it weighs more", "identity, gzip;q=0.5", all, Identity, false},
		{"identity is accepted while it is not refused", "br;q=0, zstd;q=0, gzip;q=0", all, Identity, false},
		{"a star is every other coding", "*", all, Brotli, false},
		{"a star is not the one that was named", "*, br;q=0", all, Zstd, false},
		{"a star of 0 refuses what was not named", "gzip, *;q=0", []Coding{Brotli}, Identity, true},
		{"and identity with it", "*;q=0", all, Identity, true},
		{"but not an identity that was named", "*;q=0, identity;q=0.1", all, Identity, false},
		{"identity can be refused", "identity;q=0, gzip", all, Gzip, false},
		{"and then nothing is left without offers", "identity;q=0, gzip", nil, Identity, true},
		{"identity alone", "identity", all, Identity, false},
		{"x-gzip is gzip (§8.4.1.3)", "x-gzip", all, Gzip, false},
		{"names have no case", "GZip;Q=1", all, Gzip, false},
		{"whitespace stands around", " gzip ;q=0.5 ,\tbr ; q=0.4 ", all, Gzip, false},
		{"empty elements are none", ",, gzip,,", all, Gzip, false},
		{"twice counts as the lesser", "gzip;q=0, gzip", all, Identity, false},
		{"three decimals", "gzip;q=0.123, br;q=0.122", all, Gzip, false},
		{"a point without decimals", "gzip;q=0., br;q=1.", all, Brotli, false},
	} {
		t.Run(c.clause, func(t *testing.T) {
			got, ok := Parse(c.value).Choose(c.offers...)
			if got != c.want || ok == c.refused {
				t.Errorf("%q: %v, %v", c.value, got, ok)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	for _, value := range []string{
		"gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=-1", "gzip;q=", "gzip;q", "gzip;", "gzip;x=1", "gzip;q=.5", "gzip;q=0,5;q=1;q=1",
		"gzip br", "gz/ip", ";q=1", "gzip;q=0.5;q=0.6", "gzip;q=0x1", "gzip; q =1", "identity;q=0, \x01", "br\"", strings.Repeat("gzip,", elementsRead+1),
	} {
		t.Run("is as if it were not there, "+brief(value), func(t *testing.T) {
			if a := Parse(value); a != Plain {
				t.Errorf("%q is %+v", value, a)
			}
			if c, ok := Parse(value).Choose(all...); c != Identity || !ok {
				t.Errorf("%q: %v, %v", value, c, ok)
			}
		})
	}
}

func brief(s string) string { return s[:min(len(s), 30)] }

func TestNames(t *testing.T) {
	for c, want := range map[Coding]string{Identity: "identity", Brotli: "br.br", Zstd: "zstd.zst", Gzip: "gzip.gz"} {
		if got := c.String() + c.Extension(); got != want {
			t.Errorf("%d is %q", c, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"gzip, deflate, br, zstd", "*;q=0, identity;q=0.5", "br;q=1.000,,x-gzip ;q=0.001", "identity;q=0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		a := Parse(value)
		best, ok := a.Choose(all...)
		if ok != a.Accepts(best) {
			t.Fatalf("%q: chose %v, which is accepted: %v", value, best, a.Accepts(best))
		}
		for _, c := range append(all, Identity) {
			if q := a.thousandths[c]; q < 0 || q > 1000 || c != Identity && q > a.thousandths[best] {
				t.Fatalf("%q: %v weighs %d, and %v with %d was chosen", value, c, q, best, a.thousandths[best])
			}
			if !ok && a.Accepts(c) {
				t.Fatalf("%q: refused, though %v is accepted", value, c)
			}
		}
		// Naming a coding that nobody knows changes nothing for those that are known.
		if a != Plain && Parse(value+",holdfast-unknown") != a && strings.Count(value, ",") < elementsRead-2 {
			t.Fatalf("%q: an unknown coding made a difference", value)
		}
	})
}
