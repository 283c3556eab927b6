package wire

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

// smallHead is what a load generator sends, browserHead what a browser does: 20 fields.
const (
	smallHead = "GET /hello HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n"

	browserHead = "GET /catalogue/shoes/running?colour=blue&size=42&page=3 HTTP/1.1\r\n" +
		"Host: shop.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"Cache-Control: max-age=0\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\n" +
		"sec-ch-ua-platform: \"Linux\"\r\n" +
		"DNT: 1\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: navigate\r\n" +
		"Sec-Fetch-User: ?1\r\n" +
		"Sec-Fetch-Dest: document\r\n" +
		"Referer: https://shop.example.com/catalogue/shoes?page=2\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: session=7f3c9a51e0b24d8c9b6a; theme=dark; basket=3; seen=8412%2C9120%2C1177\r\n" +
		"If-None-Match: \"5f3a-61e0c1b2\"\r\n" +
		"Priority: u=0, i\r\n" +
		"\r\n"
)

// BenchmarkParse measures finding and parsing a head, ours beside the standard library's.
func BenchmarkParse(b *testing.B) {
	for _, msg := range []struct{ name, head string }{{"2 fields", smallHead}, {"20 fields", browserHead}} {
		b.Run(msg.name+"/wire", func(b *testing.B) { benchWire(b, []byte(msg.head)) })
		b.Run(msg.name+"/nethttp", func(b *testing.B) { benchNetHTTP(b, []byte(msg.head)) })
	}
}

func benchWire(b *testing.B, msg []byte) {
	lim := DefaultLimits()
	var s Scanner
	var h Head
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		s.Reset()
		n, r := s.Scan(msg, &lim)
		if r != nil {
			b.Fatal(r)
		}
		if r = h.Parse(msg[:n], &lim); r != nil {
			b.Fatal(r)
		}
	}
}

func benchNetHTTP(b *testing.B, msg []byte) {
	src := bytes.NewReader(msg)
	buf := bufio.NewReader(src)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(msg)
		buf.Reset(src)
		if _, err := http.ReadRequest(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan measures the scanner alone, on a head that comes whole and in bytes.
func BenchmarkScan(b *testing.B) {
	lim := DefaultLimits()
	msg := []byte(browserHead)
	for _, step := range []int{len(msg), 1} {
		name := "whole"
		if step == 1 {
			name = "a byte at a time"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var s Scanner
				for n := step; n <= len(msg); n += step {
					if _, r := s.Scan(msg[:n], &lim); r != nil {
						b.Fatal(r)
					}
				}
			}
		})
	}
}

// BenchmarkChunked measures decoding, in pieces as an attacker and as an upload sends them.
func BenchmarkChunked(b *testing.B) {
	lim := DefaultLimits()
	for _, body := range []struct {
		name string
		wire []byte
	}{
		{"1-byte chunks", chunks(bytes.Repeat([]byte("x"), 4096), 1)},
		{"32 KiB chunks", chunks(make([]byte, 256<<10), 32<<10)},
	} {
		b.Run(body.name, func(b *testing.B) {
			b.SetBytes(int64(len(body.wire)))
			b.ReportAllocs()
			var d Chunked
			for b.Loop() {
				d.Reset(&lim)
				for in := body.wire; !d.Done(); {
					_, n, r := d.Next(in)
					if r != nil {
						b.Fatal(r)
					}
					in = in[n:]
				}
			}
		})
	}
}

// chunks is content in chunks of size bytes, with the last chunk and no trailer section.
func chunks(content []byte, size int) (b []byte) {
	for len(content) > 0 {
		n := min(size, len(content))
		b = AppendChunkSize(b, int64(n))
		b = append(append(b, content[:n]...), "\r\n"...)
		content = content[n:]
	}
	return AppendChunkSize(b, 0)
}

func BenchmarkAppendDate(b *testing.B) {
	dst := make([]byte, 0, DateBytes)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendDate(dst[:0], 784111777)
	}
}
