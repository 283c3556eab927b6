package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of what is read and followed: a --kubernetes /dev/zero ends, and so does a merge
// key that names its own mapping.
const (
	manifestLimitBytes = 16 << 20
	mergeLimitDepth    = 8
)

// A manifest is one object of a YAML stream.
type manifest struct {
	file                  string
	root                  *yaml.Node
	kind, name, namespace string
}

// A place is somewhere in a manifest, there or not.
type place struct {
	in   *manifest
	path string
	node *yaml.Node // nil where the manifest says nothing
	line int        // of the node, or of the nearest one above it
}

// readManifests reads the objects of files, of directories and, for "-", of stdin.
func readManifests(paths []string, stdin io.Reader) (all []*manifest, faults []fault) {
	for _, path := range paths {
		files, f := manifestFiles(path)
		faults = append(faults, f...)
		for _, file := range files {
			content, err := readManifestFile(file, stdin)
			if err != nil {
				faults = append(faults, fault{What: "cannot read " + quote(file), Where: "--kubernetes", Why: reason(err),
					Mend: "check the path and its permissions"})
				continue
			}
			found, f := decodeManifests(plain(file), content)
			all, faults = append(all, found...), append(faults, f...)
		}
	}
	return all, faults
}

// manifestFiles are the YAML files of a directory, or the file itself.
func manifestFiles(path string) (files []string, faults []fault) {
	info, err := os.Stat(path)
	if path == "-" || err != nil || !info.IsDir() {
		return []string{path}, nil // the reading says what is wrong with it
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if kind := filepath.Ext(e.Name()); !e.IsDir() && (kind == ".yaml" || kind == ".yml") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if err == nil && len(files) > 0 {
		return files, nil
	}
	f := fault{What: "no manifest in " + quote(path), Where: "--kubernetes", Why: "its files end in neither .yaml nor .yml", Mend: "name the directory that has them"}
	if err != nil {
		f.Why = reason(err)
	}
	return nil, []fault{f}
}

func readManifestFile(path string, stdin io.Reader) ([]byte, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		stdin = file
	}
	content, err := io.ReadAll(io.LimitReader(stdin, manifestLimitBytes+1))
	if err == nil && len(content) > manifestLimitBytes {
		err = fmt.Errorf("it is larger than %d bytes", manifestLimitBytes)
	}
	return content, err
}

// decodeManifests reads a YAML stream; the items of a List stand for themselves.
func decodeManifests(file string, content []byte) (all []*manifest, faults []fault) {
	if file == "-" {
		file = "stdin"
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all, faults
		}
		if err != nil {
			return all, append(faults, fault{What: "no valid YAML", Where: file, Why: plain(err.Error()), Mend: "mend the line that is named; what follows was not read"})
		}
		if len(document.Content) == 0 {
			continue
		}
		found, f := objects(file, document.Content[0])
		all, faults = append(all, found...), append(faults, f...)
	}
}

func objects(file string, root *yaml.Node) (all []*manifest, faults []fault) {
	m := &manifest{file: file, root: root}
	if root.Kind != yaml.MappingNode {
		if root.Tag == "!!null" { // nothing but comments between two separators
			return nil, nil
		}
		return nil, []fault{{What: "no Kubernetes object", Where: file + ":" + strconv.Itoa(root.Line), Why: "the document is no mapping", Mend: "begin it with apiVersion: and kind:"}}
	}
	m.kind = m.at("kind").text()
	m.name, m.namespace = m.at("metadata", "name").text(), m.at("metadata", "namespace").text()
	if m.kind == "" || !m.at("apiVersion").has() {
		return nil, []fault{{What: "no Kubernetes object", Where: m.at().where(), Why: "apiVersion or kind is not there", Mend: "begin it with apiVersion: and kind:"}}
	}
	faults = twice(m, root)
	if m.kind != "List" {
		return []*manifest{m}, faults
	}
	for _, item := range m.at("items").each() {
		found, f := objects(file, item.node)
		all, faults = append(all, found...), append(faults, f...)
	}
	return all, faults
}

// twice finds keys that a mapping has twice: the later silently wins with some tools, and
// others refuse the file.
func twice(m *manifest, node *yaml.Node) (faults []fault) {
	seen := make(map[string]bool)
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			if seen[child.Value] && child.Tag != "!!merge" {
				at := place{in: m, line: child.Line}
				faults = append(faults, fault{What: "the key " + quote(child.Value) + " is there twice", Where: at.where(), Why: "which one counts depends on who reads it", Mend: "leave one"})
			}
			seen[child.Value] = true
		}
		faults = append(faults, twice(m, child)...)
	}
	return faults
}

func (m *manifest) at(keys ...string) place {
	return place{in: m, node: m.root, line: m.root.Line}.at(keys...)
}

// title is how a finding names the object.
func (m *manifest) title() string { return plain(m.kind + "/" + m.name) }

// at goes down a path of keys.
func (p place) at(keys ...string) place {
	for _, key := range keys {
		next := place{in: p.in, path: strings.TrimPrefix(p.path+"."+key, "."), line: p.line}
		if node := lookUp(p.node, key, 0); node != nil {
			next.node, next.line = node, node.Line
		}
		p = next
	}
	return p
}

// lookUp finds a key of a mapping, through aliases and merge keys.
func lookUp(node *yaml.Node, key string, depth int) (found *yaml.Node) {
	node = resolve(node)
	if node == nil || node.Kind != yaml.MappingNode || depth > mergeLimitDepth {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		switch k := node.Content[i]; {
		case k.Value == key:
			return resolve(node.Content[i+1])
		case k.Tag == "!!merge" && found == nil:
			found = lookUp(node.Content[i+1], key, depth+1)
		}
	}
	return found
}

// resolve follows an alias to what it stands for; null is nothing.
func resolve(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node != nil && node.Tag == "!!null" {
		return nil
	}
	return node
}

// each is the items of a sequence.
func (p place) each() (items []place) {
	if p.node == nil || p.node.Kind != yaml.SequenceNode {
		return nil
	}
	for i, node := range p.node.Content {
		if node = resolve(node); node != nil {
			items = append(items, place{in: p.in, path: fmt.Sprintf("%s[%d]", p.path, i), node: node, line: node.Line})
		}
	}
	return items
}

func (p place) has() bool { return p.node != nil }

// text is a scalar as it was written, "" for anything else.
func (p place) text() string {
	if p.node == nil || p.node.Kind != yaml.ScalarNode {
		return ""
	}
	return p.node.Value
}

// texts are the scalars of a sequence.
func (p place) texts() (all []string) {
	for _, item := range p.each() {
		all = append(all, item.text())
	}
	return all
}

// whole is a whole number, or standard where there is none.
func (p place) whole(standard int) int {
	var n int
	if p.node == nil || p.node.Tag != "!!int" || p.node.Decode(&n) != nil {
		return standard
	}
	return n
}

// is tells whether a boolean is there and is b.
func (p place) is(b bool) bool {
	return p.node != nil && p.node.Tag == "!!bool" && (p.node.Value == "true") == b
}

// pairs is a mapping of scalars, such as labels.
func (p place) pairs() map[string]string {
	all := make(map[string]string)
	if p.node == nil || p.node.Kind != yaml.MappingNode {
		return all
	}
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		key := p.node.Content[i].Value
		all[key] = p.at(key).text()
	}
	return all
}

// named is the item of a sequence with this name, a place without a node if there is none.
func (p place) named(name string) place {
	items := p.each()
	i := slices.IndexFunc(items, func(item place) bool { return item.at("name").text() == name })
	if i < 0 {
		return place{in: p.in, path: p.path, line: p.line}
	}
	return items[i]
}

// where is file, line, object and path.
func (p place) where() string {
	return words(p.in.file+":"+strconv.Itoa(p.line), p.in.title(), plain(p.path))
}
