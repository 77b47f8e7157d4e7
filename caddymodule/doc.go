// Package caddymodule is everything of Gatehouse that knows Caddy: the app
// "gatehouse" (global options), the guard, the portal, their Caddyfile syntax,
// the admin API, the operator's subcommand and the metrics.
//
// What the modules do is in package flows; this package gives it Caddy's
// configuration, life cycle, logging and storage.
//
// # The global options
//
// Only a provider is required. In a Caddyfile a block opens at the end of a
// line, and each option has a line of its own. The types in this package that
// the options fill ([App], [ProviderConfig], [ClientConfig]) say more of each.
//
//	{
//		gatehouse {
//			issuer      <url>                           # one sign-in for many sites; default: each site its own
//			token_store postgres <url>                  # default: sqlite
//			token_store sqlite [<path>]                 # default: a file in Caddy's data directory
//			cache redis [<url>] {                       # default: memory
//				addresses <host:port…>                  # of Sentinels or a Cluster, in place of the URL
//				master    <name>                        # what the Sentinels call the server
//				cluster
//				username  <name>
//				password  <password>
//				prefix    <prefix>
//			}
//			secret      <secret>                        # may be repeated: the first seals, all open; required with a shared store
//			session {
//				idle       <duration>                   # unused for so long, a session ends; default: 7d
//				lifetime   <duration>                   # at the latest after so long; default: 30d
//				revalidate <duration>                   # checked anew by the store; default and at most: 60s
//				recheck    <duration>                   # asked anew of a provider whose tokens are stored; default: 1h
//			}
//			serve_stale <duration> | off                # how long sessions go on while no store answers; default: 10m; off: only until revalidate
//
//			provider <name> [<type>] [<args…>] {        # types below; default: <name>
//				title <text>                            # on the sign-in page
//				allow anyone | <condition…>             # who may come; needed where anybody can open an account
//				deny  <condition…>
//				hidden                                  # left out of the choice on the sign-in page
//				domains <domain…>                       # who types an address of these there is sent to this provider
//				keep_groups <glob…>                     # of those that no rule names; default: all, up to 16 KiB
//				store_tokens [revoke_displaced] [narrow] # keeps the provider's tokens fresh, for provider_token; narrow: the provider can narrow them, for token exchange
//				client_id      <id>                     # but for local
//				client_secret  <secret>
//				scopes         <scope…>
//				user_claim     <claim>                  # default: the verified e-mail address, else NAME:sub
//				tls_trust_pool <module> …               # as in reverse_proxy: file /etc/ca.pem; not for local
//				# all below, but for local and github:
//				client_auth    basic | post | none | private_key_jwt <file> [<kid>] # default: as the provider's metadata say
//				assertion_audience issuer | token_endpoint # of private_key_jwt; default: issuer
//				auth_params    <name> <value>           # sent with the authorization request; may be repeated
//				prompt         consent | login | select_account # where a sign-in needs none of its own
//				acr_values     <value…>                 # where a client asks for none
//				response_mode  query | form_post        # how the provider answers; default: query
//				par                                     # push authorization requests, though the provider does not require it
//				endpoints {                             # in place of the metadata's
//					authorization | token | jwks | userinfo | revocation | end_session | pushed_authorization | introspection <url>
//					groups <url>                        # oauth2: lists the groups of the person who signs in
//				}
//				sign_out                                # people who sign out here are signed out at the provider, too
//				identity_namespace <name>               # keeps the people of two blocks with one issuer apart
//				internal_url   <url>                    # where the gateway reaches what browsers reach at the issuer's origin
//				insecure_http                           # plain http, in a network that is yours alone
//				groups_claim   <claim> [as name | id | keys | comma_separated | space_separated]
//				userinfo       auto | always | never    # auto: if the ID token lacks what is needed
//				claims         <claim…>                 # additional ones to keep, for rules, headers and tokens
//				access_token_claims <claim…>            # those that only the access token has
//				trust_email    <domain…>                # addresses there count as verified if the provider does not say
//				accept_tokens {                         # its tokens for programs are accepted at sites that name it; client_id may then be left out
//					audience <audience…>                # a token must be for one of these; required
//					workload                            # all its tokens are for programs: Kubernetes, GitHub Actions
//					introspect                          # ask it about tokens that are not JWTs
//				}
//				trust_prompt                            # prompt=login counts as done if the provider does not say auth_time
//				url            <url>                    # github: an Enterprise server, or NAME.ghe.com
//				hosted_domain  <domain>                 # google: the Workspace's primary domain
//				tenant         <id> | organizations | common # entra
//				tenants        <id…>                    # entra: those that may sign in, of several
//				graph          <url>                    # entra: of a national cloud
//				audience       <uri>                    # auth0: of the access token
//				team_id | key_id | key_file <value>     # apple
//				claim_names    <claim>=<member>…        # oauth2: what in the userinfo answer is which claim
//				open                                    # oauth2: anybody can open an account there
//				user <name> <hash> {                    # local; hashes by `caddy hash-password`
//					email  <address>
//					title  <name for people>
//					groups <group…>
//					claim  <name> <value…>              # an additional one
//				}
//			}
//			policy <name> {                             # lines are alternatives, deny wins
//				allow anyone | <condition…>
//				deny  <condition…>
//			}
//			client <id> {                               # an OAuth client; `caddy gatehouse client new` prints one
//				public                                  # without a secret: command lines, single-page apps
//				secret                   <secret or hash>
//				jwks                     <file>         # private_key_jwt
//				title                    <text>
//				first_party                             # no consent page
//				policy                   <name>
//				redirect_uri             <uri…>         # pages of its origins may call the token endpoint (CORS)
//				post_logout_redirect_uri <uri…>
//				response_modes           query | fragment | form_post … # how it may be answered; default: query
//				native_scheme            <scheme…>      # of an app's redirect_uri, without a dot: cursor
//				backchannel_logout_uri   <uri>
//				grants                   authorization_code | refresh_token | client_credentials | device_code …
//				scopes                   <scope…>       # default: openid profile email
//				claims                   <claim…> [scope <scope>] # additional ones of the user's that it gets; may be repeated
//				refresh_tokens           session | offline | always # offline (default): with offline_access, outlives the sign-in; session: ends with it; always: outlives it
//				audience                 <uri>          # of access tokens without a resource; default: the issuer
//				resources                <uri…>         # that it may ask for; default: any guarded site if first_party, or for itself; else none
//				resource_server          <uri…>         # that it is the server of: it may introspect tokens for them
//				refresh_grace            <duration>     # a repeated refresh gets the same answer; default: 30s, at most 1m
//				assertion_audience       issuer | token_endpoint # of private_key_jwt; default: issuer
//				access_token_lifetime    <duration>     # default: 20m
//				id_token_signing_alg     RS256 | ES256 | EdDSA # of ID and logout tokens; default: RS256
//				access_token_signing_alg ES256 | EdDSA | RS256 # default: ES256
//				require                  par | dpop …
//				may_exchange             <provider…>    # people's access tokens of these, by token exchange (RFC 8693)
//				may_act_for              <provider…> [policy <name>] # the same, of people who are away, if they or the policy allow it; needs jwks, without secret
//			}
//			link_by_email <provider…>                   # asks newcomers with a verified address from these whether they have an account already; default: none
//			gate_client  [on | off] {                   # the client of the command gate; default: on
//				may_exchange <provider…>                # for gate token --provider; default: none
//			}
//			client_registration {                       # of clients that nobody has configured, for guards with self_registered; default: none
//				metadata_documents <host…> | any        # whose id is the address of a document about them, at these hosts
//				dynamic                                 # who register at the registration endpoint (RFC 7591)
//			}
//			signing_keys <file>                         # default: made, stored and rotated
//			site         <origin…>                      # guarded sites of another Caddy that the portal serves
//			scope <name> <words> {                      # what people read when a client asks for it: scope files:write "Change your files"
//				implies <scope…>                        # narrower ones, which count as granted with it
//			}
//			headers {                                   # to the applications; default: Remote-User, Remote-Email, Remote-Name, Remote-Groups
//				user | email | name <header name> | off
//				groups     <header name> | off [as json | repeated | separated <character> [refuse]] # default: commas, escaped inside a name
//				groups_size <size>                      # limits the header; groups that do not fit are left out; default: no limit
//				claim      <claim> <header name>        # a claim that the providers' blocks keep; may be repeated
//				assertion  <header name> | off          # a signed JWT for the site alone, good for a minute; default: off
//				id_token   <header name> | off          # the provider's ID token while it is valid; default: off
//				basic_auth <password>                   # Authorization: Basic with the user's name; default: none
//			}
//			pages {                                     # what people see
//				title     <name>                        # at the head of each page; default: Gatehouse
//				logo      <file>                        # SVG, PNG, JPEG, WebP or GIF, at most 32 KiB
//				color     <#rrggbb>                     # of buttons and links; made darker or lighter where it could not be read
//				css       <file>                        # follows the built-in style; at most 32 KiB
//				templates <directory>                   # in place of built-in ones; `caddy gatehouse pages` writes those
//				lang      <language>                    # of these templates; default: en
//				link      <title> <url>                 # at the foot of each page; may be repeated, six with terms and privacy
//				terms     <url>
//				privacy   <url>
//				contact   <address or url>              # where people ask for help
//			}
//		}
//	}
//
// The types of providers are oidc <issuer>, local, github, and those of
// flows/provider/preset: apple, auth0 <issuer>, authelia <issuer>, authentik <issuer>,
// cilogon, discord, egi_checkin [<issuer>], entra [<authority>], gitlab [<issuer>],
// google, indigo_iam <issuer>, keycloak <issuer>, oauth2 <address>, okta <issuer>,
// orcid [<issuer>], pocket_id <issuer> and zitadel <issuer>.
//
// A condition is one of user, email, domain, group, client or provider with one or
// more values, claim with a name and one or more values, or expression with one
// expression of the Common Expression Language about user, provider, groups and
// claims. Those in one line must all hold; the values of one condition, and the
// lines, are alternatives.
//
// # The directives of a site
//
// The guard. The matcher decides who must sign in; all named policies must
// allow, and the block's own rules:
//
//	gatehouse [<matcher>] [<policy…>] {
//		allow anyone | <condition…>
//		deny  <condition…>
//		headers { … }                # as in the global block, for this site
//		self_registered [<scope…>]   # clients that registered themselves may have tokens, for these scopes; see client_registration
//		accept_tokens <provider…>    # whose own tokens for programs are accepted, too
//		require acr <value…> | max_age <duration> | scope <scope…> # how, and how recently, somebody must have signed in; scopes that a token must have
//		resource <path> [<name>]     # tokens are issued for this path alone, such as /mcp; may be repeated; default: the whole site
//		dry_run                      # the rules only log whom they would refuse
//		optional                     # nobody is sent away: people who are not signed in, or not allowed, pass as anonymous
//		cors <origin…>               # whose pages may call this, with the visitor's cookie, and read the responses
//		serve_stale <duration> | off # shorter than the global one, for this site
//		app_credentials basic | bearer | aws4 … | header <name…> # the application's own, with which a program passes as anonymous
//		basic_token                  # an access token may be the password of Basic credentials
//		cookie {                     # the site's session cookie
//			same_site lax | none     # none: also sent with requests of other sites' pages, and in their frames; default: lax
//			cross_site <path…>       # where these may send requests that change something; default: nowhere
//		}
//		idle_ignore <matcher…>       # requests that do not count as use of the session: /api/poll @poll
//		logout_redirect <address…>   # where a sign-out may lead: paths and URLs; links of the site's own pages then act at once
//		clear_site_data              # a sign-out clears the browser's caches and storage of the site
//		hosts <name…>                # for a site without a host name
//		finish_uploads [<duration>]  # an upload may finish after its session has ended; default: no; alone: 10m
//		provider <provider>          # where people are sent who are not signed in; default: they choose
//		provider_token <provider> [service] { # upstream gets Authorization: Bearer with the user's token of the provider; service: with the gateway's own
//			scope <scope…>           # that it must cover, beside the provider's own; asked for when it does not
//		}
//		upgrades <protocol…>         # besides websocket, that a connection may switch to: spdy/3.1
//	}
//
// Forward auth: another proxy asks, on the path /forward_auth, whether a request may
// pass. The matcher and the rules are about the request that the proxy describes:
//
//	gatehouse_forward_auth [<matcher>] [<policy…>] {
//		proxy nginx | apache | haproxy | traefik | envoy | caddy # whose headers describe the request; required
//		hosts <name…>                                   # the sites that the proxy serves; required
//		allow anyone | <condition…>
//		deny  <condition…>
//		dry_run
//		headers { … }
//		provider <provider>
//		provider_token <provider> [service] { … }
//		accept_tokens <provider…>
//		self_registered [<scope…>]
//		require acr <value…> | max_age <duration> | scope <scope…>
//		optional
//		serve_stale <duration> | off
//	}
//
// What the proxy does not pass on is not available: upgrades, finish_uploads, and
// matchers on a body, a TLS connection, an HTTP version, files or variables.
//
// The portal, at the issuer's address:
//
//	gatehouse_portal [<matcher>]
//
// The matcher, behind a guard:
//
//	@name gatehouse group <name…>
//	@name gatehouse scope <name…>
//	@name gatehouse claim <name> <value…>
package caddymodule
