package page

func (p SignIn) bounded() SignIn {
	p.Site = line(p.Site, maxHost)
	p.Action = address(p.Action)
	p.AddressAction = address(p.AddressAction)
	p.Fields = whole(p.Fields)
	p.Username = entered(p.Username, maxLine)
	p.Message = line(p.Message, maxText)
	if len(p.Providers) > maxItems {
		p.Providers = p.Providers[:maxItems]
	}
	links := make([]ProviderLink, 0, len(p.Providers))
	for _, l := range p.Providers {
		if l.Icon == "" {
			l.Icon = l.Name
		}
		l.Name = line(l.Name, maxName)
		if l.Title = line(l.Title, maxName); l.Title == "" {
			l.Title = l.Name
		}
		l.URL = address(l.URL)
		links = append(links, l)
	}
	p.Providers = links
	return p
}

func (p Fault) bounded() Fault {
	p.Title = line(p.Title, maxLine)
	p.Message = line(p.Message, maxText)
	p.Detail = line(p.Detail, maxLine)
	p.RetryURL = address(p.RetryURL)
	p.RetryLabel = line(p.RetryLabel, maxName)
	p.User = line(p.User, maxName)
	p.SignOutURL = address(p.SignOutURL)
	p.SupportID = line(p.SupportID, maxName)
	return p
}

func (p Framed) bounded() Framed {
	p.Site = line(p.Site, maxHost)
	p.URL = address(p.URL)
	return p
}

func (p SignOut) bounded() SignOut {
	p.Site = line(p.Site, maxHost)
	p.User = line(p.User, maxName)
	p.Action = address(p.Action)
	p.Fields = whole(p.Fields)
	return p
}

func (p SignedOut) bounded() SignedOut {
	p.Site = line(p.Site, maxHost)
	p.SignInURL = address(p.SignInURL)
	return p
}

func (p Known) bounded() Known {
	p.Provider = line(p.Provider, maxName)
	p.LinkURL, p.NewURL = address(p.LinkURL), address(p.NewURL)
	return p
}

func (p Link) bounded() Link {
	p.Provider = line(p.Provider, maxName)
	p.Site = line(p.Site, maxHost)
	p.User = line(p.User, maxName)
	p.Scopes = lines(p.Scopes, maxLine)
	p.Action, p.CancelURL = address(p.Action), address(p.CancelURL)
	p.Fields = whole(p.Fields)
	return p
}

func (p Consent) bounded() Consent {
	p.Client = line(p.Client, maxName)
	p.ClientHost = line(p.ClientHost, maxHost)
	p.PublishedAt = line(p.PublishedAt, maxHost)
	p.User = line(p.User, maxName)
	p.Scopes = lines(p.Scopes, maxLine)
	p.Action = address(p.Action)
	p.Fields = whole(p.Fields)
	return p
}
