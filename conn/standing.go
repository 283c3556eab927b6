package conn

import (
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// What the log is told of connections that hold a stop up.
const (
	standingLines    = 50       // lines; more are counted
	standingFrames   = 40       // of a stack, from the innermost on
	stackBytesPerOne = 4 << 10  // of the dump in which they are looked for, per goroutine
	stackBytes       = 16 << 20 // and in all
)

// standing is where one connection stands.
type standing struct {
	conn  *Conn
	phase Phase
	task  *Task
	stack string
}

// standing are those of conns on which something is under way, with their stacks.
func (s *Server) standing(conns []*Conn) (all []standing) {
	for _, c := range conns {
		if phase, task := c.stand(nil); phase != PhaseClosing {
			all = append(all, standing{conn: c, phase: phase, task: task})
		}
	}
	if len(all) == 0 {
		return nil
	}
	stacks := stacksOf(s.tag, dumpStacks())
	for i := range all {
		all[i].stack = stacks[all[i].conn.id]
	}
	return all
}

// tellStanding writes a line for each.
func (s *Server) tellStanding(what string, all []standing) {
	now := time.Now()
	for i, one := range all {
		if i == standingLines {
			s.log.Warn(what+": more connections", "connections", len(all)-i)
			return
		}
		c := one.conn
		carried := c.Traffic()
		attrs := []any{"connection", c.id, "client", clientText(c.whose()), "phase", string(one.phase)}
		if one.task != nil {
			about := append([]slog.Attr{slog.String("id", one.task.ID)}, one.task.About...)
			attrs = append(attrs, slog.Attr{Key: "request", Value: slog.GroupValue(about...)}, "age", now.Sub(one.task.Begun).Round(time.Millisecond).String())
		} else {
			attrs = append(attrs, "age", now.Sub(c.accepted).Round(time.Millisecond).String())
		}
		s.log.Warn(what, append(attrs, "received", carried.Received, "sent", carried.Sent, "stack", one.stack)...)
	}
}

// servers numbers the servers of this process.
var servers atomic.Uint64

// dumpStacks is the stacks of all goroutines, as many as fit. The world stands still
// meanwhile, so only a stop that is in trouble asks for it.
func dumpStacks() string {
	buf := make([]byte, min(stackBytes, stackBytesPerOne*(runtime.NumGoroutine()+16)))
	return string(buf[:runtime.Stack(buf, true)])
}

// tagged is the frame, in every connection's goroutine, that says whose it is.
const tagged = "conn.(*Server).serve("

// stacksOf finds the goroutines of a server's connections in a dump, and returns their
// stacks in short by the number of the connection.
//
// Nothing in Go says which goroutine serves what, and a label or a look at the own
// goroutine's number would cost every connection memory or a microsecond. But a dump shows
// arguments, and an array of more than one element is always passed in memory, where it
// stays as it was: so [Server.serve] takes its tag that way, and it costs 16 bytes of stack.
func stacksOf(server uint64, dump string) map[uint64]string {
	mark := "{" + hex(server) + ", 0x"
	stacks := map[uint64]string{}
	for block := range strings.SplitSeq(dump, "\n\n") {
		_, after, _ := strings.Cut(block, tagged)
		arguments, _, _ := strings.Cut(after, "\n")
		_, digits, found := strings.Cut(arguments, mark)
		if !found {
			continue
		}
		digits, _, _ = strings.Cut(digits, "}")
		if id, err := strconv.ParseUint(digits, 16, 64); err == nil {
			stacks[id] = shortStack(block)
		}
	}
	return stacks
}

func hex(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }

// shortStack is a goroutine of a dump in one line: what it waits for, and the functions
// from the innermost to the one that the handler began with.
func shortStack(block string) string {
	lines := strings.Split(block, "\n")
	_, state, _ := strings.Cut(lines[0], "[")
	state, _, _ = strings.Cut(state, "]")
	var frames []string
	for i := 1; i+1 < len(lines) && !strings.Contains(lines[i], tagged); i += 2 {
		if len(frames) == standingFrames {
			frames = append(frames, "...")
			break
		}
		if !strings.HasPrefix(lines[i], "internal/") { // how Go waits for a socket
			frames = append(frames, shortFrame(lines[i], lines[i+1]))
		}
	}
	return state + ": " + strings.Join(frames, " < ")
}

// shortFrame is one frame without its folders and its arguments: nobody needs the paths of
// the machine that built us.
func shortFrame(call, at string) string {
	if i := strings.LastIndexByte(call, '('); i > 0 {
		call = call[:i]
	}
	at, _, _ = strings.Cut(strings.TrimSpace(at), " ")
	return call[strings.LastIndexByte(call, '/')+1:] + " (" + at[strings.LastIndexByte(at, '/')+1:] + ")"
}
