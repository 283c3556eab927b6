//go:build !linux

package conn

import "errors"

func (l *sharedListener) steer(uint32) error { return errors.ErrUnsupported }

func (l *sharedListener) unsteer() {}
