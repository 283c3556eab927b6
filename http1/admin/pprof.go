package admin

import (
	"net/http"
	"net/http/pprof"
	"strconv"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

const (
	profilesPath = "/debug/pprof/"
	symbolPath   = profilesPath + "symbol"
)

// profileLimitSeconds bounds what one request can ask for: while the processor is profiled
// nobody else can, and a trace fills memory all the while.
const profileLimitSeconds = 120

// profiles are net/http/pprof's pages but for the command line: it may hold what is nobody's
// business, and no tool needs it.
func profiles() http1.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilesPath, pprof.Index)
	mux.HandleFunc(profilesPath+"cmdline", http.NotFound)
	mux.HandleFunc(profilesPath+"profile", pprof.Profile)
	mux.HandleFunc(profilesPath+"trace", pprof.Trace)
	mux.HandleFunc(symbolPath, pprof.Symbol)
	return nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// FormValue, which pprof uses, would take it from a form too, and the first of several.
		for _, text := range r.URL.Query()["seconds"] {
			if n, err := strconv.ParseFloat(text, 64); err != nil || !(n >= 0 && n <= profileLimitSeconds) {
				http.Error(w, "seconds: write a number up to "+strconv.Itoa(profileLimitSeconds), http.StatusBadRequest)
				return
			}
		}
		mux.ServeHTTP(w, r)
	}))
}
