package registration

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// maxDocument is the largest metadata document, in bytes.
const maxDocument = 5 << 10

// CheckDocumentURL judges the URL of a metadata document, which is the client's id: https,
// with a path and without dot segments, fragment, user or password. It is compared as it
// is written, so whatever could be written otherwise is refused. It is an [Error].
func CheckDocumentURL(id string) error {
	u, err := url.Parse(id)
	switch {
	case !IsDocument(id), len(id) > MaxID:
		return invalidMetadata("a client_id that is a URL begins with https:// and has at most %d bytes", MaxID)
	case err != nil, u.Hostname() == "", u.User != nil, strings.Contains(id, "#"), strings.Trim(id, printable) != "":
		return invalidMetadata("a client_id that is a URL has a host, and no user, password or fragment")
	case u.Path == "" || u.Path == "/":
		return invalidMetadata("a client_id that is a URL has a path")
	case strings.ContainsAny(id, "\\<>\"`{}|^"):
		return invalidMetadata("a client_id that is a URL has a character that no URL has")
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // decoded: %2e is a dot
		if segment == "." || segment == ".." {
			return invalidMetadata("a client_id that is a URL has no dot segments")
		}
	}
	return nil
}

// ParseDocument reads the metadata document that was found at a URL. It is an [Error].
func ParseDocument(id string, body []byte) (*Registration, error) {
	var m metadata
	if len(body) > maxDocument {
		return nil, invalidMetadata("it is larger than %d bytes", maxDocument)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, invalidMetadata("it is no JSON object of client metadata")
	}
	switch {
	case m.ID != id:
		return nil, invalidMetadata("its client_id is not the URL that it was found at")
	case m.Secret != nil:
		return nil, invalidMetadata("it holds a secret, which everybody can read")
	case m.AuthMethod != "" && m.AuthMethod != client.MethodNone:
		return nil, invalidMetadata("its token_endpoint_auth_method is not none")
	}
	return m.grant()
}
