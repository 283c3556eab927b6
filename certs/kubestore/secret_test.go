package kubestore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-server/holdfast/certs/store"
)

func TestRoom(t *testing.T) {
	// full is a Secret that has no more room than what is reserved.
	full := func() *secret {
		x := newSecret("certificates")
		x.data = map[string][]byte{keyOf("ledger/old.example"): make([]byte, 4<<10)}
		for size := 4 << 10; size < secretLimitBytes-reservedBytes; {
			part := min(store.MaxValueBytes, secretLimitBytes-reservedBytes-size)
			x.data[keyOf(fmt.Sprintf("cert/%d.example", size))] = make([]byte, part)
			size += part
		}
		return x
	}
	for _, name := range []string{"cert/new.example", "account/0f", "secret/tickets", "challenge/http-01/new.example/0f"} {
		t.Run("there is some for "+name, func(t *testing.T) {
			if err := full().put(name, make([]byte, 10<<10)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range []string{"ledger/new.example", "budget/0f", "aside/cert/new.example"} {
		t.Run("there is none for "+name, func(t *testing.T) {
			err := full().put(name, []byte("{}"))
			if !errors.Is(err, errTooLarge) {
				t.Errorf("%v", err)
			}
			says(t, err, name, "786434", "786432")
		})
	}
	t.Run("a ledger that is there may change and not grow", func(t *testing.T) {
		x := full()
		if err := x.put("cert/new.example", make([]byte, 10<<10)); err != nil {
			t.Fatal(err)
		}
		if err := x.put("ledger/old.example", make([]byte, 4<<10)); err != nil {
			t.Error(err)
		}
		if err := x.put("ledger/old.example", make([]byte, 4<<10+1)); !errors.Is(err, errTooLarge) {
			t.Errorf("%v", err)
		}
	})
}
