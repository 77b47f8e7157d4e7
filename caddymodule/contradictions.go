package caddymodule

import "errors"

// checkTogether refuses options of a guard that undo each other.
func (g *Guard) checkTogether() error {
	programs := g.AppCredentials
	switch {
	case g.Optional && g.Require != nil:
		return errors.New("optional lets everybody pass, and require has to ask people again: leave one of them out, or give the paths that require more a guard of their own")
	case g.Optional && g.ProviderToken != "":
		return errors.New("optional lets everybody pass, and provider_token has to send people to the provider: leave one of them out, " +
			"or give the paths that need the token a guard of their own")
	case programs == nil:
		return nil
	case g.Optional:
		return errors.New("app_credentials has no effect with optional, which lets everybody pass")
	case g.Require != nil:
		return errors.New("app_credentials lets programs pass as anonymous, of whom require knows nothing: leave one of them out, " +
			"or give the paths that require more a guard of their own")
	case len(programs.Schemes) > 0 && g.ProviderToken != "":
		return errors.New("app_credentials and provider_token both need Authorization: leave one of them out")
	}
	return nil
}
