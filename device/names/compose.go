package names

import (
	"slices"
	"strings"
	"unicode"
)

// compose writes letters with their marks as one character where there is one, the marks in one order (UAX #15, NFC).
func compose(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxLatin1 }) {
		return text // every letter up to here is whole
	}
	table := joined()
	var apart []rune
	for _, r := range text {
		apart = split(table, apart, r)
	}
	for from := 0; from < len(apart); from++ { // each run of marks by class
		to := from
		for to < len(apart) && class(apart[to]) > 0 {
			to++
		}
		slices.SortStableFunc(apart[from:to], func(a, b rune) int { return class(a) - class(b) })
		from = to
	}
	var out []rune
	letter, last := -1, 0 // where the letter is that marks may join, and the class of the last mark that did not
	for _, r := range apart {
		c := class(r)
		if letter >= 0 && (last < c || last == 0 && letter == len(out)-1) {
			if whole := join(table, out[letter], r); whole != 0 {
				out[letter] = whole
				continue
			}
		}
		out = append(out, r)
		if last = c; c == 0 {
			letter = len(out) - 1
		}
	}
	return string(out)
}

// split takes a letter and its marks apart, as far as that goes.
func split(table map[rune]string, to []rune, r rune) []rune {
	if r > unicode.MaxASCII {
		for mark, pairs := range table {
			var letter rune
			for i, p := range []rune(pairs) {
				if i%2 == 0 {
					letter = p
				} else if p == r {
					return append(split(table, to, letter), mark)
				}
			}
		}
	}
	return append(to, r)
}

// join is a letter with a mark as one character; 0: there is none.
func join(table map[rune]string, letter, mark rune) rune {
	pairs := []rune(table[mark])
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == letter {
			return pairs[i+1]
		}
	}
	return 0
}

// class is the canonical combining class of the marks U+0300 to U+036F; 0: a letter, or a mark that stays where it is.
func class(r rune) int {
	if r < 0x0300 || r > 0x036F {
		return 0
	}
	of := 0
	for _, from := range []struct {
		first rune
		class int
	}{
		{0x300, 230}, {0x315, 232}, {0x316, 220}, {0x31A, 232}, {0x31B, 216}, {0x31C, 220}, {0x321, 202}, {0x323, 220}, {0x327, 202}, {0x329, 220},
		{0x334, 1}, {0x339, 220}, {0x33D, 230}, {0x345, 240}, {0x346, 230}, {0x347, 220}, {0x34A, 230}, {0x34D, 220}, {0x34F, 0}, {0x350, 230}, {0x353, 220},
		{0x357, 230}, {0x358, 232}, {0x359, 220}, {0x35B, 230}, {0x35C, 233}, {0x35D, 234}, {0x35F, 233}, {0x360, 234}, {0x362, 233}, {0x363, 230},
	} {
		if r >= from.first {
			of = from.class
		}
	}
	return of
}
