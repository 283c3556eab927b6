package sqlitestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// childEnv tells a process of this test which store to work on, and from which number.
const childEnv = "HOLDFAST_SQLITESTORE_CHILD"

// child runs the test named as another process.
func child(t *testing.T, test, path string, from int) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	c.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(from)+":"+path)
	return c
}

// inChild returns what child was given, and false in the test's own process.
func inChild() (path string, from int, is bool) {
	number, path, is := strings.Cut(os.Getenv(childEnv), ":")
	from, _ = strconv.Atoi(number)
	return path, from, is
}

// applyNumbers makes numbered changes, and says so of each, until it is killed.
func applyNumbers(t *testing.T, path string, from int) {
	s := open(t, path)
	for n := from; ; n++ {
		number := []byte(strconv.Itoa(n))
		err := s.Apply(t.Context(), session.Change{Key: fmt.Sprintf("n/%09d", n), Value: number},
			session.Change{Key: "last", Value: number}, session.Change{Key: "signed-in/" + strconv.Itoa(n-1)},
			session.Change{Key: "signed-in/" + strconv.Itoa(n), Value: number})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("applied", n)
	}
}

// killed runs applyNumbers in a process, kills it at a moment of no meaning, and returns the
// last number that it said.
func killed(t *testing.T, path string, from int) (last int) {
	t.Helper()
	c := child(t, "TestKill", path, from)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	last = from - 1
	left := 1 + rand.IntN(20)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		number, said := strings.CutPrefix(lines.Text(), "applied ")
		if !said {
			continue
		}
		if last, err = strconv.Atoi(number); err != nil {
			t.Fatal(err)
		}
		if left--; left == 0 {
			<-time.After(rand.N(2 * time.Millisecond)) // some way into the next
			_ = c.Process.Kill()                       // if it has ended by itself, Wait tells
		}
	}
	if err := c.Wait(); err == nil || c.ProcessState.Exited() {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return last
}

func TestKill(t *testing.T) {
	if path, from, is := inChild(); is {
		applyNumbers(t, path, from)
	}
	path := place(t)
	s := open(t, path) // as an upgrade's other process
	start, err := s.Changes(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	kills, next := 30, 1
	if testing.Short() {
		kills = 3
	}
	for range kills {
		said := killed(t, path, next)
		if start, err = s.checkNumbers(t.Context(), start.Next, next, said); err != nil {
			t.Fatal(err)
		}
		next = said + 2 // one may have been applied and not said
	}
	if got := ask(t, path, `PRAGMA integrity_check`); got != "ok" {
		t.Error(got)
	}
}

// checkNumbers looks for the changes of one process.
func (s *Store) checkNumbers(ctx context.Context, since session.Cursor, from, said int) (session.Changes, error) {
	changes, err := s.Changes(ctx, since)
	if err != nil {
		return changes, err
	}
	told := strings.Join(changes.Keys, " ") + " "
	for n := from; n <= said; n++ {
		key := fmt.Sprintf("n/%09d", n)
		if r, err := s.Get(ctx, key); err != nil || string(r.Value) != strconv.Itoa(n) {
			return changes, fmt.Errorf("%d was said and is gone: %q, %v", n, r.Value, err)
		}
		if !strings.Contains(told, key+" ") {
			return changes, fmt.Errorf("%d was applied and not told", n)
		}
	}
	last, err := s.Get(ctx, "last")
	if err != nil {
		return changes, err
	}
	in, err := s.List(ctx, "signed-in/", "", 9)
	if err != nil || len(in) == 0 {
		return changes, fmt.Errorf("nobody is signed in: %w", err)
	}
	n, err := strconv.Atoi(string(last.Value))
	if err != nil || n < said || in[0].Key != "signed-in/"+strconv.Itoa(n) || len(in) > 1 {
		return changes, fmt.Errorf("the last is %d, %v, and %v are signed in: half of a change", n, err, in)
	}
	return changes, s.Apply(ctx, session.Change{Key: in[0].Key, Quiet: true})
}

func TestProcesses(t *testing.T) {
	if path, from, is := inChild(); is {
		addAll(t, open(t, path), from)
		return
	}
	t.Run("several change and count what is one's", func(t *testing.T) {
		path := place(t)
		s := open(t, path)
		var children []*exec.Cmd
		for i := range 3 {
			c := child(t, "TestProcesses", path, i)
			c.Stdout, c.Stderr = os.Stderr, os.Stderr
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			children = append(children, c)
		}
		addAll(t, s, 3)
		for _, c := range children {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
		if r, err := s.Get(t.Context(), "sum"); err != nil || string(r.Value) != "80" {
			t.Errorf("%q, %v; want 4 processes' 20 each", r.Value, err)
		}
		if c, err := s.Take(t.Context(), "quota/a", 0, 1, hour); err != nil || c.Used != 80 {
			t.Errorf("%+v, %v; want 4 processes' 20 each", c, err)
		}
	})
}

const hour = time.Hour

// addAll adds twenty to a sum, as others do.
func addAll(t *testing.T, s *Store, _ int) {
	for done := 0; done < 20; {
		r, err := s.Get(t.Context(), "sum")
		condition := session.Unchanged(r)
		if errors.Is(err, fs.ErrNotExist) {
			condition, err = session.Absent(), nil
			r.Value = []byte("0")
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Apply(t.Context(), session.Change{Key: "sum", Value: []byte(strconv.Itoa(n + 1)), If: condition})
		if errors.Is(err, session.ErrConflict) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Take(t.Context(), "quota/a", 1, 1000, hour); err != nil {
			t.Fatal(err)
		}
		done++
	}
}
