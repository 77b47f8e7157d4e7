// Web applications as the libraries' own examples have them, against the default block
// of a client: each signs people in and says at /me who they are. They are told the
// issuer, their id and their secret, and nothing of what they talk to.
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import OpenIDConnectStrategy from 'passport-openidconnect'
import openidConnect from 'express-openid-connect'
import { Auth } from '@auth/core'
import { Issuer, generators } from 'openid-client'

const { ISSUER, SECRET } = process.env
const origin = (app) => `http://localhost:${process.env[app]}`
const sessions = (name) => session({ name, secret: 'of the application', resave: false, saveUninitialized: false })
const fault = (err, req, res, next) => {
  console.error(err)
  res.status(500).send(String(err.stack ?? err))
}

// openid-client 5, whose clients expect RS256 unless they are told otherwise.
const openidClient5 = async () => {
  const app = express()
  app.use(sessions('openidclient5'))
  const issuer = await Issuer.discover(ISSUER)
  const redirectURI = origin('OPENIDCLIENT5') + '/callback'
  const client = new issuer.Client({ client_id: 'openidclient5', client_secret: SECRET, redirect_uris: [redirectURI], response_types: ['code'] })
  app.get('/login', (req, res) => {
    const verifier = generators.codeVerifier()
    req.session.attempt = { code_verifier: verifier, state: generators.state(), nonce: generators.nonce() }
    const { state, nonce } = req.session.attempt
    res.redirect(client.authorizationUrl({
      scope: 'openid email profile', state, nonce, code_challenge: generators.codeChallenge(verifier), code_challenge_method: 'S256',
    }))
  })
  app.get('/callback', async (req, res, next) => {
    try {
      const tokens = await client.callback(redirectURI, client.callbackParams(req), req.session.attempt)
      const info = await client.userinfo(tokens)
      req.session.user = { ...tokens.claims(), userinfo: info.email }
      req.session.hint = tokens.id_token
      res.redirect('/me')
    } catch (err) {
      next(err)
    }
  })
  app.get('/me', (req, res) => (req.session.user ? res.json(req.session.user) : res.redirect('/login')))
  app.get('/logout', (req, res) => {
    const hint = req.session.hint
    req.session.destroy(() => res.redirect(client.endSessionUrl({ id_token_hint: hint })))
  })
  return app
}

const expressOpenIDConnect = async () => {
  const app = express()
  app.use(openidConnect.auth({
    issuerBaseURL: ISSUER, baseURL: origin('EXPRESSOIDC'), clientID: 'expressoidc', clientSecret: SECRET, secret: 'of the application, long enough to be one',
    authRequired: false, idpLogout: true, authorizationParams: { response_type: 'code' },
  }))
  app.get('/me', openidConnect.requiresAuth(), (req, res) => res.json(req.oidc.user))
  return app
}

const passportOpenIDConnect = async () => {
  const app = express()
  app.use(sessions('passportoidc'))
  const authority = new passport.Passport()
  authority.use(new OpenIDConnectStrategy({
    issuer: ISSUER, authorizationURL: ISSUER + '/authorize', tokenURL: ISSUER + '/token', userInfoURL: ISSUER + '/userinfo',
    clientID: 'passportoidc', clientSecret: SECRET, callbackURL: origin('PASSPORTOIDC') + '/callback', scope: ['profile', 'email'],
  }, (issuer, profile, done) => done(null, profile)))
  authority.serializeUser((user, done) => done(null, user))
  authority.deserializeUser((user, done) => done(null, user))
  app.use(authority.session())
  app.get('/login', authority.authenticate('openidconnect'))
  app.get('/callback', authority.authenticate('openidconnect', { successRedirect: '/me', failWithError: true }))
  app.get('/me', (req, res) => (req.user ? res.json(req.user) : res.redirect('/login')))
  return app
}

const authCore = async () => {
  const app = express()
  const config = {
    basePath: '/auth', trustHost: true, secret: 'of the application',
    providers: [{ id: 'gatehouse', name: 'Gatehouse', type: 'oidc', issuer: ISSUER, clientId: 'authcore', clientSecret: SECRET }],
  }
  app.use('/auth', express.text({ type: '*/*' }), async (req, res, next) => {
    try {
      const answer = await Auth(new Request(origin('AUTHCORE') + req.originalUrl, {
        method: req.method, headers: req.headers, body: req.method === 'POST' ? req.body : undefined,
      }), config)
      for (const [name, value] of answer.headers) {
        if (name !== 'set-cookie') res.setHeader(name, value)
      }
      res.setHeader('set-cookie', answer.headers.getSetCookie())
      res.status(answer.status).send(await answer.text())
    } catch (err) {
      next(err)
    }
  })
  app.get('/me', (req, res) => res.redirect('/auth/session'))
  return app
}

const apps = { OPENIDCLIENT5: openidClient5, EXPRESSOIDC: expressOpenIDConnect, PASSPORTOIDC: passportOpenIDConnect, AUTHCORE: authCore }
for (const [name, make] of Object.entries(apps)) {
  const app = await make()
  app.use(fault)
  await new Promise((resolve) => app.listen(Number(process.env[name]), '127.0.0.1', resolve))
}
console.log('ready')
