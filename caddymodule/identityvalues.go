package caddymodule

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// claimHeader is the header of a further claim.
type claimHeader struct {
	key   string // canonical
	claim string
}

// all are the names of the headers that are set.
func (s *headerSet) all() []string {
	all := slices.DeleteFunc(slices.Clone(s.names[:]), func(name string) bool { return name == "" })
	for _, c := range s.claims {
		all = append(all, c.key)
	}
	if s.assertion != "" {
		all = append(all, s.assertion)
	}
	if s.idToken != "" {
		all = append(all, s.idToken)
	}
	return all
}

// headerSlots hold the values of a request's identity headers. They are the request's
// own, since another handler may edit them in place.
type headerSlots struct {
	usual [4]string // as headerSet.names
	more  []string  // for further headers, allocated at once
}

// next is the slot of a further header.
func (s *headerSlots) next() []string {
	if len(s.more) == 0 {
		return make([]string, 1)
	}
	slot := s.more[:1:1]
	s.more = s.more[1:]
	return slot
}

// fill is the slot of a further header with its value.
func (s *headerSlots) fill(value string) []string {
	slot := s.next()
	slot[0] = value
	return slot
}

// further is how many headers it may set besides the usual ones.
func (s *headerSet) further() int {
	n := len(s.claims)
	if s.assertion != "" {
		n++
	}
	if s.idToken != "" {
		n++
	}
	return n
}

// set tells the upstream who is signed in. It fails for a user whose name or
// groups cannot be written as is configured; what was set then is of no use.
func (s *headerSet) set(h http.Header, id *identity.Identity, slots *headerSlots) error {
	if n := s.further(); n > 0 {
		slots.more = make([]string, n)
	}
	values := &slots.usual
	*values = [...]string{headerValue(id.User), "", headerValue(id.Name), ""}
	if id.EmailVerified {
		values[1] = headerValue(id.Email)
	}
	for i, name := range s.names[:3] {
		if name != "" && values[i] != "" {
			h[name] = values[i : i+1 : i+1]
		}
	}
	if name := s.names[3]; name != "" {
		lines, err := s.groups(id.Groups, values[3:4:4])
		if err != nil {
			return err
		}
		if len(lines) > 0 && lines[0] != "" {
			h[name] = lines
		}
	}
	if err := s.setClaims(h, id, slots); err != nil || s.basic == "" {
		return err
	}
	return s.setBasic(h, id.User)
}

// groups are the lines of the groups' header: as many groups as it may hold.
func (s *headerSet) groups(groups, slot []string) ([]string, error) {
	lines, err := s.lists.write(groups, slot)
	if err != nil || s.groupsSize == 0 || size(lines) <= s.groupsSize {
		return lines, err
	}
	fits := sort.Search(len(groups), func(n int) bool {
		some, _ := s.lists.write(groups[:n+1], slot)
		return size(some) > s.groupsSize
	})
	return s.lists.write(groups[:fits], slot)
}

// size is that of all lines, with a separator between two.
func size(lines []string) int {
	n := max(0, len(lines)-1)
	for _, line := range lines {
		n += len(line)
	}
	return n
}

func (s *headerSet) setClaims(h http.Header, id *identity.Identity, slots *headerSlots) error {
	if len(id.Extra) == 0 {
		return nil
	}
	for _, c := range s.claims {
		lines, err := s.claimLines(id, c.claim, slots)
		if err != nil {
			return err
		}
		if len(lines) > 0 && lines[0] != "" {
			h[c.key] = lines
		}
	}
	return nil
}

// claimLines are a claim's header lines: a list as groups are, and what is neither a
// text, a number nor a list of these as JSON.
func (s *headerSet) claimLines(id *identity.Identity, name string, slots *headerSlots) ([]string, error) {
	claim, ok := id.Extra[name]
	if !ok || claim == nil {
		return nil, nil
	}
	slot := slots.next()
	if text, ok := claim.(string); ok {
		slot[0] = headerValue(text)
		return slot, nil
	}
	values, known := id.ShownClaim(name)
	if _, isList := claim.([]any); isList && known {
		return s.lists.write(values, slot)
	}
	if known {
		slot[0] = headerValue(values[0])
	} else {
		slot[0] = asciiJSON(claim)
	}
	return slot, nil
}

// errColon: Basic credentials end a name at its first colon (RFC 7617, section 2).
var errColon = errors.New("the user's name has a colon, which Basic credentials cannot hold")

func (s *headerSet) setBasic(h http.Header, user string) error {
	if strings.Contains(user, ":") {
		return errColon
	}
	h["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+s.basic))}
	return nil
}

// takeAuthorization has what the client sent as Authorization taken away where that is ours to
// set.
func (s *headerSet) takeAuthorization(r *http.Request) {
	if s.basic != "" {
		credentialHeader.strip(r)
	}
}

// credentialHeader removes Authorization in every spelling.
var credentialHeader = func() *headerSet {
	s := new(headerSet)
	s.remove("Authorization")
	return s
}()
