package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2"
)

// configLimitBytes bounds the file, so that a --config /dev/zero ends.
const configLimitBytes = 1 << 20

// readConfig reads the file that --config or HOLDFAST_CONFIG names, if any, into values
// by setting. Its faults are all of it: syntax ends the reading, unknown keys do not.
func (c *call) readConfig() (map[string]value, []fault) {
	path, from := c.configPath()
	if from == "" {
		return nil, nil
	}
	if path == "" {
		return nil, []fault{{What: "the configuration file's name is empty", Where: from, Usage: true,
			Mend: "name a file, or leave it out"}}
	}
	read := readLimited
	if c.elsewhere != nil {
		read = c.elsewhere
	}
	content, err := read(path)
	if err != nil {
		return nil, []fault{{What: "cannot read the configuration file " + quote(path), Where: from,
			Why: reason(err), Mend: "check the path and its permissions"}}
	}
	return decodeConfig(path, content)
}

func (c *call) configPath() (path, from string) {
	if texts, ok := c.given["config"]; ok {
		return texts[0], "--config"
	}
	if path := c.env.get(variable("config")); path != "" {
		return path, variable("config")
	}
	return "", ""
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, configLimitBytes+1))
	if err == nil && len(content) > configLimitBytes {
		err = fmt.Errorf("it is larger than %d bytes", configLimitBytes)
	}
	return content, err
}

// decodeConfig decodes TOML. The document is decoded twice: into a map for the values,
// and strictly into nothing, which complains of every key and thereby tells its line.
func decodeConfig(path string, content []byte) (map[string]value, []fault) {
	var document map[string]any
	if err := toml.Unmarshal(content, &document); err != nil {
		return nil, []fault{syntaxFault(path, err)}
	}
	lines, at := keyLines(content), locate(plain(path), content)
	known := configKeys()
	values := make(map[string]value)
	var faults []fault
	for _, key := range keysByLine(document, lines) {
		where := plain(path) + ":" + strconv.Itoa(lines[key])
		if tables, ok := tablesOf(document[key], key, at); ok && key == "site" && len(tables) > 0 {
			values[key] = value{tables: tables, from: where, kind: otherKind, texts: []string{""}}
			continue
		}
		if entries, ok := document[key].(map[string]any); ok && key == "accounts" {
			values[key] = value{tables: []table{tableOf(entries, key, at)}, from: where, kind: otherKind, texts: []string{""}}
			continue
		}
		if !slices.Contains(known, key) {
			faults = append(faults, unknownKey(key, document[key], where, known))
			continue
		}
		values[key] = fileValue(document[key], where)
	}
	return values, faults
}

func syntaxFault(path string, err error) fault {
	f := fault{What: "the configuration is no valid TOML", Where: plain(path), Usage: true,
		Why: plain(err.Error()), Mend: `write name = "value", with quotes around text`}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, column := at.Position()
		f.Where = fmt.Sprintf("%s:%d:%d", f.Where, row, column)
	}
	return f
}

// keyLines tells the line of each top-level key.
func keyLines(content []byte) map[string]int {
	lines := make(map[string]int)
	strict := toml.NewDecoder(bytes.NewReader(content)).DisallowUnknownFields()
	var missing *toml.StrictMissingError
	if errors.As(strict.Decode(new(struct{})), &missing) {
		for i := range missing.Errors {
			key := missing.Errors[i].Key()
			row, _ := missing.Errors[i].Position()
			if len(key) > 0 && lines[key[0]] == 0 {
				lines[key[0]] = row
			}
		}
	}
	return lines
}

func keysByLine(document map[string]any, lines map[string]int) []string {
	var keys []string
	for key := range document {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := lines[a] - lines[b]; d != 0 {
			return d
		}
		return bytes.Compare([]byte(a), []byte(b))
	})
	return keys
}

// configKeys are the settings of a server, whichever command reads the file.
func configKeys() []string {
	node, _ := findCommand(declared(), []string{"serve"})
	var keys []string
	for _, s := range slots(node) {
		if s.name != "config" { // a file that names another is a loop to untangle
			keys = append(keys, s.name)
		}
	}
	return keys
}

func unknownKey(key string, content any, where string, known []string) fault {
	f := fault{What: "unknown key " + quote(key), Where: where, Usage: true,
		Mend: suggest(key, known, "", "see holdfast serve --help for the names")}
	if isTable(content) {
		f.What = "unknown table " + quote("["+key+"]")
		f.Why = "settings are plain keys at the top of the file"
	}
	if key == "sites" && isTable(content) {
		f.Why, f.Mend = "", "write [[site]] above the keys of each site"
	}
	if key == "site" {
		f.What, f.Why, f.Mend = "site is no array of tables", "", "write [[site]] above the keys of each site"
	}
	if key == "accounts" {
		f.What, f.Why, f.Mend = "accounts is no table", "there is one for all sites", "write [accounts] once, above its keys"
	}
	return f
}

// isTable tells a table or an array of tables from a value.
func isTable(content any) bool {
	if list, ok := content.([]any); ok && len(list) > 0 {
		content = list[0]
	}
	_, ok := content.(map[string]any)
	return ok
}

// fileValue is a value of the file as text, with what it was written as.
func fileValue(content any, from string) value {
	v := value{from: from, kind: otherKind}
	switch content := content.(type) {
	case string:
		v.kind, v.texts = textKind, []string{content}
	case int64:
		v.kind, v.texts = integerKind, []string{strconv.FormatInt(content, 10)}
	case bool:
		v.kind, v.texts = booleanKind, []string{strconv.FormatBool(content)}
	case []any:
		v.kind, v.texts = listKind, []string{}
		for _, item := range content {
			text, ok := item.(string)
			if !ok {
				return value{from: from, kind: otherKind, texts: []string{fmt.Sprint(content)}}
			}
			v.texts = append(v.texts, text)
		}
	default:
		v.texts = []string{fmt.Sprint(content)}
	}
	return v
}

// reason is what the system answered, without the path that the fault names already.
func reason(err error) string {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return plain(err.Error())
}
