package account

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-server/holdfast/http1/session"
)

// An export's form, and the bounds of what is read.
const (
	exportFormat    = "holdfast-members"
	exportVersion   = 1
	exportLineBytes = 8 << 10
	exportAtOnce    = 100 // members in one step of an import
)

// exportHeader is the first line.
type exportHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// Export writes all members to w: a line of JSON that says what it is, and one for each member
// with the password's hash. Whoever has it can guess at the passwords: it is to be kept as the
// store is. Sessions and invites are not in it. Members who change meanwhile are in it as they
// were or as they are. A record that cannot be read is left out, and the error at the end names it.
func (m *Members) Export(ctx context.Context, w io.Writer) (members int, err error) {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	if err = lines.Encode(exportHeader{exportFormat, exportVersion}); err != nil {
		return 0, err
	}
	var all broken
	for after := ""; ; {
		page, err := m.list(ctx, after, session.MaxListRecords)
		if err != nil {
			return members, err
		}
		for _, s := range page.members {
			s.ID, s.Known = "", "" // an account in another store is another
			if err = lines.Encode(s.memberRecord); err != nil {
				return members, err
			}
			members++
		}
		if all.join(page.broken); page.last == "" {
			return members, errors.Join(out.Flush(), all.err())
		}
		after = page.last
	}
}

// Import reads what Export wrote. All of it is checked before anything is changed; an error
// names its line. A member whose name is taken is an error that says [ErrTaken], unless
// replace says that the imported one takes the place, which ends the sessions of the one
// before. Members are written a hundred at a time, each hundred at once or not at all: after
// an error the import can be repeated with replace.
func (m *Members) Import(ctx context.Context, r io.Reader, replace bool) (members int, err error) {
	all, err := m.readExport(r)
	if err != nil {
		return 0, err
	}
	if !replace {
		for _, s := range all {
			if _, err = m.read(ctx, s.name.Key); err == nil {
				return 0, fmt.Errorf("%w: %q", ErrTaken, s.name.Key)
			} else if !errors.Is(err, ErrNoMember) {
				return 0, err
			}
		}
	}
	for len(all) > 0 {
		some := all[:min(len(all), exportAtOnce)]
		if err = m.importSome(ctx, some, replace); err != nil {
			return members, err
		}
		members, all = members+len(some), all[len(some):]
	}
	return members, nil
}

// importSome writes members in one step.
func (m *Members) importSome(ctx context.Context, some []*stored, replace bool) error {
	var changes []session.Change
	for _, s := range some {
		when := session.Absent()
		if replace {
			when = session.Condition{}
			epoch, _ := session.NewEpoch(s.name.Key)
			changes = append(changes, epoch)
		}
		change, err := s.write(when)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	err := m.store.Apply(ctx, changes...)
	if errors.Is(err, session.ErrConflict) {
		return fmt.Errorf("%w: by somebody who joined during the import, among %q to %q", ErrTaken, some[0].name.Key, some[len(some)-1].name.Key)
	}
	return err
}

// readExport reads and checks all lines.
func (m *Members) readExport(r io.Reader) (all []*stored, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, exportLineBytes)
	seen := make(map[string]int)
	n := 0
	for lines.Scan() {
		if n++; n == 1 {
			if err = readHeader(lines.Bytes()); err != nil {
				return nil, err
			}
			continue
		}
		s, err := m.readMember(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("account: line %d of the import: %w", n, err)
		}
		if before, twice := seen[s.name.Key]; twice {
			return nil, fmt.Errorf("account: line %d of the import: the member of line %d again", n, before)
		}
		seen[s.name.Key] = n
		all = append(all, s)
	}
	if err = lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("account: line %d of the import has more than %d bytes", n+1, exportLineBytes)
	}
	if err == nil && n == 0 {
		err = errors.New("account: the import is empty: not even its first line is there")
	}
	return all, err
}

func readHeader(line []byte) error {
	var h exportHeader
	switch err := json.Unmarshal(line, &h); {
	case err != nil || h.Format != exportFormat:
		return errors.New("account: line 1 of the import is not that of an export of members")
	case h.Version != exportVersion:
		return fmt.Errorf("account: the import is of version %d and this program reads version %d: export it again by a program of this version", h.Version, exportVersion)
	}
	return nil
}

// importedWork is how often the work of the present cost an imported hash may take: whoever knows
// its name could have us do that for each wrong password. RFC 9106 §4's three passes over 64 MiB,
// and the four of others' defaults, are within it for the usual cost.
const importedWork = 8

// readMember reads a line. Its errors quote nothing of it.
func (m *Members) readMember(line []byte) (*stored, error) {
	s := &stored{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&s.memberRecord); err != nil || d.More() {
		return nil, errors.New("not a member as JSON")
	}
	name, err := ParseName(s.Name)
	if err != nil {
		return nil, err
	}
	s.ID, s.Known = newID(), newID()
	if s.name, s.Name = name, name.Shown; s.Quota != nil {
		if err = s.Quota.check(); err != nil {
			return nil, err
		}
	}
	if s.Email, err = ParseEmail(s.Email); err != nil {
		return nil, err
	}
	hash, err := parseDigest(s.Hash)
	if err == nil && hash.cost.work() > importedWork*m.hasher.cost.work() {
		err = fmt.Errorf("a hash with more than %d times the work of this server's own: its member needs a new password", importedWork)
	}
	return s, err
}
