package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// How a provider writes groups. The shape is named, never guessed: a list of
// objects has a name and an id, and a map may say whose group it is, or that it is
// none.
const (
	// groupsAsStrings is a list of strings, or one string that can only be one
	// group.
	groupsAsStrings = ""
	// GroupsAsNames is a list of objects; the member name is the group.
	GroupsAsNames = "name"
	// GroupsAsIDs is a list of objects; the member id is the group.
	GroupsAsIDs = "id"
	// GroupsAsKeys is an object whose names are the groups.
	GroupsAsKeys = "keys"
	// GroupsByComma and GroupsBySpace are one string with separators.
	GroupsByComma = "comma_separated"
	GroupsBySpace = "space_separated"
)

// GroupShapes are the shapes that can be named.
var GroupShapes = []string{GroupsAsNames, GroupsAsIDs, GroupsAsKeys, GroupsByComma, GroupsBySpace}

// readGroups reads groups of one shape: all, or none and an error. What is left out
// might be what somebody is denied for.
func readGroups(raw json.RawMessage, as string) ([]string, error) {
	var found []string
	var err error
	switch as {
	case GroupsAsNames, GroupsAsIDs:
		found, err = groupsOfObjects(raw, as)
	case GroupsAsKeys:
		found, err = groupsOfKeys(raw)
	case GroupsByComma:
		found, err = splitGroups(raw, func(r rune) bool { return r == ',' })
	case GroupsBySpace:
		found, err = splitGroups(raw, unicode.IsSpace)
	default:
		found, err = groupsOfStrings(raw)
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(found))
	found = slices.DeleteFunc(found, func(g string) bool {
		was := seen[g]
		seen[g] = true
		return was
	})
	if len(found) > maxGroups {
		return nil, fmt.Errorf("they are more than %d", maxGroups)
	}
	for _, g := range found {
		if err := checkGroup(g); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func checkGroup(g string) error {
	switch {
	case len(g) > identity.MaxGroup:
		return fmt.Errorf("one is longer than %d bytes", identity.MaxGroup)
	case !identity.IsGroup(g):
		return errors.New("one is empty, begins or ends with a space, or has control characters")
	case strings.ContainsAny(g[:1], "[{") && json.Valid([]byte(g)):
		return errors.New("one is JSON inside a string")
	}
	return nil
}

// isNoID reports whether a group is not written as a UUID.
func isNoID(group string) bool {
	_, err := uuid.Parse(group)
	return err != nil || len(group) != 36
}

func groupsOfStrings(raw json.RawMessage) ([]string, error) {
	if one, ok := stringOf(raw); ok {
		if one == "" {
			return nil, nil
		}
		if strings.ContainsAny(one[:1], "[{") {
			return nil, errors.New("they are JSON inside a string")
		}
		if strings.ContainsFunc(one, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;|", r) }) {
			return nil, errors.New("one string may be several groups: say groups_claim NAME as comma_separated, or as space_separated")
		}
		return []string{one}, nil
	}
	list, ok := listOf(raw)
	if !ok {
		return nil, fmt.Errorf("they are %s, not a list of strings%s", kindOf(raw), cureOf(raw))
	}
	groups := make([]string, 0, len(list))
	for _, element := range list {
		g, ok := stringOf(element)
		if !ok {
			return nil, fmt.Errorf("one is %s, not a string%s", kindOf(element), cureOf(element))
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func groupsOfObjects(raw json.RawMessage, member string) ([]string, error) {
	list, ok := listOf(raw)
	if !ok {
		list = []json.RawMessage{raw}
	}
	groups := make([]string, 0, len(list))
	for _, element := range list {
		object, err := parseClaims(element)
		if err != nil {
			return nil, fmt.Errorf("one is %s, not an object with a member %s", kindOf(element), member)
		}
		g, ok := stringOf(object[member])
		if !ok && member == GroupsAsIDs && isDigits(object[member]) {
			g, ok = string(object[member]), true
		}
		if !ok {
			return nil, fmt.Errorf("one is an object without a string %s", member)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// groupsOfKeys takes for a group what is true, or says more of it. What is false or
// null may mean that somebody is not in it.
func groupsOfKeys(raw json.RawMessage) ([]string, error) {
	object, err := parseClaims(raw)
	if err != nil {
		return nil, fmt.Errorf("they are %s, not an object whose names are the groups", kindOf(raw))
	}
	groups := make([]string, 0, len(object))
	for name, value := range object {
		if string(value) != "true" && value[0] != '{' && value[0] != '[' {
			return nil, fmt.Errorf("one has the value %s, which may mean yes or no", kindOf(value))
		}
		groups = append(groups, name)
	}
	slices.Sort(groups)
	return groups, nil
}

func splitGroups(raw json.RawMessage, separates func(rune) bool) ([]string, error) {
	one, ok := stringOf(raw)
	if !ok {
		groups, err := groupsOfStrings(raw)
		if err == nil && slices.ContainsFunc(groups, func(g string) bool { return strings.ContainsFunc(g, separates) }) {
			err = errors.New("they are a list, and one has the separator")
		}
		return groups, err
	}
	var groups []string
	for _, g := range strings.FieldsFunc(one, separates) {
		if g = strings.TrimSpace(g); g != "" {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// cureOf is what to write for groups of another shape, or "".
func cureOf(raw json.RawMessage) string {
	object, err := parseClaims(raw)
	if err != nil {
		return ""
	}
	for _, member := range []string{GroupsAsNames, GroupsAsIDs} {
		if _, ok := stringOf(object[member]); ok {
			return ": say groups_claim NAME as " + member
		}
	}
	return ": if its names are the groups, say groups_claim NAME as keys"
}
