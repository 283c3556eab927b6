package demo

import (
	"embed"
	"io/fs"
	"os"
	"path"
)

// A directory whose name begins with an underscore is embedded with all: alone.
//
//go:embed all:site
var content embed.FS

// Has tells whether a slash-separated name is a file of the site.
func Has(name string) bool {
	info, err := fs.Stat(content, path.Join("site", name))
	return err == nil && info.Mode().IsRegular()
}

// Unpack writes the site's files into a directory, which has none of their names yet.
func Unpack(dir string) error {
	files, err := fs.Sub(content, "site")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}
