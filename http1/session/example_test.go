package session_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

var visits = session.NewKey[int]("visits")

// A page counts the visits of whoever signed in.
func Example() {
	sessions, err := session.New(session.Config{Store: session.NewMemory()})
	if err != nil {
		log.Fatal(err)
	}
	signIn := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if _, err := session.From(r).Begin("ada"); err != nil {
			sessions.Refuse(w, r, err)
		}
	})
	page := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		s, err := session.From(r).Session()
		if err != nil {
			sessions.Refuse(w, r, err)
			return
		}
		if s == nil {
			w.Text(401, "Who are you?\n")
			return
		}
		n, _ := visits.Get(s)
		if err := visits.Set(r.Context(), s, n+1); err != nil {
			sessions.Refuse(w, r, err)
			return
		}
		fmt.Fprintf(w, "Hello %s, %d times before.\n", s.Subject(), n)
	})
	fmt.Printf("%s", http1test.Do(sessions.Attach(page), http1test.Request{Secure: true}).Content)
	set := http1test.Do(sessions.Attach(signIn), http1test.Request{Secure: true}).Get("Set-Cookie")
	cookie, _, _ := strings.Cut(set, ";")
	for range 2 {
		fmt.Printf("%s", http1test.Do(sessions.Attach(page), http1test.Request{Secure: true, Fields: []string{"Cookie", cookie}}).Content)
	}
	// Output:
	// Who are you?
	// Hello ada, 0 times before.
	// Hello ada, 1 times before.
}
