package wire

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAppendStatusLine(t *testing.T) {
	for status, want := range map[int]string{
		200: "HTTP/1.1 200 OK\r\n",
		100: "HTTP/1.1 100 Continue\r\n",
		404: "HTTP/1.1 404 Not Found\r\n",
		413: "HTTP/1.1 413 Content Too Large\r\n",
		505: "HTTP/1.1 505 HTTP Version Not Supported\r\n",
		299: "HTTP/1.1 299 \r\n", // §4: the space stands without a phrase too
		599: "HTTP/1.1 599 \r\n",
		999: "HTTP/1.1 999 \r\n",
	} {
		t.Run(fmt.Sprint(status, " has its line"), func(t *testing.T) {
			if got := string(AppendStatusLine([]byte("x"), status)); got != "x"+want {
				t.Errorf("got %q", got)
			}
		})
	}
	for _, status := range []int{-1, 0, 99, 1000} {
		t.Run(fmt.Sprint(status, " is our own bug"), func(t *testing.T) {
			mustPanic(t, func() { AppendStatusLine(nil, status) })
		})
	}
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}

// renamed are the phrases that RFC 9110 changed and net/http keeps, and one that it does
// not count among the final ones.
var renamed = map[int]string{
	413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content", 418: "",
}

func TestStatusText(t *testing.T) {
	for status := -1; status <= 1000; status++ {
		want := http.StatusText(status)
		if name, ok := renamed[status]; ok {
			want = name
		}
		if got := StatusText(status); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
}

func TestAppendField(t *testing.T) {
	if got := string(AppendField([]byte("A: 1\r\n"), "Server", "x")); got != "A: 1\r\nServer: x\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestAppendChunkSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "1", 15: "f", 16: "10", 0xABCDEF: "abcdef", math.MaxInt64: "7fffffffffffffff"} {
		t.Run(fmt.Sprint(n, " is written in hexadecimal"), func(t *testing.T) {
			if got := string(AppendChunkSize(nil, n)); got != want+"\r\n" {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("a negative size is our own bug", func(t *testing.T) {
		mustPanic(t, func() { AppendChunkSize(nil, -1) })
	})
}

func TestAppendDate(t *testing.T) {
	same := func(t *testing.T, unix int64) {
		t.Helper()
		got := string(AppendDate(nil, unix))
		if want := time.Unix(unix, 0).UTC().Format(http.TimeFormat); got != want || len(got) != DateBytes {
			t.Fatalf("%d is %q, want %q", unix, got, want)
		}
	}
	t.Run("the RFC's example", func(t *testing.T) {
		if got := string(AppendDate(nil, 784111777)); got != "Sun, 06 Nov 1994 08:49:37 GMT" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("every day of 800 years is as package time has it", func(t *testing.T) {
		for day := int64(-200 * 365); day < 600*366; day++ {
			same(t, day*86400+day%86400)
		}
	})
	t.Run("so are both ends of the years and the seconds around", func(t *testing.T) {
		for _, unix := range []int64{minDate, minDate + 1, maxDate, maxDate - 1, -1, 0, 1, 951782400, 951868799, 951868800, 4107542400} {
			same(t, unix)
		}
	})
	t.Run("so are any others", func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 100000 {
			same(t, minDate+rnd.Int64N(maxDate-minDate+1))
		}
	})
	t.Run("times beyond have the nearest date", func(t *testing.T) {
		for unix, want := range map[int64]string{
			minDate - 1: "Mon, 01 Jan 0001 00:00:00 GMT", math.MinInt64: "Mon, 01 Jan 0001 00:00:00 GMT",
			maxDate + 1: "Fri, 31 Dec 9999 23:59:59 GMT", math.MaxInt64: "Fri, 31 Dec 9999 23:59:59 GMT",
		} {
			if got := string(AppendDate(nil, unix)); got != want {
				t.Errorf("%d is %q, want %q", unix, got, want)
			}
		}
	})
}

func TestValid(t *testing.T) {
	for c := range 256 {
		s := string([]byte{byte(c)})
		t.Run(fmt.Sprintf("byte %#02x", c), func(t *testing.T) {
			if got, want := ValidFieldName("a"+s+"b"), strings.Contains(tchar, s); got != want {
				t.Errorf("in a name: %v", got)
			}
			if got, want := ValidFieldValue("a"+s+"b"), c == '\t' || c >= ' ' && c != 0x7F; got != want {
				t.Errorf("in a value: %v", got)
			}
		})
	}
	if ValidFieldName("") || !ValidFieldValue("") {
		t.Error("a name is never empty, a value may be")
	}
	t.Run("what is valid comes back as it was", func(t *testing.T) {
		value := "a\tb \xff;\"c\""
		if !ValidFieldValue(value) {
			t.Fatal("it is not valid")
		}
		raw := AppendField([]byte("GET / HTTP/1.1\r\nHost: a\r\n"), "X", value)
		h, r := verdict(t, string(raw)+"\r\n")
		if got, _ := h.Lookup("x"); r != nil || string(got) != value {
			t.Errorf("got %q, %v", got, r)
		}
	})
}
