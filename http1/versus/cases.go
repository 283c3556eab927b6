package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1/versus/load"
)

// measure is what a case measures, and what its aim is about.
type measure string

const (
	cpuShare  measure = "of net/http's CPU per request"     // at most
	speedup   measure = "times net/http's requests/s"       // at least
	kibibytes measure = "KiB of memory per idle connection" // at most
)

// aim is what holdfast shall reach.
type aim struct {
	Measure measure `json:"measure"`
	Bound   float64 `json:"bound"`
}

// reached tells whether v is good enough.
func (a aim) reached(v float64) bool {
	if a.Measure == speedup {
		return v >= a.Bound
	}
	return v <= a.Bound
}

func (a aim) String() string {
	if a.Measure == speedup {
		return fmt.Sprintf("at least %g %s", a.Bound, a.Measure)
	}
	return fmt.Sprintf("at most %g %s", a.Bound, a.Measure)
}

// A scenario is one case of the comparison. Its target has no address yet.
type scenario struct {
	name, title string
	target      load.Target
	idle        bool // measures memory, not time
	files       bool // the target is a file; its servers serve a folder
	connections int  // 0 for the usual number
	aim         aim
}

// scenarios are all cases.
var scenarios = []scenario{
	{name: "get", title: "GET with 2 fields, keep-alive",
		target: load.Target{Path: "/", Fields: twoFields}, aim: aim{cpuShare, 0.50}},
	{name: "browser", title: "GET with a browser's 20 fields, keep-alive",
		target: load.Target{Path: browserPath, Fields: browserFields}, aim: aim{cpuShare, 0.38}},
	{name: "pipelined", title: "GET with 2 fields, 16 pipelined",
		target: load.Target{Path: "/", Fields: twoFields, Pipeline: 16}, aim: aim{speedup, 10}},
	{name: "tls", title: "GET with 2 fields, keep-alive over TLS 1.3",
		target: load.Target{Path: "/", Fields: twoFields, TLS: true}, aim: aim{cpuShare, 0.60}},
	{name: "file-1k", title: "a file of 1 KB", files: true,
		target: load.Target{Path: "/1k.html", Fields: twoFields}, aim: aim{cpuShare, 0.27}},
	{name: "file-100k", title: "a file of 100 KB", files: true,
		target: load.Target{Path: "/100k.html", Fields: twoFields}, aim: aim{speedup, 1}},
	{name: "file-10m", title: "a file of 10 MB", files: true, connections: 8,
		target: load.Target{Path: "/10m.bin", Fields: twoFields}, aim: aim{speedup, 1}},
	{name: "file-1k-tls", title: "a file of 1 KB over TLS 1.3", files: true,
		target: load.Target{Path: "/1k.html", Fields: twoFields, TLS: true}, aim: aim{cpuShare, 0.60}},
	{name: "file-100k-tls", title: "a file of 100 KB over TLS 1.3", files: true,
		target: load.Target{Path: "/100k.html", Fields: twoFields, TLS: true}, aim: aim{speedup, 0.93}},
	{name: "file-10m-tls", title: "a file of 10 MB over TLS 1.3", files: true, connections: 8,
		target: load.Target{Path: "/10m.bin", Fields: twoFields, TLS: true}, aim: aim{speedup, 1}},
	{name: "idle", title: "idle connections", idle: true,
		target: load.Target{Path: "/", Fields: twoFields}, aim: aim{kibibytes, 4}},
	{name: "idle-tls", title: "idle connections over TLS 1.3", idle: true,
		target: load.Target{Path: "/", Fields: twoFields, TLS: true}, aim: aim{kibibytes, 18}},
}

// chosen are the cases of a comma-separated list, in its order; "all" is all of them.
func chosen(list string) ([]scenario, error) {
	if list == "all" {
		return scenarios, nil
	}
	var picked []scenario
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no case %q; there are all, %s", name, strings.Join(scenarioNames(), ", "))
		}
		picked = append(picked, scenarios[i])
	}
	return picked, nil
}

func scenarioNames() (names []string) {
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// twoFields are what a plain client sends.
var twoFields = []load.Field{{Name: "Host", Value: "www.example.com"}, {Name: "Accept", Value: "*/*"}}

const browserPath = "/catalogue/shoes/running?colour=blue&size=42&page=3"

// browserFields are the 20 of a browser that follows a link.
var browserFields = []load.Field{
	{Name: "Host", Value: "shop.example.com"},
	{Name: "Connection", Value: "keep-alive"},
	{Name: "Cache-Control", Value: "max-age=0"},
	{Name: "sec-ch-ua", Value: `"Chromium";v="130", "Not?A_Brand";v="99"`},
	{Name: "sec-ch-ua-mobile", Value: "?0"},
	{Name: "sec-ch-ua-platform", Value: `"Linux"`},
	{Name: "DNT", Value: "1"},
	{Name: "Upgrade-Insecure-Requests", Value: "1"},
	{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"},
	{Name: "Accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"},
	{Name: "Sec-Fetch-Site", Value: "same-origin"},
	{Name: "Sec-Fetch-Mode", Value: "navigate"},
	{Name: "Sec-Fetch-User", Value: "?1"},
	{Name: "Sec-Fetch-Dest", Value: "document"},
	{Name: "Referer", Value: "https://shop.example.com/catalogue/shoes?page=2"},
	{Name: "Accept-Encoding", Value: "gzip, deflate, br, zstd"},
	{Name: "Accept-Language", Value: "en-GB,en;q=0.9,de;q=0.8"},
	{Name: "Cookie", Value: "session=7f3c9a51e0b24d8c9b6a; theme=dark; basket=3; seen=8412%2C9120%2C1177"},
	{Name: "If-None-Match", Value: `"5f3a-61e0c1b2"`},
	{Name: "Priority", Value: "u=0, i"},
}
