package conn_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// lines is the protocol that these tests speak: a request is a line, a verb and its
// arguments; what it is answered with is the verb's business.
type lines struct {
	more map[string]verb // of one test alone

	mu    sync.Mutex
	ends  []error // how each session ended, in that order
	rests int
	all   []*session
}

// verb does what a line asks for. keep is false for the connection's last.
type verb func(s *session, args []string) (keep bool, err error)

// session is one connection of the protocol.
type session struct {
	*conn.Conn
	more         map[string]verb
	buf          [4 << 10]byte
	next, filled int
	borrowed     bool // between Room and Return: the room is in use
}

var errBroken = errors.New("lines: told to fail")

// errIdle wraps what ended a connection on which nothing was asked.
type errIdle struct{ error }

func (e errIdle) Unwrap() error { return e.error }

func (s *session) Room() []byte { s.borrowed = true; return s.buf[:] }
func (s *session) Return()      { s.borrowed = false }

func (h *lines) ServeConn(c *conn.Conn) error {
	s := h.session(c)
	err := s.serve()
	h.mu.Lock()
	if errors.Is(err, conn.ErrResting) {
		h.rests++
		h.mu.Unlock()
		return conn.ErrResting
	}
	h.ends = append(h.ends, err)
	h.mu.Unlock()
	if errors.As(err, &errIdle{}) {
		return nil
	}
	return err
}

// session is that of c: a new one, unless c comes back from a rest.
func (h *lines) session(c *conn.Conn) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.all {
		if s.Conn == c {
			return s
		}
	}
	s := &session{Conn: c, more: h.more}
	h.all = append(h.all, s)
	return s
}

// rested is how often a connection has gone to rest.
func (h *lines) rested() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rests
}

// newest is the session that began last.
func (h *lines) newest() *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[len(h.all)-1]
}

// inState counts the sessions in a state.
func (h *lines) inState(state conn.State) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.all {
		if s.State() == state {
			n++
		}
	}
	return n
}

// ended are the ends so far.
func (h *lines) ended() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]error(nil), h.ends...)
}

func (s *session) serve() error {
	for {
		line, err := s.line()
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		do := verbs[words[0]]
		if own := s.more[words[0]]; own != nil {
			do = own
		}
		if do == nil {
			return fmt.Errorf("lines: unknown verb %q", words[0])
		}
		told := s.Closing() // as a response is whose head went out first
		if keep, err := do(s, words[1:]); err != nil || !keep || told || words[0] != "late" && s.Closing() {
			return err
		}
	}
}

// line reads one line: parked until its first byte, then under the head clock.
func (s *session) line() (string, error) {
	if s.next == s.filled {
		n, err := s.Await(s)
		if err != nil {
			return "", errIdle{err}
		}
		s.next, s.filled = 0, n
	} else {
		s.BeginHead()
	}
	for {
		if i := bytes.IndexByte(s.buf[s.next:s.filled], '\n'); i >= 0 {
			line := string(s.buf[s.next : s.next+i])
			s.next += i + 1
			return line, nil
		}
		s.filled = copy(s.buf[:], s.buf[s.next:s.filled])
		s.next = 0
		n, err := s.Read(s.buf[s.filled:])
		if s.filled += n; n == 0 {
			return "", err
		}
	}
}

// content reads n bytes of content, with a pause before each read.
func (s *session) content(n int, pause time.Duration) error {
	s.BeginBody()
	n -= s.filled - s.next
	s.next, s.filled = 0, 0
	for n > 0 {
		time.Sleep(pause) // virtual: only tests in a synctest bubble ask for one
		got, err := s.Read(s.buf[:])
		if n -= got; err != nil && n > 0 {
			return err
		}
	}
	return nil
}

func (s *session) say(format string, args ...any) (bool, error) {
	_, err := fmt.Fprintf(s, format+"\n", args...)
	return true, err
}

// verbs is what a client can ask for.
var verbs = map[string]verb{
	"echo": func(s *session, args []string) (bool, error) { return s.say("%s", args[0]) },
	"bye": func(s *session, _ []string) (bool, error) {
		_, err := s.say("bye")
		return false, err
	},
	"body": func(s *session, args []string) (bool, error) { // body BYTES [PAUSE]
		pause := time.Duration(0)
		if len(args) > 1 {
			pause = duration(args[1])
		}
		if err := s.content(number(args[0]), pause); err != nil {
			return false, err
		}
		return s.say("got %s", args[0])
	},
	"send": func(s *session, args []string) (bool, error) { // send BYTES
		_, err := s.Write(pattern(number(args[0])))
		return true, err
	},
	"both": func(s *session, args []string) (bool, error) { // both BYTES, the first tenth apart
		content := pattern(number(args[0]))
		first := len(content) / 10
		_, err := s.WriteBoth(content[:first], content[first:])
		return true, err
	},
	"copy": func(s *session, args []string) (bool, error) { // copy BYTES
		_, err := s.ReadFrom(bytes.NewReader(pattern(number(args[0]))))
		return true, err
	},
	"events": func(s *session, args []string) (bool, error) { // events COUNT PAUSE
		for range number(args[0]) {
			time.Sleep(duration(args[1]))
			if _, err := s.say("event"); err != nil {
				return false, err
			}
		}
		return true, nil
	},
	"late": func(s *session, args []string) (bool, error) { // late PAUSE: its head has said already whether more may come
		time.Sleep(duration(args[0]))
		return s.say("late")
	},
	"wait": func(s *session, _ []string) (bool, error) { // until the connection is cut
		<-s.Context().Done()
		return false, s.Context().Err()
	},
	"detach": func(s *session, _ []string) (bool, error) {
		s.Detach()
		if _, err := s.say("detached"); err != nil {
			return false, err
		}
		select {
		case <-s.Announced():
		case <-s.Context().Done():
			return false, s.Context().Err()
		}
		_, err := s.say("told")
		return false, err
	},
	"half": func(s *session, _ []string) (bool, error) {
		_, err := s.say("half")
		s.Break()
		return false, err
	},
	"fail":   func(*session, []string) (bool, error) { return false, errBroken },
	"panic":  func(*session, []string) (bool, error) { panic("told to panic") },
	"goexit": func(*session, []string) (bool, error) { runtime.Goexit(); return false, nil },
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// pattern is n bytes in which a gap or a repeat shows: it repeats only after 251 of them,
// a prime.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// readPattern reads n bytes of the pattern from r and tells what is wrong with them.
func readPattern(r io.Reader, n int) error {
	got := make([]byte, n)
	if m, err := io.ReadFull(r, got); err != nil {
		return fmt.Errorf("%d of %d bytes came: %w", m, n, err)
	}
	for i, b := range got {
		if b != byte(i%251) {
			return fmt.Errorf("byte %d is %d, want %d", i, b, i%251)
		}
	}
	return nil
}
