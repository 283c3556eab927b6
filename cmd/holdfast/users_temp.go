package main

import (
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/http1/account"
)

func parseQuota(text string) (account.Quota, *flaw) {
	if text == off {
		return account.Quota{}, nil
	}
	number, window, found := strings.Cut(text, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	d, f := parseDuration(window)
	if err != nil || !found || f != nil {
		return account.Quota{}, &flaw{What: "is no quota", Mend: "write requests and time, as 1000/1h, or off"}
	}
	return account.Quota{N: n, Window: d}, nil
}
