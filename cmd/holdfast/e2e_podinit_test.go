package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// podVariable holds the recipe of the pod that this process shall become: the test binary
// starts itself again in new namespaces, since Go runs nothing between clone and exec.
const podVariable = "HOLDFAST_TEST_POD"

// podUser is the image's user and group.
const podUser = 65532

// A podRecipe is what a kubelet and its runtime make of a manifest.
type podRecipe struct {
	Root    string // an empty directory of the host, over which the pod's root is mounted
	Cgroup  string // a directory of a cgroup file system, "" for none
	Volumes []podVolume
	Args    []string // of the image's entry point
	Env     []string

	// Joins says that descriptor 3 is the network to be in, as that of a pod whose
	// container starts again; otherwise the process is in a new one.
	Joins bool

	Proxy   []string // instead of all this, a proxy in front of pods
	network *os.File // that descriptor, for startPod
}

// A podVolume is a file or a directory of the host, or memory if From is empty.
type podVolume struct {
	From, To string
	Write    bool
}

func init() {
	text := os.Getenv(podVariable)
	if text == "" {
		return
	}
	var recipe podRecipe
	err := json.Unmarshal([]byte(text), &recipe)
	switch {
	case err == nil && len(recipe.Proxy) > 0:
		err = becomeProxy(recipe.Proxy)
	case err == nil:
		err = recipe.become()
	}
	fmt.Fprintln(os.Stderr, "the pod cannot be made:", err)
	os.Exit(125)
}

// becomeProxy turns this process into one that finds the networks of its extra files where
// ip-netns(8) keeps them, by their place from 0 on. The host's /run stays as it is.
func becomeProxy(args []string) error {
	runtime.LockOSThread()
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", "/run", "tmpfs", 0, ""), os.Mkdir("/run/netns", 0o755))
	for i := 0; err == nil; i++ {
		from, to := fmt.Sprintf("/proc/self/fd/%d", firstExtraFile+i), fmt.Sprintf("/run/netns/%d", i)
		if link, readErr := os.Readlink(from); readErr != nil || !strings.HasPrefix(link, "net:") {
			break
		}
		if err = os.WriteFile(to, nil, 0o600); err == nil {
			err = unix.Mount(from, to, "", unix.MS_BIND, "")
		}
	}
	if err != nil {
		return err
	}
	return syscall.Exec(args[0], args, nil)
}

// become turns this process, which is the first of its namespaces, into the container's.
// It returns only with an error.
func (r *podRecipe) become() error {
	runtime.LockOSThread() // privileges are each thread's own, and this one calls exec
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"cgroup", r.joinCgroup}, {"root", r.mountRoot}, {"volumes", r.mountVolumes}, {"pivot", r.pivot},
		{"network", r.enterNetwork}, {"privileges", dropPrivileges},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return syscall.Exec("/holdfast", append([]string{"/holdfast"}, r.Args...), r.Env)
}

func (r *podRecipe) joinCgroup() error {
	if r.Cgroup == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(r.Cgroup, "cgroup.procs"), []byte("0"), 0)
}

func (r *podRecipe) mountRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", r.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(r.Root, "proc"), 0o755); err != nil {
		return err
	}
	return unix.Mount("proc", filepath.Join(r.Root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

func (r *podRecipe) mountVolumes() error {
	for _, v := range append(r.Volumes, podVolume{From: "/dev/null", To: "/dev/null", Write: true}) {
		if err := r.mount(v); err != nil {
			return fmt.Errorf("%s: %w", v.To, err)
		}
	}
	return nil
}

func (r *podRecipe) mount(v podVolume) error {
	target := filepath.Join(r.Root, v.To)
	if v.From == "" {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		return unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0777") // as an emptyDir
	}
	info, err := os.Stat(v.From)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(v.From, target, "", unix.MS_BIND, ""); err != nil || v.Write {
		return err
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// pivot leaves the host's root behind, and lets nobody write to the new one.
func (r *podRecipe) pivot() error {
	if err := os.Chdir(r.Root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

func (r *podRecipe) enterNetwork() error {
	if !r.Joins {
		return raiseLoopback()
	}
	return errors.Join(unix.Setns(firstExtraFile, unix.CLONE_NEWNET), unix.Close(firstExtraFile))
}

// firstExtraFile is the descriptor of an exec.Cmd's first extra file.
const firstExtraFile = 3

// raiseLoopback sets the one interface of a new network namespace up.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// dropPrivileges leaves no capability, no group, and no way back.
func dropPrivileges() error {
	for capability := uintptr(0); capability <= unix.CAP_LAST_CAP; capability++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil && err != unix.EINVAL { // an older kernel has fewer
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	for _, call := range []struct{ number, id, list uintptr }{{unix.SYS_SETGROUPS, 0, 0}, {unix.SYS_SETRESGID, podUser, podUser}, {unix.SYS_SETRESUID, podUser, podUser}} {
		if _, _, errno := unix.RawSyscall(call.number, call.id, call.list, call.id); errno != 0 {
			return errno
		}
	}
	return nil
}
