package diag

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// withheld stands where a secret was.
const withheld = "(withheld)"

// maxLine is how much of a line is kept, in bytes.
const maxLine = 64 << 10

// filter passes text on line by line without its secrets: private keys, password hashes, tokens, credentials in
// addresses, and the values of keys that are called like a secret. It would rather withhold too much: what it does not
// understand inside a secret's brackets goes with it. Close it to pass on the last line.
type filter struct {
	out   io.Writer
	line  []byte
	lost  bool              // the line is longer than maxLine
	block func([]byte) bool // inside a secret of several lines; true: this line ends it
}

func newFilter(out io.Writer) *filter { return &filter{out: out} }

// Write implements io.Writer.
func (f *filter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		room := max(0, maxLine-len(f.line))
		f.lost = f.lost || len(line) > room
		f.line = append(f.line, line[:min(room, len(line))]...)
		if p = rest; ended {
			if err := f.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// Close passes on the last line.
func (f *filter) Close() error {
	if len(f.line) == 0 {
		return nil
	}
	return f.flush()
}

func (f *filter) flush() error {
	line, lost := f.line, f.lost
	f.line, f.lost = f.line[:0], false
	if lost {
		// The last word may be the beginning of a secret that is no longer recognised.
		line = append(line[:bytes.LastIndexAny(line, " \t")+1], "(line cut)"...)
	}
	if f.block != nil {
		if f.block(line) {
			f.block = nil
		}
		return nil
	}
	text, block := clean(string(bytes.ToValidUTF8(line, []byte("?"))))
	f.block = block
	_, err := io.WriteString(f.out, text+"\n")
	return err
}

var (
	beginKey  = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)
	endKey    = regexp.MustCompile(`-----END [A-Z0-9 ]*PRIVATE KEY-----`)
	ageSecret = regexp.MustCompile(`(?i)AGE-SECRET-KEY-[A-Z0-9-]+`)
	phc       = regexp.MustCompile(`\$(argon2(id|i|d)?|2[abxy]?|1|5|6|7|y|gy|scrypt|pbkdf2[a-z0-9-]*)\$[^\s"'\\]+`)
	userInfo  = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"']*@`)
	bearer    = regexp.MustCompile(`(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}`)
	jwt       = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+`)
	header    = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\\?["']?\s*[:=]\s*).*`)
	spoken    = regexp.MustCompile(`(?i)\b((?:pin|passwor[dt]|kennwort|passphrase|token|secret)s?)((?:\s+(?:is|was|ist|war|lautet)\b)?[\s:="'\\]*)\d[\d ]{2,40}\d`)
	option    = regexp.MustCompile(`(?i)(--?[a-z-]*(?:pin|token|password|passphrase|secret)[ =]+)("[^"]*"|'[^']*'|\S+)`)
	assigned  = regexp.MustCompile(`([A-Za-z0-9_.-]+)(\\?["']?\]?\s*[:=]\s*)`)
	urlSafe   = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)
	standard  = regexp.MustCompile(`[A-Za-z0-9+/]{43,}={0,2}`)
	value     = regexp.MustCompile(`^(\\"(?:[^"\\]|\\\\.)*\\"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\])&"']+)`)
)

// keyLines bounds how many lines a private key can have, so that the half of one does not swallow a whole log.
const keyLines = 400

// keyBlock withholds lines until the one that matches.
func keyBlock(last *regexp.Regexp) func([]byte) bool {
	left := keyLines
	return func(line []byte) bool {
		left--
		return left <= 0 || last.Match(line)
	}
}

// clean takes the secrets out of one line. block is set when one goes on in the next.
func clean(line string) (text string, block func([]byte) bool) {
	if strings.Contains(line, "PRIVATE KEY-----") {
		line, block = privateKeys(line)
	}
	if low := strings.ToLower(line); mentions(low) { // most lines do not, and each of these costs microseconds
		line = ageSecret.ReplaceAllString(line, withheld)
		line = header.ReplaceAllString(line, "${1}${2}"+withheld)
		line = bearer.ReplaceAllString(line, "${1} "+withheld)
		var inValue func([]byte) bool
		if line, inValue = values(line); block == nil {
			block = inValue
		}
		line = spoken.ReplaceAllString(line, "${1}${2}"+withheld)
		line = option.ReplaceAllString(line, "${1}"+withheld)
	}
	if strings.Contains(line, "$") {
		line = phc.ReplaceAllString(line, withheld)
	}
	if strings.Contains(line, "://") {
		line = userInfo.ReplaceAllString(line, "${1}"+withheld+"@")
	}
	if strings.Contains(line, "eyJ") {
		line = jwt.ReplaceAllString(line, withheld)
	}
	if !longRun(line) {
		return line, block
	}
	line = urlSafe.ReplaceAllStringFunc(line, random)
	return standard.ReplaceAllStringFunc(line, random), block
}

// stems are what every name of a secret has in it, in small letters.
func stems() []string {
	return []string{"pin", "key", "token", "secret", "passw", "passphrase", "kennwort", "credential", "psk", "pwd", "pw", "auth",
		"cookie", "bearer", "basic", "digest", "salt", "seed", "ufrag"}
}

func mentions(low string) bool {
	return slices.ContainsFunc(stems(), func(s string) bool { return strings.Contains(low, s) })
}

// longRun says whether enough letters stand together to be random ones.
func longRun(line string) bool {
	run := 0
	for i := range len(line) {
		switch c := line[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '+', c == '/':
			if run++; run >= 43 {
				return true
			}
		default:
			run = 0
		}
	}
	return false
}

// privateKeys withholds private keys in PEM, whole ones and those that go on in the next line.
func privateKeys(line string) (string, func([]byte) bool) {
	for {
		at := beginKey.FindStringIndex(line)
		if at == nil {
			break
		}
		end := endKey.FindStringIndex(line[at[1]:])
		if end == nil {
			return line[:at[0]] + withheld, keyBlock(endKey)
		}
		line = line[:at[0]] + withheld + line[at[1]+end[1]:]
	}
	if at := endKey.FindStringIndex(line); at != nil { // a log with the newest line first: the key stands upside down
		return withheld + line[at[1]:], keyBlock(beginKey)
	}
	return line, nil
}

// random withholds what looks like random letters; names of devices and paths stay.
func random(s string) string {
	for _, name := range []string{"usb-", "pci-", "platform-", "/"} {
		if strings.HasPrefix(s, name) {
			return s
		}
	}
	if strings.ContainsFunc(s, unicode.IsUpper) && strings.ContainsFunc(s, unicode.IsLower) {
		return withheld
	}
	return s
}

// values withholds what is assigned to a name that is called like a secret: name = value, "name": value, name=value.
func values(line string) (string, func([]byte) bool) {
	var b strings.Builder
	for {
		at := assigned.FindStringSubmatchIndex(line)
		if at == nil {
			b.WriteString(line)
			return b.String(), nil
		}
		b.WriteString(line[:at[1]])
		name, rest := line[at[2]:at[3]], line[at[1]:]
		line = rest
		if !secret(name) || rest == "" || strings.HasPrefix(rest, withheld) {
			continue
		}
		b.WriteString(withheld)
		if block, whole := open(rest); whole {
			return b.String(), block
		}
		line = rest[len(value.FindString(rest)):]
	}
}

// open says whether a value takes the rest of its line, and with block, where it ends if that is not in this line.
func open(rest string) (block func([]byte) bool, whole bool) {
	for _, quotes := range []string{`"""`, `'''`} {
		if body, ok := strings.CutPrefix(rest, quotes); ok {
			if strings.Contains(body, quotes) {
				return nil, true
			}
			return func(line []byte) bool { return bytes.Contains(line, []byte(quotes)) }, true
		}
	}
	if strings.HasPrefix(rest, "|") || strings.HasPrefix(rest, ">") {
		return nil, true
	}
	if rest[0] != '[' && rest[0] != '{' {
		return nil, value.FindString(rest) == "" // nothing we understand: all of it
	}
	depth := balance([]byte(rest))
	if depth <= 0 {
		return nil, true
	}
	return func(line []byte) bool {
		depth += balance(line)
		return depth <= 0
	}, true
}

func balance(line []byte) int {
	return bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{")) - bytes.Count(line, []byte("]")) - bytes.Count(line, []byte("}"))
}

// secret says whether a key is called like one that has a secret value.
func secret(key string) bool {
	low := strings.ToLower(key)
	for _, part := range []string{"secret", "passw", "passphrase", "kennwort", "token", "privatekey", "apikey", "credential"} {
		if strings.Contains(low, part) {
			return true
		}
	}
	return slices.ContainsFunc(words(key), func(w string) bool {
		return slices.Contains([]string{"pin", "pins", "key", "keys", "psk", "pwd", "pw", "auth", "authorization", "cookie", "bearer", "salt", "seed", "ufrag"}, w)
	})
}

// words splits a key at everything that is no letter and where small letters end.
func words(key string) []string {
	var b strings.Builder
	before := ' '
	for _, r := range key {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		before = r
	}
	return strings.FieldsFunc(strings.ToLower(b.String()), func(r rune) bool { return !unicode.IsLetter(r) })
}
