package account_test

import (
	"fmt"
	"log"
	"net/url"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// A site with a members' area: sessions around accounts around the site. A server runs
// sessions.Run besides, as long as it serves.
func Example() {
	sessions, err := session.New(session.Config{Store: session.NewMemory()})
	if err != nil {
		log.Fatal(err)
	}
	accounts, err := account.New(account.Config{Sessions: sessions, Protect: []string{"/members/**"}, SignUp: account.SignUpOpen})
	if err != nil {
		log.Fatal(err)
	}
	site := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		s, err := session.From(r).Session()
		if err != nil {
			sessions.Refuse(w, r, err)
			return
		}
		fmt.Fprintf(w, "Hello %s", s.Subject())
	})
	handler := sessions.Attach(accounts.Wrap(site))

	stranger := http1test.Do(handler, http1test.Request{Target: "/members/", Secure: true})
	fmt.Println(stranger.Status, stranger.Get("Location"))

	form := url.Values{"name": {"ada"}, "password": {"a difference engine"}, "next": {"/members/"}}
	joined := http1test.Do(handler, http1test.Request{Method: "POST", Target: "/-/sign-up", Secure: true, Content: form.Encode(),
		Fields: []string{"Content-Type", "application/x-www-form-urlencoded"}})
	fmt.Println(joined.Status, joined.Get("Location"))

	cookie, _, _ := strings.Cut(joined.Get("Set-Cookie"), ";")
	member := http1test.Do(handler, http1test.Request{Target: "/members/", Secure: true, Fields: []string{"Cookie", cookie}})
	fmt.Println(member.Status, string(member.Content))
	// Output:
	// 303 /-/sign-in?next=%2Fmembers%2F
	// 303 /members/
	// 200 Hello ada
}
