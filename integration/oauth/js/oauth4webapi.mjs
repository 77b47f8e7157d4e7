// oauth4webapi against the gateway: every answer is checked as strictly as the
// standards allow.
import * as oauth from 'oauth4webapi'
import { strict as assert } from 'node:assert'
import {
  API, ISSUER, SECRET, approve, checkPerson, goodbye, main, privateKey, redirectURI, refused, scope, signOut, step, visit,
} from './console.mjs'

const discover = async (algorithm) => {
  const issuer = new URL(ISSUER)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }))
}

// signIn pushes a request and redeems its code.
const signIn = async (as, client, auth, options, resources = []) => {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const request = new URLSearchParams({
    response_type: 'code', redirect_uri: redirectURI, scope, state, nonce, code_challenge_method: 'S256',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  })
  for (const resource of resources) request.append('resource', resource)
  const pushed = await oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, auth, request, options))
  const to = new URL(as.authorization_endpoint)
  to.searchParams.set('client_id', client.client_id)
  to.searchParams.set('request_uri', pushed.request_uri)
  const parameters = oauth.validateAuthResponse(as, client, await visit(to.href), state)
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, redirectURI, verifier, options)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, response)
  return tokens
}

const userinfo = async (as, client, tokens, subject, options) =>
  checkPerson(await oauth.processUserInfoResponse(as, client, subject, await oauth.userInfoRequest(as, client, tokens.access_token, options)))

const refresh = async (as, client, auth, tokens, options) =>
  oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options))

const introspect = async (as, client, auth, token) =>
  oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, token))

const revoke = async (as, client, auth, token) =>
  oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token))

// checkAccessToken judges an access token as RFC 9068 and RFC 9449 have a
// resource server do.
const checkAccessToken = async (as, tokens, dpop) => {
  const headers = { authorization: `${dpop ? 'DPoP' : 'Bearer'} ${tokens.access_token}` }
  const url = API + '/api'
  if (dpop) {
    const recorder = new Headers()
    await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(url), undefined, undefined, {
      DPoP: dpop,
      [oauth.customFetch]: async (_, { headers }) => {
        recorder.set('dpop', headers.dpop ?? new Headers(headers).get('dpop'))
        return new Response()
      },
    })
    headers.dpop = recorder.get('dpop')
  }
  const claims = await oauth.validateJwtAccessToken(as, new Request(url, { headers }), API, { requireDPoP: !!dpop })
  assert.equal(claims.iss, ISSUER)
  assert.ok(claims.sub && claims.client_id && claims.jti && claims.iat && claims.exp)
  return claims
}

const poll = async (as, client, device) => {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, device.interval * 1000))
    const response = await oauth.deviceCodeGrantRequest(as, client, oauth.None(), device.device_code)
    try {
      return await oauth.processDeviceCodeResponse(as, client, response)
    } catch (err) {
      if (err.error !== 'authorization_pending') throw err
    }
  }
}

const deviceFlow = async (as) => {
  const client = { client_id: 'cli' }
  step('device grant')
  const device = await oauth.processDeviceAuthorizationResponse(as, client,
    await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { scope: 'openid offline_access' }))
  assert.match(device.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  const early = await oauth.deviceCodeGrantRequest(as, client, oauth.None(), device.device_code)
  await refused('authorization_pending', () => oauth.processDeviceCodeResponse(as, client, early))
  await approve(device.verification_uri_complete)
  const tokens = await poll(as, client, device)
  assert.ok(oauth.getValidatedIdTokenClaims(tokens).sub)
  step('device: refresh and revocation')
  const fresh = await refresh(as, client, oauth.None(), tokens)
  await revoke(as, client, oauth.None(), fresh.refresh_token)
  await refused('invalid_grant', () => refresh(as, client, oauth.None(), fresh))
}

const codeFlow = async (as, client, auth, { bound, confidential }) => {
  const name = client.client_id
  const options = bound ? { DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) } : {}
  step(`${name}: PAR, PKCE, code${bound ? ', DPoP' : ''}`)
  const tokens = await signIn(as, client, auth, options, [API, ISSUER]) // userinfo is the issuer's
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  step(`${name}: the access token's form`)
  assert.equal((await checkAccessToken(as, tokens, options.DPoP)).sub, sub)
  step(`${name}: userinfo`)
  await userinfo(as, client, tokens, sub, options)
  step(`${name}: the guarded site`)
  const answer = await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(API + '/api'), undefined, undefined, options)
  assert.equal(answer.status, 200)
  step(`${name}: refresh, rotation, a lost answer`)
  const fresh = await refresh(as, client, auth, tokens, options)
  const retried = await refresh(as, client, auth, tokens, options)
  assert.notEqual(fresh.refresh_token, tokens.refresh_token)
  assert.equal(retried.refresh_token, fresh.refresh_token)
  if (confidential) {
    step(`${name}: introspection`)
    assert.equal((await introspect(as, client, auth, fresh.access_token)).active, true)
    assert.equal((await introspect(as, client, auth, fresh.refresh_token)).active, true)
    assert.equal((await introspect(as, client, auth, tokens.refresh_token)).active, false)
  }
  step(`${name}: revocation`)
  await revoke(as, client, auth, fresh.access_token)
  await refused('invalid_grant', () => refresh(as, client, auth, fresh, options))
  if (confidential) assert.deepEqual(await introspect(as, client, auth, fresh.access_token), { active: false })
  return tokens
}

main(async () => {
  step('discovery')
  const as = await discover('oauth2')
  assert.deepEqual(await discover('oidc'), as)

  const site = new URL(API)
  const resource = await oauth.processResourceDiscoveryResponse(site, await oauth.resourceDiscoveryRequest(site))
  assert.deepEqual(resource.authorization_servers, [ISSUER])

  await codeFlow(as, { client_id: 'web' }, oauth.ClientSecretBasic(SECRET), { confidential: true })
  await codeFlow(as, { client_id: 'keyed' }, oauth.PrivateKeyJwt(await privateKey()), { confidential: true, bound: true })
  const tokens = await codeFlow(as, { client_id: 'spa' }, oauth.None(), { bound: true })
  await deviceFlow(as)

  step('end session')
  const end = new URL(as.end_session_endpoint)
  end.searchParams.set('id_token_hint', tokens.id_token)
  end.searchParams.set('post_logout_redirect_uri', goodbye)
  assert.equal((await signOut(end.href)).href, goodbye)
})
