package lifecycle

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
)

// A PanicError is what an actor panicked with, and where.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("actor panicked: %v", e.Value) }

// Guard makes a panic of execute an error that names what panicked, so that the group
// unwinds, and drains, instead of the process dying with requests in flight.
func Guard(name string, execute func() error) func() error {
	return func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%s: %w", name, &PanicError{Value: v, Stack: debug.Stack()})
			}
		}()
		if err := execute(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
}

// Serving is the actor of an accept loop. When serve returns net.ErrClosed the drain has
// closed its listener: the actor then waits for its interrupt, so that the group's Run
// returns the cause of the stop and not the listener's end. Any other error, or none, is
// the actor's death and starts the drain.
func Serving(name string, serve func() error) (execute func() error, interrupt func(error)) {
	released := make(chan struct{})
	var once sync.Once
	execute = Guard(name, func() error {
		err := serve()
		if errors.Is(err, net.ErrClosed) {
			<-released
			return nil
		}
		if err == nil {
			err = errors.New("accept loop ended by itself")
		}
		return err
	})
	return execute, func(error) { once.Do(func() { close(released) }) }
}
