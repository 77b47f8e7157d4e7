package page

import "time"

// Home shows a person who they are here and where they are signed in.
type Home struct {
	// User who is signed in.
	User string
	// Sessions of theirs, the newest first. At most [MaxListed] are shown.
	Sessions []Session
	// Applications that the person allowed something. At most [MaxListed] are shown.
	Applications []Application
	// Agents that registered themselves, and that the person let in. At most [MaxListed]
	// are shown.
	Agents []Agent
	// Identities by which the person can sign in, and Linkable providers that could
	// be added. At most [MaxListed] are shown of each.
	Identities []Identity
	Linkable   []ProviderLink
	// Delegations are the programs that may act for the person while they are away, or
	// could. At most [MaxListed] are shown.
	Delegations []Delegation
	// What else there is of each.
	MoreApplications, MoreAgents, MoreIdentities, MoreLinkable, MoreDelegations More
	// Action is where the buttons post to: FieldIdentity is an identity's ID, FieldSession is a session's ID,
	// FieldClient an application's or agent's, FieldAllow and FieldForbid a delegation's.
	Action string
	Fields []Field
	// SignOutURL leads to the question whether to sign out; "" shows none.
	SignOutURL string
	// MoreURL leads to older sessions; "" shows none.
	MoreURL string
	// Message is what just happened ("Signed out of app.example.com.").
	Message string
}

// MaxListed is how many of a list are shown at most.
const MaxListed = maxItems

// More leads to the rest of a list.
type More struct {
	// URL of the page with it; "" shows nothing.
	URL string
	// Count is how many there are.
	Count int
}

// Session is one place where a person is signed in.
type Session struct {
	ID string
	// Site or client, in plain words.
	Site string
	// UserAgent as sent by the browser; shown in plain words.
	UserAgent string
	Since     time.Time
	LastSeen  time.Time
	// Current is the one that asks; it has no revoke button, signing out ends it.
	Current bool
}

// Application is a program that a person allowed something.
type Application struct {
	// ID of the client.
	ID string
	// Title for people.
	Title string
	// Scopes in plain words.
	Scopes []string
}

// Agent is a program that registered itself, and that a person let in.
type Agent struct {
	// ID of the client.
	ID string
	// Name that it gave itself, and Host where its answers go.
	Name, Host string
	// Resources that it may call, in plain words.
	Resources       []string
	Since, LastUsed time.Time
}

// Identity is an account of a provider that a person can sign in with.
type Identity struct {
	ID       string
	Provider string // as people know it
	// Current is the one that the person came by.
	Current bool
	// Removable ones have a button.
	Removable bool
}

// Delegation is a program that uses a person's account at a provider while they are
// away, if they or the administrator allowed it.
type Delegation struct {
	ID       string
	Client   string // as people know it
	Provider string
	Allowed  bool
	// ByPolicy: a policy of the administrator decides, which allows it now if Allowed
	// and may later if not. The person can forbid it in either case.
	ByPolicy bool
	// Barred: the rules keep the client from it now, whatever the person said.
	Barred          bool
	Since, LastUsed time.Time
}

type homeView struct {
	Home
	Sessions    []sessionView
	Agents      []agentView
	Delegations []delegationView
}

type agentView struct {
	ID, Name, Host  string
	Resources       []string
	Since, LastUsed moment
}

// maxAgent is the longest ID of an [Agent], which may hold its registration.
const maxAgent = 1024

type delegationView struct {
	ID, Client, Provider string
	Allowed, ByPolicy    bool
	Barred               bool
	Since, LastUsed      moment
}

type sessionView struct {
	ID, Site, Browser string
	Since, LastSeen   moment
	Current           bool
}

// maxDelegation is the longest ID of a [Delegation]: a client's, and a provider's issuer.
const maxDelegation = 2400

func (p Home) bounded(now func() time.Time) homeView {
	p.User = line(p.User, maxName)
	p.Action = address(p.Action)
	p.Fields = whole(p.Fields)
	p.SignOutURL = address(p.SignOutURL)
	p.MoreURL = address(p.MoreURL)
	p.Message = line(p.Message, maxText)
	for _, more := range []*More{&p.MoreApplications, &p.MoreAgents, &p.MoreIdentities, &p.MoreLinkable, &p.MoreDelegations} {
		more.URL = address(more.URL)
	}
	if len(p.Sessions) > maxItems {
		p.Sessions = p.Sessions[:maxItems]
	}
	if len(p.Applications) > maxItems {
		p.Applications = p.Applications[:maxItems]
	}
	applications := make([]Application, 0, len(p.Applications))
	for _, a := range p.Applications {
		if len(a.ID) > maxLine {
			continue
		}
		a.ID, a.Title = entered(a.ID, maxLine), line(a.Title, maxName)
		a.Scopes = lines(a.Scopes, maxName)
		applications = append(applications, a)
	}
	p.Applications = applications
	identities := make([]Identity, 0, min(len(p.Identities), maxItems))
	for _, i := range p.Identities[:min(len(p.Identities), maxItems)] {
		i.ID, i.Provider = entered(i.ID, maxLine), line(i.Provider, maxName)
		identities = append(identities, i)
	}
	p.Identities = identities
	links := make([]ProviderLink, 0, min(len(p.Linkable), maxItems))
	for _, l := range p.Linkable[:min(len(p.Linkable), maxItems)] {
		l.Name, l.Title, l.URL = line(l.Name, maxName), line(l.Title, maxName), address(l.URL)
		links = append(links, l)
	}
	p.Linkable = links
	v := homeView{Home: p}
	for _, a := range p.Agents[:min(len(p.Agents), maxItems)] {
		if len(a.ID) > maxAgent {
			a.ID = "" // half an ID could name another
		}
		v.Agents = append(v.Agents, agentView{
			ID: entered(a.ID, maxAgent), Name: line(a.Name, maxName), Host: line(a.Host, maxHost), Resources: lines(a.Resources, maxLine),
			Since: momentOf(a.Since, now), LastUsed: momentOf(a.LastUsed, now),
		})
	}
	for _, d := range p.Delegations[:min(len(p.Delegations), maxItems)] {
		if len(d.ID) > maxDelegation {
			d.ID = "" // half an ID could name another
		}
		v.Delegations = append(v.Delegations, delegationView{
			ID: entered(d.ID, maxDelegation), Client: line(d.Client, maxName), Provider: line(d.Provider, maxName),
			Allowed: d.Allowed, ByPolicy: d.ByPolicy, Barred: d.Barred, Since: momentOf(d.Since, now), LastUsed: momentOf(d.LastUsed, now),
		})
	}
	for _, s := range p.Sessions {
		id := s.ID
		if len(id) > maxLine {
			id = "" // a button with half an ID could name another session
		}
		v.Sessions = append(v.Sessions, sessionView{
			ID: entered(id, maxLine), Site: line(s.Site, maxHost), Browser: Browser(s.UserAgent),
			Since: momentOf(s.Since, now), LastSeen: momentOf(s.LastSeen, now), Current: s.Current,
		})
	}
	return v
}
