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
		of := s.Files
		if len(s.Sites) > 0 {
			of = s.Sites[i].Files
		}
		opts := files.Options{Log: log, Cache: cache, ETag: of.ETag, Precompressed: of.Precompressed, Rules: slices.Concat(of.Caching, of.Attachments)}
		if of.Compress {
			opts.Encoders = encoders
		}
		handlers = append(handlers, files.New(root, opts))
	}
	return handlers
}
