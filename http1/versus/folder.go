package main

import (
	"bytes"
	"os"
	"path/filepath"
)

// fileSizes are the files of the cases, in bytes.
var fileSizes = map[string]int{"1k.html": 1000, "100k.html": 100_000, "10m.bin": 10_000_000}

// makeFiles makes the folder that is served, below dir.
func makeFiles(dir string) (root string, err error) {
	root = filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return "", err
	}
	for name, size := range fileSizes {
		if err := os.WriteFile(filepath.Join(root, name), bytes.Repeat([]byte("0123456789"), size/10), 0o644); err != nil {
			return "", err
		}
	}
	return root, nil
}
