package reading_test

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

func TestIsQueryReadable(t *testing.T) {
	for raw, want := range map[string]bool{
		"": true, "a=b": true, "a=b&a=c": true, "a": true, "a=%20+b": true, "a=%C3%A9": true, "&&": true, "a=1&": true, "=x": true,
		"a;b": false, "a=b;c=d": false, "x=%": false, "action=delete&x=%": false, "%=1": false, "a=%zz": false, "a=%u0064": false,
		"a=%ff": false, "a=%c0%af": false, "action=delete#": false, "a=%23": true, "%E9=1": false,
	} {
		if got := reading.IsQueryReadable(raw); got != want {
			t.Errorf("%q: %v, want %v", raw, got, want)
		}
	}
}

// Which of two parameters counts, and under which name, is the server's choice:
// PHP takes the last, Flask the first, qs both.
func TestOthers_NoReadingOfAQueryIsMissed(t *testing.T) {
	for _, raw := range []string{
		"action=delete", "action=view&action=delete", "action=delete&action=view", "action=view&x=1&action=delete",
		"%61ction=%64elete", "ACTION=delete", "action[]=delete", "action[x]=delete", "+action=delete", "%20action=delete",
		"action%00x=delete", "action=%2564elete", "action=view&Action=delete",
	} {
		r := request(t, "/?"+raw)
		others, err := reading.Others(r, reading.Looks{Query: true, Names: []string{"action"}})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, read := range append(others, reading.Reading{RawQuery: raw}) {
			q, err := url.ParseQuery(read.RawQuery)
			if err != nil {
				t.Fatalf("%q is read as %q: %v", raw, read.RawQuery, err)
			}
			found = found || len(q["action"]) > 0 && q["action"][0] == "delete"
		}
		if !found {
			t.Errorf("no reading of %q says delete: %v", raw, others)
		}
	}
	for _, raw := range []string{"action=view", "x=action", "tag=a&tag=b", "delete=action", "xaction=delete"} {
		others, err := reading.Others(request(t, "/?"+raw), reading.Looks{Query: true, Names: []string{"action"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, read := range others {
			if q, err := url.ParseQuery(read.RawQuery); err != nil || q.Get("action") == "delete" {
				t.Errorf("%q is read as %q", raw, read.RawQuery)
			}
		}
	}
}

// Several parameters of one name are many to who makes every one of them.
func TestOthers_OfAQueryAreFew(t *testing.T) {
	raw := "/?"
	for range 5000 {
		raw += "action=a&action[]=b&"
	}
	others, err := reading.Others(request(t, raw), reading.Looks{Query: true, Names: []string{"action"}})
	if err != nil || len(others) > 16 {
		t.Errorf("%d readings, %v", len(others), err)
	}
}
