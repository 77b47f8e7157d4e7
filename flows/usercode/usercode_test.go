package usercode_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/usercode"
)

// userCodeSpellings are ways in which people, phones and word processors write
// one code (better-auth#6143; RFC 8628, section 6.1).
var userCodeSpellings = map[string]string{
	"as shown":              "BCDF-GHJK",
	"lower case":            "bcdf-ghjk",
	"without a dash":        "BCDFGHJK",
	"spaces":                "  BCDF GHJK\t\r\n",
	"a letter at a time":    "b c d f - g h j k",
	"non-breaking hyphen":   "BCDF\u2011GHJK",
	"en dash":               "BCDF\u2013GHJK",
	"em dash":               "BCDF\u2014GHJK",
	"minus sign":            "BCDF\u2212GHJK",
	"full-width hyphen":     "BCDF\uff0dGHJK",
	"soft hyphen":           "BCDF\u00adGHJK",
	"non-breaking space":    "BCDF\u00a0GHJK",
	"narrow space":          "BCDF\u202fGHJK",
	"ideographic space":     "BCDF\u3000GHJK",
	"zero-width space":      "\u200bBCDF-\u200bGHJK\u200b",
	"byte-order mark":       "\ufeffBCDF-GHJK",
	"direction marks":       "\u200eBCDF-GHJK\u200f\u202c",
	"full-width letters":    "\uff22\uff23\uff24\uff26\uff0d\uff27\uff28\uff2a\uff2b",
	"full-width small ones": "\uff42\uff43\uff44\uff46\uff47\uff48\uff4a\uff4b",
	"mathematical letters":  "\U0001d401\U0001d402\U0001d403\U0001d405 \U0001d406\U0001d407\U0001d409\U0001d40a",
	"circled letters":       "\u24b7\u24b8\u24b9\u24bb\u24bc\u24bd\u24bf\u24c0",
	"quotes":                "\u201cBCDF-GHJK\u201d",
	"straight quotes":       `"BCDF-GHJK"`,
	"guillemets":            "\u00abBCDF-GHJK\u00bb",
	"backticks":             "`BCDF-GHJK`",
	"brackets":              "[BCDF-GHJK]",
	"the end of a sentence": "BCDF-GHJK.",
	"letters of no code":    "BCDF-GHJK 1234 aeiou",
}

func TestParse_FindsEverySpelling(t *testing.T) {
	for name, spelling := range userCodeSpellings {
		if code, ok := usercode.Parse(spelling); !ok || code != "BCDFGHJK" {
			t.Errorf("%s: %q became %q, %t", name, spelling, code, ok)
		}
	}
	for name, other := range map[string]string{
		"a letter short": "BCDF-GHJ", "a letter more": "BCDF-GHJKL", "nothing": "", "vowels": "AEIO-UAEI",
		"too long": "BCDF-GHJK" + strings.Repeat(" ", 256), "Cyrillic": "ВСДФ-ГХЙК",
		"bytes that are none": "BCDF\xff\xfeGHJK", "a NUL": "BCDF\x00GHJK",
	} {
		if code, ok := usercode.Parse(other); ok {
			t.Errorf("%s: %q became %q", name, other, code)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, spelling := range userCodeSpellings {
		f.Add(spelling)
	}
	f.Add("ＢＣＤＦ\xff-GHJK")
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := usercode.Parse(s)
		if ok && (len(code) != usercode.Length || strings.Trim(code, usercode.Letters) != "") {
			t.Errorf("%q became %q", s, code)
		}
		// How it is written between, around and in which case makes no difference.
		if again, fine := usercode.Parse("\u201c" + strings.ToLower(code) + "\u200b\u00a0\u201d"); ok && (!fine || again != code) {
			t.Errorf("%q became %q, and that %q", s, code, again)
		}
	})
}
