package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A table is one of the file: [accounts], or one of an array such as [[site]].
type table struct {
	from   string             // file:line of its head
	values map[string]value   // what is not a table
	tables map[string][]table // arrays of tables in it
}

// positions tell where in a file something stands, by its path, such as site[0].redirect[1].to.
type positions struct {
	file  string
	lines map[string]int
}

// from is the place of a path, or of the nearest above it that has one.
func (p *positions) from(path string) string {
	for {
		if line, ok := p.lines[path]; ok {
			return p.file + ":" + strconv.Itoa(line)
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return p.file
		}
		path = path[:i]
	}
}

// locate finds the line of every table and key. The content is valid TOML.
func locate(file string, content []byte) *positions {
	p := &positions{file: file, lines: make(map[string]int)}
	count := make(map[string]int) // of the tables in an array so far
	prefix, line, counted := "", 1, 0
	var parser unstable.Parser
	for parser.Reset(content); parser.NextExpression(); {
		e := parser.Expression()
		if e.Kind != unstable.KeyValue && e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			continue
		}
		path := ""
		if e.Kind == unstable.KeyValue {
			path = prefix
		}
		for key := e.Key(); key.Next(); {
			node := key.Node()
			if at := int(node.Raw.Offset); at > counted { // counted once, for the file can be long
				line += bytes.Count(content[counted:at], []byte("\n"))
				counted = at
			}
			path = inside(path, string(node.Data))
			if n := count[path]; n > 0 && !(e.Kind == unstable.ArrayTable && key.IsLast()) {
				path = element(path, n-1)
			}
		}
		if e.Kind == unstable.ArrayTable {
			count[path]++
			path = element(path, count[path]-1)
		}
		if e.Kind != unstable.KeyValue {
			prefix = path
		}
		p.lines[path] = line
	}
	return p
}

func inside(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// tablesOf reads an array of tables, and tells whether content is one.
func tablesOf(content any, path string, at *positions) (tables []table, ok bool) {
	list, ok := content.([]any)
	for i, item := range list {
		entries, isTable := item.(map[string]any)
		if !isTable {
			return nil, false
		}
		tables = append(tables, tableOf(entries, element(path, i), at))
	}
	return tables, ok
}

// tableOf reads a table.
func tableOf(entries map[string]any, path string, at *positions) table {
	t := table{from: at.from(path), values: make(map[string]value), tables: make(map[string][]table)}
	for key, content := range entries {
		below := inside(path, key)
		if inner, ok := tablesOf(content, below, at); ok && len(inner) > 0 {
			t.tables[key] = inner
		} else {
			t.values[key] = fileValue(content, at.from(below))
		}
	}
	return t
}
