//go:build !linux

package conn

import "errors"

func (l *sharedListener) steer(uint32) error { return errors.ErrUnsupported }

func (l *sharedListener) unsteer() {}

func (l *sharedListener) markLeaving() {}

func (l *sharedListener) sharers() (leaving map[string]bool, ok bool) { return nil, false }
