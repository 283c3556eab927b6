package files

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

func TestUnreadable(t *testing.T) {
	s := newSite(t, map[string]string{
		"index.html":        "home",
		"locked.html":       "SECRET",
		"closed/index.html": "SECRET",
	})
	s.must(os.Chmod(s.path("locked.html"), 0))
	s.must(os.Chmod(s.path("closed"), 0))
	t.Cleanup(func() { _ = os.Chmod(s.dir, 0o755); _ = os.Chmod(s.path("closed"), 0o755) })

	asNobody(t, func() {
		expect(t, s.get("/locked.html"), 403, "403 Forbidden\n")
		expect(t, s.get("/closed/"), 403, "403 Forbidden\n")
		expect(t, s.get("/closed"), 403, "403 Forbidden\n")
		expect(t, s.get("/"), 200, "home")
	})
	s.must(os.Chmod(s.dir, 0))
	asNobody(t, func() {
		for range 10 {
			expect(t, s.get("/"), 403, "403 Forbidden\n")
			expect(t, s.get("/missing"), 403, "403 Forbidden\n")
		}
	})
	if n := s.log.lines(); n != 0 {
		t.Errorf("%d lines logged", n)
	}
}

// asNobody runs f with the rights of a user who owns nothing. Only this thread's rights in the filesystem
// change, which a superuser's need, for whom no file is locked; others stay who they are.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
	defer func() { _, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0) }()
	f()
}
