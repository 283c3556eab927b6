package main

import (
	"os"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

// succession makes the server's upgrades. A successor gets the names that there can be only one
// owner of as soon as it serves: the admin address, and what release gives up.
func (h *house) succession(s *settings, stop *lifecycle.Stop, release func()) *succession {
	return &succession{
		stop: stop, listeners: h.heirlooms(), program: ownProgram(), args: os.Args[1:],
		timeout: s.UpgradeTimeout, pid: os.Getpid(), log: h.log,
		leave: func() {
			release()
			h.admin.leave()
		},
	}
}

// heirlooms are the listeners that a successor gets.
func (h *house) heirlooms() []namedListener {
	if h.admin.bound == nil {
		return h.listeners
	}
	return append(slices.Clone(h.listeners), *h.admin.bound)
}

// publishPID says which process serves from now on.
func (h *house) publishPID() {
	if err := h.pidFile.publish(); err != nil {
		h.log.Warn("the pid file is not ours", "error", err)
	}
}

// readSuccession reads what there is to say about who comes after the process, and who is
// over it.
func (s *settings) readSuccession(r *reader, env environment) {
	s.UpgradeTimeout = r.duration("upgrade-timeout", time.Second, time.Hour)
	text, from, ok := r.single("pid-file")
	if ok && from != "" && text == "" {
		r.refuse("pid-file", text, from, emptyFlaw())
	}
	s.PIDFile = text
	s.Supervisor = newSupervisor(env)
}
