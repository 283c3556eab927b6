package main

import (
	"bytes"
	"os"
	"path/filepath"
	"time"
)

// fileSizes are the files of the cases, in bytes.
var fileSizes = map[string]int{"1k.html": 1000, "100k.html": 100_000, "10m.bin": 10_000_000}

// published is when the files were last changed. Of one that changed just now a server may say
// less, and the generators want all answers of one length.
var published = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// makeFiles makes the folder that is served, below dir.
func makeFiles(dir string) (root string, err error) {
	root = filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return "", err
	}
	for name, size := range fileSizes {
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789"), size/10), 0o644); err != nil {
			return "", err
		}
		if err := os.Chtimes(path, published, published); err != nil {
			return "", err
		}
	}
	return root, nil
}
