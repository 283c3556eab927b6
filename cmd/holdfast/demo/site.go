package demo

import (
	"embed"
	"io/fs"
	"os"
)

// A directory whose name begins with an underscore is embedded with all: alone.
//
//go:embed all:site
var content embed.FS

// Unpack writes the site's files into a directory, which has none of their names yet.
func Unpack(dir string) error {
	files, err := fs.Sub(content, "site")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}
