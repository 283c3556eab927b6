package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// strangerUID is a user who owns nothing here.
const strangerUID = 64_321

// strangers listens at path as another user, which only root can have done; as anybody else it
// returns who is not believed to be the owner.
func strangers(t *testing.T, path string) (l net.Listener, owner int) {
	t.Helper()
	if os.Geteuid() != 0 {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		return l, strangerUID
	}
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its new user
		const same = ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, same, strangerUID, same); errno != 0 {
			err = errno
			return
		}
		l, err = net.Listen("unix", path)
	}()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	return l, 0
}

func TestStranger(t *testing.T) {
	t.Run("is told nothing, not even by root", func(t *testing.T) {
		path := filepath.Join(shortDir(t), Name)
		l, owner := strangers(t, path)
		heard := make(chan int, 1)
		pose(t, l, func(c net.Conn) {
			n, _ := c.Read(make([]byte, RequestBytes))
			heard <- n
		})
		_, err := Ask(t.Context(), Place{Path: path, Owner: owner}, Request{Verb: "stop"})
		if !errors.Is(err, ErrStranger) {
			t.Errorf("got %v", err)
		}
		if n := <-heard; n != 0 {
			t.Errorf("heard %d bytes", n)
		}
	})
	for name, spoil := range map[string]func(dir string) error{
		"open to others": func(dir string) error { return os.Chmod(dir, 0o711) },
		"a link": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".elsewhere"), os.Symlink(dir+".elsewhere", dir))
		},
	} {
		t.Run("a runtime directory that is "+name+" is not looked in", func(t *testing.T) {
			runtimeDir, temporary := shortDir(t), shortDir(t)
			env := getenv(map[string]string{"XDG_RUNTIME_DIR": runtimeDir, "TMPDIR": temporary})
			state := longDir(t)
			path, err := Path(state, env)
			if err != nil {
				t.Fatal(err)
			}
			newStage(t, path).take()
			if at := found(t, state, env); at != path {
				t.Fatalf("found at %q, and it is at %q", at, path)
			}
			if err := spoil(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			if at := found(t, state, env); strings.HasPrefix(at, runtimeDir) {
				t.Errorf("looked at %q", at)
			}
		})
	}
	t.Run("root's own runtime directory will do", func(t *testing.T) {
		if err := private("/", 0, strangerUID); err != nil && strings.Contains(err.Error(), "another user's") {
			t.Errorf("got %v", err)
		}
	})
}
