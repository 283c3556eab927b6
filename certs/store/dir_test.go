package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// childRole in the environment makes this test binary a process of another kind.
const (
	childRole = "HOLDFAST_STORE_CHILD"
	childDir  = "HOLDFAST_STORE_DIR"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		child(role, os.Getenv(childDir))
	}
	os.Exit(m.Run())
}

// child writes, or holds a lease, until it is killed.
func child(role, path string) {
	d, err := store.OpenDir(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := context.Background()
	if role == "holder" {
		if _, err := d.Acquire(ctx, "order/example.org", "a child", time.Hour); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		select {}
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		if err := d.Put(ctx, "cert/example.org", generation(i), nil); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// generation is a value whose every part says which one it is.
func generation(i int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%08d\n", i), 2000)
}

// startChild starts this binary again, and waits until it is at work.
func startChild(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+path, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	if n, err := out.Read(line); err != nil || !strings.HasPrefix(string(line[:n]), "ready") {
		kill(t, cmd)
		t.Fatalf("the child says %q, %v", line[:n], err)
	}
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func mustPut(t *testing.T, s store.Store, name, value string) {
	t.Helper()
	if err := s.Put(within(t), name, []byte(value), nil); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, s store.Store, name, want string) {
	t.Helper()
	if got, err := s.Get(within(t), name); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v, want %q", name, got, err, want)
	}
}

func TestDirKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d := openDir(t, path)
	if err := d.Put(within(t), "cert/example.org", generation(0), nil); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		cmd := startChild(t, "writer", path)
		// After some looks it is anywhere in the middle.
		for range rand.IntN(30) {
			checkGeneration(t, d)
		}
		kill(t, cmd)
		checkGeneration(t, d)
	}
	again := openDir(t, path)
	checkGeneration(t, again)
	left, err := filepath.Glob(filepath.Join(path, ".write-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the next start leaves %q, %v", left, err)
	}
}

// checkGeneration fails unless the value is one that was written, whole.
func checkGeneration(t *testing.T, d *store.Dir) {
	t.Helper()
	got, err := d.Get(within(t), "cert/example.org")
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscanf(string(got), "%d", &n); err != nil || !bytes.Equal(got, generation(n)) {
		t.Fatalf("a value of %d bytes that nobody wrote: %.30q", len(got), got)
	}
}

func TestDirHolderKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d := openDir(t, path)
	cmd := startChild(t, "holder", path)
	_, err := d.Acquire(within(t), "order/example.org", "the test", time.Hour)
	if !errors.Is(err, store.ErrHeld) || !strings.Contains(err.Error(), "a child") {
		t.Errorf("while it lives: %v", err)
	}
	kill(t, cmd)
	// Its hour is far from over.
	lease, err := d.Acquire(within(t), "order/example.org", "the test", time.Hour)
	if err != nil || lease.Fence() != 2 {
		t.Fatalf("after its death: %v", err)
	}
	if err := lease.Release(within(t)); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(path, "leases", ".held-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("marks of holders are left: %q, %v", left, err)
	}
}

func TestDirFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d := openDir(t, path)
	mustPut(t, d, "cert/example.org", "value")
	t.Run("a person finds a value by its name", func(t *testing.T) {
		if got, err := os.ReadFile(filepath.Join(path, "values", "cert+", "example.org")); err != nil || string(got) != "value" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("nobody else may look", func(t *testing.T) {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("what is no file of ours is not read, nor listed", func(t *testing.T) {
		if err := syscall.Mkfifo(filepath.Join(path, "values", "cert+", "fifo"), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"large": strings.Repeat("x", store.MaxValueBytes+1), ".hidden": "", "Upper": ""} {
			if err := os.WriteFile(filepath.Join(path, "values", "cert+", name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"cert/fifo", "cert/large"} {
			if _, err := d.Get(within(t), name); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := d.List(within(t), ""); err != nil || !slices.Equal(got, []string{"cert/example.org", "cert/large"}) {
			t.Errorf("List is %q, %v", got, err)
		}
	})
	t.Run("a lease file that is damaged is nobody's, with a higher fence", func(t *testing.T) {
		if _, err := d.Acquire(within(t), "secret", "a test", time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "leases", "secret"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		lease, err := d.Acquire(within(t), "secret", "a test", time.Hour)
		if err != nil || lease.Fence() < 1000 {
			t.Errorf("%v", err)
		}
	})
	t.Run("a directory that went is no missing value", func(t *testing.T) {
		gone := openDir(t, filepath.Join(t.TempDir(), "store"))
		if err := os.RemoveAll(gone.Path()); err != nil {
			t.Fatal(err)
		}
		if _, err := gone.Get(within(t), "cert/example.org"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a directory that is open to others is refused", func(t *testing.T) {
		open := t.TempDir()
		if err := os.WriteFile(filepath.Join(open, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := store.OpenDir(open); err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("%v", err)
		}
	})
}

func TestDirAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d := openDir(t, path)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	aside := func(t *testing.T) []string {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(path, "aside", "cert+", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	t.Run("a value that is moved is missing, and can be looked at", func(t *testing.T) {
		mustPut(t, d, "cert/example.org", "bad")
		if err := d.MoveAside(within(t), "cert/example.org", []byte("bad"), now); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Get(within(t), "cert/example.org"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
		list := aside(t)
		if len(list) != 1 || !strings.HasSuffix(list[0], "/example.org+/20260301T120000.000000000Z") {
			t.Fatalf("aside are %q", list)
		}
		if got, err := os.ReadFile(list[0]); err != nil || string(got) != "bad" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("one that was replaced meanwhile stays", func(t *testing.T) {
		mustPut(t, d, "cert/example.org", "good")
		if err := d.MoveAside(within(t), "cert/example.org", []byte("bad"), now); err != nil {
			t.Fatal(err)
		}
		holds(t, d, "cert/example.org", "good")
	})
	t.Run("32 are kept", func(t *testing.T) {
		for i := range 40 {
			if err := d.SetAside(within(t), "cert/example.org", fmt.Append(nil, i), now.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(aside(t)); n != 32 {
			t.Errorf("%d are kept", n)
		}
		holds(t, d, "cert/example.org", "good")
	})
}

// mountTmpfs makes a small file system of its own, which takes root and a kernel that lets it.
func mountTmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("no file system can be mounted here (%v): run as root, with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestDirFull(t *testing.T) {
	dir := mountTmpfs(t, "size=64k,mode=700")
	d := openDir(t, filepath.Join(dir, "store"))
	mustPut(t, d, "cert/example.org", "value")
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 1024))
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("Put says so, and leaves the old value", func(t *testing.T) {
		err := d.Put(within(t), "cert/example.org", []byte("new"), nil)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "cert/example.org") {
			t.Errorf("%v", err)
		}
		holds(t, d, "cert/example.org", "value")
	})
	t.Run("the next start reads", func(t *testing.T) {
		holds(t, openDir(t, d.Path()), "cert/example.org", "value")
	})
	t.Run("with room, all goes on", func(t *testing.T) {
		if err := os.Remove(filler.Name()); err != nil {
			t.Fatal(err)
		}
		mustPut(t, d, "cert/example.org", "new")
		holds(t, d, "cert/example.org", "new")
	})
}

func TestDirReadOnly(t *testing.T) {
	dir := mountTmpfs(t, "size=64k,mode=700")
	d := openDir(t, filepath.Join(dir, "store"))
	mustPut(t, d, "cert/example.org", "value")
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*store.Dir{"while it is open": d, "at the start": openDir(t, d.Path())} {
		t.Run(name, func(t *testing.T) {
			holds(t, d, "cert/example.org", "value")
			_, acquireErr := d.Acquire(within(t), "secret", "a test", time.Hour)
			for what, err := range map[string]error{
				"Put": d.Put(within(t), "cert/example.org", nil, nil), "Delete": d.Delete(within(t), "cert/example.org", nil), "Acquire": acquireErr,
			} {
				if !errors.Is(err, syscall.EROFS) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if got, err := d.List(within(t), ""); err != nil || len(got) != 1 {
				t.Errorf("List is %q, %v", got, err)
			}
		})
	}
}
