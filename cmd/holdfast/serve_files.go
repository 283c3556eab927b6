package main

import (
	"log/slog"
	"os"
	"runtime"
	"slices"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// encodersPerCore is how many responses may be compressed at a time for each core: most
// of those that are wait for their clients. Beyond it files are sent as they are.
const encodersPerCore = 8

// directories are the handlers of the roots, in their order. They have one cache and one bound
// on encoders.
func (s *settings) directories(roots []*os.Root, log *slog.Logger) (handlers []http1.Handler) {
	encoders := coding.NewEncoders(encodersPerCore * runtime.GOMAXPROCS(0))
	var cache *files.Cache
	if s.CacheBytes > 0 {
		cache = files.NewCache(s.CacheBytes)
	}
	for i, root := range roots {
		opts := s.fileOptions(i, log)
		opts.Cache = cache
		if s.filesOf(i).Compress {
			opts.Encoders = encoders
		}
		handlers = append(handlers, files.New(root, opts))
	}
	return handlers
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
