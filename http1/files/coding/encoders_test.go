package coding

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded is b without its coding.
func decoded(t *testing.T, c Coding, b []byte) string {
	t.Helper()
	var r io.Reader
	var err error
	if c == Gzip {
		r, err = gzip.NewReader(bytes.NewReader(b))
	} else {
		d, derr := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderMaxWindow(8<<20)) // what a browser allows (RFC 9659)
		if derr == nil {
			defer d.Close()
		}
		r, err = d, derr
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEncoders(t *testing.T) {
	contents := map[string]string{"nothing": "", "a line": "a line\n", "megabytes": strings.Repeat("some text that comes again and again\n", 100_000)}
	for _, c := range []Coding{Gzip, Zstd} {
		for name, content := range contents {
			t.Run(c.String()+" of "+name+" decodes to it, twice from one encoder", func(t *testing.T) {
				encoders := NewEncoders(1)
				for range 2 {
					var buf bytes.Buffer
					e, ok := encoders.Begin(c, &buf)
					if !ok {
						t.Fatal("busy")
					}
					for rest := content; rest != ""; rest = rest[min(len(rest), 30_000):] {
						if _, err := e.Write([]byte(rest[:min(len(rest), 30_000)])); err != nil {
							t.Fatal(err)
						}
					}
					if err := e.Close(); err != nil {
						t.Fatal(err)
					}
					e.Release()
					e.Release() // a second time does nothing
					if got := decoded(t, c, buf.Bytes()); got != content {
						t.Fatalf("%d bytes came back of %d", len(got), len(content))
					}
					if len(content) > 1000 && buf.Len() > len(content)/10 {
						t.Errorf("%d bytes became %d", len(content), buf.Len())
					}
				}
			})
		}
	}
}

func TestEncodersAreBounded(t *testing.T) {
	encoders := NewEncoders(2)
	first, _ := encoders.Begin(Gzip, io.Discard)
	second, _ := encoders.Begin(Zstd, io.Discard)
	if first == nil || second == nil {
		t.Fatal("two were allowed")
	}
	if e, ok := encoders.Begin(Gzip, io.Discard); ok || e != nil {
		t.Error("a third one began")
	}
	first.Release()
	third, ok := encoders.Begin(Zstd, io.Discard)
	if !ok {
		t.Fatal("a place that was given back is not free")
	}
	third.Release()
	second.Release()
	t.Run("at least one is allowed", func(t *testing.T) {
		if e, ok := NewEncoders(0).Begin(Gzip, io.Discard); !ok {
			t.Error("busy")
		} else {
			e.Release()
		}
	})
}

var errFull = errors.New("no more is taken")

// failing takes nothing.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestEncoderFails(t *testing.T) {
	for _, c := range []Coding{Gzip, Zstd} {
		t.Run(c.String()+" gives its writer's error and is good again afterwards", func(t *testing.T) {
			encoders := NewEncoders(1)
			e, _ := encoders.Begin(c, failing{})
			_, werr := e.Write(bytes.Repeat([]byte("x"), 1<<20))
			if cerr := e.Close(); !errors.Is(errors.Join(werr, cerr), errFull) {
				t.Errorf("write %v, close %v", werr, cerr)
			}
			e.Release()
			var buf bytes.Buffer
			e, ok := encoders.Begin(c, &buf)
			if !ok {
				t.Fatal("busy")
			}
			defer e.Release()
			if _, err := e.Write([]byte("good")); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(); err != nil || decoded(t, c, buf.Bytes()) != "good" {
				t.Errorf("%v, %q", err, buf.Bytes())
			}
		})
	}
	t.Run("a coding that is not made here panics and leaves its place free", func(t *testing.T) {
		encoders := NewEncoders(1)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			encoders.Begin(Brotli, io.Discard)
		}()
		if _, ok := encoders.Begin(Gzip, io.Discard); !ok {
			t.Error("busy")
		}
	})
}

func TestEncodersShared(t *testing.T) {
	encoders := NewEncoders(3)
	content := strings.Repeat("shared by many ", 1000)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				c := []Coding{Gzip, Zstd}[i%2]
				var buf bytes.Buffer
				e, ok := encoders.Begin(c, &buf)
				if !ok {
					continue
				}
				_, werr := io.WriteString(e, content)
				cerr := e.Close()
				e.Release()
				if werr != nil || cerr != nil || decoded(t, c, buf.Bytes()) != content {
					t.Errorf("%v, %v, %d bytes", werr, cerr, buf.Len())
				}
			}
		})
	}
	wg.Wait()
}
