package main

import (
	"context"
	"time"
)

// reload is what SIGHUP means. A supervisor that is told of a beginning waits for the end, so
// whatever the certificates come from, there is one.
func (h *house) reload() {
	h.supervisor.reloading()
	h.lookAgain()
	switch {
	case h.certificates.reload != nil:
		h.certificates.reload() // reloadWhenAsked tells the end
		return
	case h.certificates.selector == nil:
		h.log.Info("nothing to reload: there are no certificates")
	default:
		h.log.Info("nothing to reload: " + h.certificates.noReload())
	}
	h.supervisor.reloaded()
}

// readAgain prepares the reload of what was opened: the certificates' files, and the members'
// pages.
func (h *house) readAgain() {
	c := &h.certificates
	h.reads = "certificates"
	if h.members.accounts != nil {
		h.reads = "certificates and the members' pages"
		if len(c.files) == 0 {
			h.reads = "members' pages"
		}
		c.files = append(c.files, &h.members)
	}
	if len(c.files) == 0 {
		return
	}
	asked := make(chan struct{}, 1)
	c.keepers = append(c.keepers, func(ctx context.Context) error { return h.reloadWhenAsked(ctx, c.files, asked) })
	c.reload = func() {
		select {
		case asked <- struct{}{}:
		default: // one is waiting already, and will see what this one would
		}
	}
	c.renew = func(ctx context.Context) error { return h.reloadPairs(ctx, c.files) }
}

// noReload is why nothing is reloaded where no file is read.
func (c *certificates) noReload() string {
	if c.public.source != nil {
		return "certificates of the CA are renewed by themselves; holdfast certs renew has one ordered now"
	}
	return "the local CA renews its certificate by itself"
}

// reloadWhenAsked reloads the files on SIGHUP.
func (h *house) reloadWhenAsked(ctx context.Context, pairs reloaders, asked <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
			end := h.endReload(reloadPatience)
			_ = h.reloadPairs(ctx, pairs) // it is in the log
			end()
		}
	}
}

// endReload returns what tells a supervisor that a reload is over. It is told so after this
// time in any case: a disk that hangs keeps the old certificates, which is no reason to call the
// service stuck and to stop it.
func (h *house) endReload(patience time.Duration) (end func()) {
	late := time.AfterFunc(patience, func() {
		h.log.Error("the reload takes long; the old " + h.reads + " stay until it is done")
		h.supervisor.reloaded()
	})
	return func() {
		if late.Stop() {
			h.supervisor.reloaded()
		}
	}
}

// reloadPairs reloads the pairs and the other files, and logs how that went.
func (h *house) reloadPairs(ctx context.Context, pairs reloaders) error {
	err := pairs.Reload(ctx)
	switch {
	case err == nil:
		h.log.Info(h.reads + " reloaded")
	case ctx.Err() == nil:
		h.log.Error("reload failed, the old "+h.reads+" stay", "error", err)
	}
	return err
}
