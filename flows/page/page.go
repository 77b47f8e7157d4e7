// Package page renders what people see: sign-in, choice of provider, sign-out,
// consent, device verification and errors. The pages work without JavaScript,
// on a phone, in the dark and with a screen reader; each carries its own
// Content-Security-Policy and Cache-Control: no-store.
package page

// Names of the form fields that people fill in, and the values of FieldDecision.
const (
	FieldUsername = "username"
	FieldPassword = "password"
	FieldUserCode = "user_code" // any case, with or without a dash
	FieldSession  = "session"   // the ID of the session to end
	FieldIdentity = "identity"  // the ID of the identity to disconnect
	FieldClient   = "client"    // the ID of the application to withdraw consent from
	FieldAllow    = "allow"     // the ID of the delegation to allow
	FieldForbid   = "forbid"    // the ID of the delegation to forbid
	FieldDecision = "decision"

	Approve = "approve"
	Refuse  = "refuse"
)

// Field is a hidden form field. One of more than 8 KiB is left out.
type Field struct{ Name, Value string }

// SignIn is the sign-in page: a form for user name and password when there is
// a password provider, and a button for each provider to be redirected to.
type SignIn struct {
	// Site is what the person is about to enter, a host name.
	Site string
	// Action is where the password form is posted to; "" shows no form.
	Action string
	// AddressAction is where an e-mail address is posted to, as the field "address",
	// which leads to a provider; "" shows no such form.
	AddressAction string
	// Fields are the hidden fields of both forms.
	Fields []Field
	// Username as entered before, to be shown again.
	Username string
	// Message is what went wrong, in plain words; "" if nothing.
	Message string
	// Providers that the browser can be sent to.
	Providers []ProviderLink
}

// ProviderLink is a button to one provider.
type ProviderLink struct {
	Name  string // of the block
	Title string // for people
	URL   string
	// Icon is "google", "github", or anything else for a key; by default Name.
	Icon string
	// Last reports whether it is the one that the browser signed in by last.
	Last bool
}

// Fault is a page that says what went wrong and what to do next.
type Fault struct {
	Title string
	// Message is what happened and why, in plain words. It never holds what
	// the request or a provider said, unless escaped and bounded.
	Message string
	// Detail is a technical word for an administrator, such as an error code.
	Detail string
	// RetryURL and RetryLabel are the way on; "" shows none.
	RetryURL, RetryLabel string
	// User who is signed in, if that matters ("you are signed in as …").
	User string
	// SignOutURL to change the account; "" shows none.
	SignOutURL string
	// SupportID finds the case in the log.
	SupportID string
}

// SignOut asks whether to sign out; only the form's POST acts.
type SignOut struct {
	Site   string
	User   string
	Action string
	Fields []Field
	// Everywhere tells that it ends the sign-in at every site, not only here.
	Everywhere bool
}

// Framed stands in a frame where a sign-in would: it opens that in a tab of its own.
type Framed struct {
	Site string
	URL  string
}

// SignedOut says that the session has ended and offers to sign in again.
type SignedOut struct {
	Site string
	// NotIn reports whether nobody has signed out: the page is that of somebody who is
	// not signed in.
	NotIn     bool
	SignInURL string
}

// Link asks whether an account of a provider is to be connected.
type Link struct {
	// Provider, as people know it.
	Provider string
	// Site that wants it; "" if none does.
	Site string
	User string
	// Scopes that the provider will be asked for besides, in its own words.
	Scopes []string
	// Action is where the form is posted to, CancelURL leads away.
	Action    string
	CancelURL string
	Fields    []Field
}

// Known asks somebody who is new here whether they have an account already. It does not
// say whether their address is known.
type Known struct {
	// Provider by which they came, as people know it.
	Provider string
	// LinkURL leads to where the two are connected, NewURL to an account of their own.
	LinkURL, NewURL string
}

// Consent asks whether a client may have what it asks for.
type Consent struct {
	Client string
	// ClientHost is where the answer goes.
	ClientHost string
	User       string
	// SelfRegistered: all that is known of the client is its own word.
	SelfRegistered bool
	// PublishedAt is the host of the document in which the client says who it is; "" if
	// it has none.
	PublishedAt string
	// OnDevice: the answer goes to a program of the person's own device, and any program
	// there could be it.
	OnDevice bool
	// Scopes in plain words.
	Scopes []string
	// Action is where the form is posted to; FieldDecision is Approve or Refuse.
	Action string
	Fields []Field
}
