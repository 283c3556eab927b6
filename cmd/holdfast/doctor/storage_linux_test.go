package doctor

import (
	"os"
	"testing"
)

func TestLasting(t *testing.T) {
	for magic, want := range map[uint32]lasting{tmpfsMagic: memory, ramfsMagic: memory, overlayMagic: overlay, 0xef53: lasts, 0x9123683e: lasts} {
		if got, name := lastingOfType(magic); got != want || (name == "") != (want == lasts) {
			t.Errorf("%#x: %v %q, want %v", magic, got, name, want)
		}
	}
}

func TestStoreInMemory(t *testing.T) {
	const shm = "/dev/shm" // a tmpfs wherever glibc's shm_open is to work
	if kind, _ := lastingOf(shm); kind != memory {
		t.Skip(shm + " is no tmpfs here")
	}
	dir, err := os.MkdirTemp(shm, "holdfast-doctor-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	want(t, collect((&Doctor{StoreDir: dir}).examineStore()), "store", "fault: "+dir+" is on tmpfs, in memory")
}
