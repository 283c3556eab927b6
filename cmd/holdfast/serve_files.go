package main

import (
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/admin"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// encodersPerCore is how many responses may be compressed at a time for each core: most
// of those that are wait for their clients. Beyond it files are sent as they are.
const encodersPerCore = 8

// follow makes the handlers of the roots, in their order. They have one cache and one bound on
// encoders. close closes them.
func (h *house) follow(s *settings) (handlers []http1.Handler) {
	encoders := coding.NewEncoders(encodersPerCore * runtime.GOMAXPROCS(0))
	var cache *files.Cache
	if s.CacheBytes > 0 {
		cache = files.NewCache(s.CacheBytes)
	}
	for i, root := range h.roots {
		opts := s.fileOptions(i, h.log)
		opts.Cache = cache
		if s.filesOf(i).Compress {
			opts.Encoders = encoders
		}
		directory := files.Follow(root, opts)
		h.directories = append(h.directories, directory)
		handlers = append(handlers, directory)
	}
	h.roots = nil // they are the directories' now
	return handlers
}

// lookAgain has the next request for each root see where its path leads by now.
func (h *house) lookAgain() {
	for _, directory := range h.directories {
		directory.Expire()
	}
}

// rootsGone are the paths that lead to no directory now.
func (h *house) rootsGone() (paths []string) {
	for _, directory := range h.directories {
		if !directory.Present() {
			paths = append(paths, directory.Path())
		}
	}
	return paths
}

// rootsVerdict tells /readyz of directories that are gone. One of several sites is a warning: the
// others would go down with it.
func (h *house) rootsVerdict() admin.Verdict {
	gone := h.rootsGone()
	words := "there is no directory " + strings.Join(gone, ", ")
	switch {
	case len(gone) == 0:
		return admin.OK()
	case len(gone) == len(h.directories):
		return admin.Failure(words)
	}
	return admin.Warning(words + ": its site is 503")
}

// fileOptions are those of the directory that is the i-th of roots, but for what it shares with
// the others.
func (s *settings) fileOptions(i int, log *slog.Logger) files.Options {
	of, pages := s.filesOf(i), s.pagesOf(i)
	return files.Options{Log: log, ETag: of.ETag, Precompressed: of.Precompressed, Rules: slices.Concat(of.Caching, of.Attachments),
		Browse: pages.Browse, SPA: pages.SPA, Reserved: ownPages, PlainErrors: !pages.ErrorPages}
}

// filesOf are the settings of the directory that is the i-th of roots.
func (s *settings) filesOf(i int) fileSettings {
	if i < len(s.Sites) {
		return s.Sites[i].Files
	}
	return s.Files
}
