package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-server/holdfast/http1/session"
)

// noCluster is said by a node that keeps only a part of the keys.
const noCluster = "this is a node of a Redis Cluster: name a Redis without cluster mode in the URL"

// refusals are Redis's answers that somebody can do something about.
var refusals = []struct{ code, mend string }{
	{"WRONGPASS", "the user or the password was refused: check both in the URL"},
	{"NOAUTH", "a password is needed: write it into the URL, redis://:PASSWORD@HOST"},
	{"ERR Protocol error: unauthenticated", "a password is needed: write it into the URL, redis://:PASSWORD@HOST"}, // to many arguments
	{"NOPERM", "the user may not do this: allow it scripts and the commands on hashes, sorted sets and keys that begin with the prefix in braces"},
	{"LOADING", "Redis is still loading its data: it answers once it has"},
	{"BUSY", "Redis is running somebody's long script"},
	{"READONLY", "this is a replica, which takes no writes: name the primary in the URL"},
	{"MASTERDOWN", "this is a replica that has lost its primary: name the primary in the URL"},
	{"MISCONF", "Redis cannot save to its disk, and refuses writes until it can"},
	{"WRONGTYPE", "somebody else has keys of this name: give the store a prefix of its own in the URL"},
	{"MOVED", noCluster},
	{"ASK", noCluster},
	{"CROSSSLOT", noCluster},
	{"CLUSTERDOWN", noCluster},
	{"OOM", "Redis is at its memory limit: raise maxmemory"},
}

// fault says in which store what failed, and what to do where that is known. Of a reply that is
// none of these only the code is told: the text may repeat what was sent, AUTH and its password
// too. Nor is the user or the password in any other text.
func (s *Store) fault(what string, err error) error {
	if err == nil || errors.Is(err, session.ErrConflict) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		err = context.DeadlineExceeded // or the socket's, which is the same and may come first
	}
	if reply := redis.Error(nil); errors.As(err, &reply) {
		for _, r := range refusals {
			if strings.HasPrefix(reply.Error(), r.code+" ") {
				return fmt.Errorf("%s: %s: %s (%s)", s, what, r.mend, r.code)
			}
		}
		return fmt.Errorf("%s: %s: Redis refuses it (%s)", s, what, code(reply))
	}
	return fmt.Errorf("%s: %s: %w", s, what, s.secret.hide(err))
}

// code is the first word of a reply, if it looks like one: capitals alone.
func code(reply redis.Error) string {
	first, _, _ := strings.Cut(reply.Error(), " ")
	if first == "" || len(first) > 20 || strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "without a code"
	}
	return first
}

// secret replaces what must not be told.
type secret struct{ words []string }

func newSecret(c *config) secret {
	var s secret
	for _, word := range []string{c.password, c.user} {
		if word != "" {
			s.words = append(s.words, word)
		}
	}
	return s
}

// hide is the error, with another text if that has a secret.
func (s secret) hide(err error) error {
	text := err.Error()
	for _, word := range s.words {
		text = strings.ReplaceAll(text, word, "…")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
