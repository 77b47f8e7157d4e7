// A browser-based client that uses oauth4webapi, which checks every answer as
// strictly as the standards allow: pushed requests, PKCE, and tokens bound to a
// key that the page holds.
import * as oauth from '/oauth4webapi.js'

const redirectURI = location.origin + '/strict/callback'
const client = { client_id: 'strict' }
const auth = oauth.None()
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }

const discover = async (issuer) =>
  oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer)))

const bound = async ({ publicKey, privateKey }) => ({
  DPoP: oauth.DPoP(client, {
    publicKey: await crypto.subtle.importKey('jwk', publicKey, algorithm, true, ['verify']),
    privateKey: await crypto.subtle.importKey('jwk', privateKey, algorithm, false, ['sign']),
  }),
})

// begin leaves for the issuer.
globalThis.begin = async (issuer) => {
  const as = await discover(issuer)
  const pair = await oauth.generateKeyPair('ES256', { extractable: true })
  const attempt = {
    issuer,
    verifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    publicKey: await crypto.subtle.exportKey('jwk', pair.publicKey),
    privateKey: await crypto.subtle.exportKey('jwk', pair.privateKey),
  }
  sessionStorage.setItem('attempt', JSON.stringify(attempt))
  const pushed = await oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, auth, {
    response_type: 'code', redirect_uri: redirectURI, scope: 'openid email offline_access', state: attempt.state, nonce: attempt.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier), code_challenge_method: 'S256',
  }, await bound(attempt)))
  const to = new URL(as.authorization_endpoint)
  to.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri })
  location.assign(to)
}

const finish = async () => {
  const attempt = JSON.parse(sessionStorage.getItem('attempt'))
  const as = await discover(attempt.issuer)
  const options = await bound(attempt)
  const parameters = oauth.validateAuthResponse(as, client, new URL(location), attempt.state)
  const answer = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, redirectURI, attempt.verifier, options)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: attempt.nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, answer)
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  const person = await oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token, options))
  const fresh = await oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options))
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, fresh.refresh_token))
  const error = await oauth.refreshTokenGrantRequest(as, client, auth, fresh.refresh_token, options)
    .then((answer) => oauth.processRefreshTokenResponse(as, client, answer)).then(() => 'none', (err) => err.error)
  const challenge = await oauth.userInfoRequest(as, client, fresh.access_token, options)
    .then((answer) => oauth.processUserInfoResponse(as, client, sub, answer)).then(() => 'none', (err) => err.cause[0].scheme)
  return { email: person.email, type: tokens.token_type, error, challenge, secrets: [tokens, fresh].flatMap((t) => [t.access_token, t.refresh_token, t.id_token]) }
}

globalThis.result = location.pathname.endsWith('/callback') ? finish() : undefined
addEventListener('load', async () => {
  await globalThis.result?.catch(() => {})
  document.body.append(Object.assign(document.createElement('p'), { id: 'done', textContent: 'done' }))
})
