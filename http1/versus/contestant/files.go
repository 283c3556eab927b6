package contestant

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"runtime"

	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// fileContestants serve the files below a root.
var fileContestants = map[string]func(root string) serve{
	"holdfast": func(root string) serve {
		return func(ctx context.Context, l net.Listener, config *tls.Config) error {
			return holdfastFiles(ctx, root, l, config)
		}
	},
	"nethttp": func(root string) serve {
		return func(ctx context.Context, l net.Listener, config *tls.Config) error {
			return serveNetHandler(ctx, http.FileServer(http.Dir(root)), l, config)
		}
	},
}

// holdfastFiles is what holdfast serve has unless it is told otherwise.
func holdfastFiles(ctx context.Context, root string, l net.Listener, config *tls.Config) error {
	dir, err := os.OpenRoot(root)
	if err != nil {
		_ = l.Close()
		return err
	}
	defer dir.Close()
	h := files.New(dir, files.Options{Precompressed: true, Encoders: coding.NewEncoders(8 * runtime.GOMAXPROCS(0)), Cache: files.NewCache(64 << 20)})
	return serveHandler(ctx, h, l, config)
}
