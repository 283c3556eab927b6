package wire

import "testing"

func TestLimitsOrElse(t *testing.T) {
	d := DefaultLimits()
	if got := (Limits{}).OrElse(d); got != d {
		t.Errorf("nothing set: %+v, want the defaults", got)
	}
	got := Limits{HeadBytes: 4096, BodyBytes: -1}.OrElse(d)
	want := d
	want.HeadBytes, want.BodyBytes = 4096, 0
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
