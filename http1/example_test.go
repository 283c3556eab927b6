package http1_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/oklog/run"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// A program of its own around a handler: it serves until SIGINT or SIGTERM, and then
// finishes every request that it has accepted.
func Example() {
	signals := make(chan os.Signal, 2) // in main: signal.Notify(signals, os.Interrupt, syscall.SIGTERM)

	hello := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		fmt.Fprintf(w, "Hello, you asked for %s\n", r.Path())
	})
	listener, err := conn.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	connections, requests := &conn.Server{}, &http1.Server{Handler: hello}
	stop := &lifecycle.Stop{Target: connections, Signals: signals, Timeout: 25 * time.Second}

	var group run.Group
	group.Add(stop.Actor())
	group.Add(lifecycle.Serving("http", func() error {
		return connections.Serve(&conn.Listener{Listener: listener, Handler: requests})
	}))
	go visit("http://"+listener.Addr().String()+"/world", signals) // for the sake of the example
	if err := group.Run(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(stop.Report().Cause(), "- exit code", stop.Report().ExitCode(requests.Ledger().Balance()))
	// Output:
	// Hello, you asked for /world
	// signal terminated - exit code 0
}

// visit asks for url, shows the answer, and then stops the server.
func visit(url string, signals chan<- os.Signal) {
	defer func() { signals <- syscall.SIGTERM }()
	res, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	_, _ = io.Copy(os.Stdout, res.Body)
}
