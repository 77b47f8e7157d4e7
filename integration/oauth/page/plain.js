// A browser-based client without a server of its own: code and PKCE with fetch()
// and nothing else. Whatever the browser keeps from it (CORS) it cannot see.
const redirectURI = location.origin + '/callback'

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)))

const discover = async (issuer) => (await fetch(issuer + '/.well-known/openid-configuration')).json()

// read is all that a page can tell about an answer.
const read = async (response) => {
  const text = await response.text()
  return {
    status: response.status,
    challenge: response.headers.get('WWW-Authenticate') ?? '',
    body: text === '' ? {} : JSON.parse(text),
  }
}

const post = async (endpoint, form) => read(await fetch(endpoint, { method: 'POST', body: new URLSearchParams(form) }))

const userinfo = async (metadata, token) =>
  read(await fetch(metadata.userinfo_endpoint, { headers: { Authorization: `Bearer ${token}` } }))

// begin leaves for the issuer.
const begin = async (issuer, client) => {
  const metadata = await discover(issuer)
  const verifier = random()
  const state = random()
  sessionStorage.setItem('attempt', JSON.stringify({ issuer, client, verifier, state }))
  const to = new URL(metadata.authorization_endpoint)
  to.search = new URLSearchParams({
    response_type: 'code', client_id: client, redirect_uri: redirectURI, scope: 'openid email offline_access', state,
    code_challenge: base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))), code_challenge_method: 'S256',
  })
  location.assign(to)
}

// finish goes through the life of the tokens that the code in the address is for.
const finish = async () => {
  const { issuer, client, verifier, state } = JSON.parse(sessionStorage.getItem('attempt'))
  const query = new URLSearchParams(location.search)
  if (query.get('state') !== state || query.get('iss') !== issuer) throw new Error('the answer is to another request')
  const metadata = await discover(issuer)
  const keys = await (await fetch(metadata.jwks_uri)).json()
  const redemption = { grant_type: 'authorization_code', client_id: client, redirect_uri: redirectURI, code_verifier: verifier }
  const junk = await post(metadata.token_endpoint, { ...redemption, code: 'junk' })
  const stranger = await post(metadata.token_endpoint, { ...redemption, code: query.get('code'), client_id: 'nobody' })
  const tokens = await post(metadata.token_endpoint, { ...redemption, code: query.get('code') })
  const person = await userinfo(metadata, tokens.body.access_token)
  const fresh = await post(metadata.token_endpoint, {
    grant_type: 'refresh_token', client_id: client, refresh_token: tokens.body.refresh_token,
  })
  const revoked = await post(metadata.revocation_endpoint, { client_id: client, token: fresh.body.refresh_token })
  const nobody = await userinfo(metadata, fresh.body.access_token)
  return { keys: keys.keys.length, junk, stranger, tokens, person, fresh, revoked, nobody }
}

// probe tells which endpoints of an issuer this page can talk to.
const probe = async (issuer) => {
  const metadata = await discover(issuer)
  const tries = {
    token: () => post(metadata.token_endpoint, { grant_type: 'authorization_code', client_id: 'page', code: 'junk' }),
    userinfo: () => userinfo(metadata, 'junk'),
    authorize: () => fetch(metadata.authorization_endpoint),
    introspect: () => post(metadata.introspection_endpoint, { token: 'junk' }),
    device: () => post(metadata.device_authorization_endpoint, { client_id: 'page' }),
    home: () => fetch(issuer + '/', { credentials: 'include' }),
  }
  const said = {}
  for (const [name, attempt] of Object.entries(tries)) {
    said[name] = await attempt().then((answer) => String(answer.status), () => 'blocked')
  }
  return said
}

// result is finish's, where there is something to finish.
const result = location.pathname === '/callback' ? finish() : undefined
addEventListener('load', async () => {
  await result?.catch(() => {})
  document.body.append(Object.assign(document.createElement('p'), { id: 'done', textContent: 'done' }))
})
