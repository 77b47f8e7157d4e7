// openid-client against the gateway: each way of authenticating a client, with
// and without pushed requests and bound tokens.
import * as client from 'openid-client'
import { strict as assert } from 'node:assert'
import {
  API, ISSUER, SECRET, checkPerson, goodbye, main, privateKey, redirectURI, refused, scope, signOut, step, visit,
} from './console.mjs'

const discover = async (id, auth) => {
  const config = await client.discovery(new URL(ISSUER), id, undefined, auth, {
    execute: [client.enableNonRepudiationChecks], // signatures of ID tokens, although they come over TLS
  })
  assert.equal(config.serverMetadata().issuer, ISSUER)
  assert.equal(config.serverMetadata().supportsPKCE(), true)
  return config
}

// signIn gets tokens for alice by code with PKCE.
const signIn = async (config, { push, options, ...more }) => {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const parameters = {
    redirect_uri: redirectURI, scope, state, nonce, code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(verifier), max_age: '3600', ...more,
  }
  const to = push
    ? await client.buildAuthorizationUrlWithPAR(config, parameters, options)
    : client.buildAuthorizationUrl(config, parameters)
  assert.equal(to.searchParams.has('request_uri'), !!push)
  const callback = await visit(to.href)
  const tokens = await client.authorizationCodeGrant(
    config, callback,
    { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true, maxAge: 3600 },
    undefined, options,
  )
  checkPerson(tokens.claims())
  return tokens
}

const checkUserinfo = async (config, tokens, subject, options) => {
  checkPerson(await client.fetchUserInfo(config, tokens.access_token, subject, options))
}

const refresh = async (config, tokens, subject, options) => {
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, options)
  assert.notEqual(fresh.refresh_token, tokens.refresh_token)
  assert.notEqual(fresh.access_token, tokens.access_token)
  await checkUserinfo(config, fresh, subject, options)
  const narrow = await client.refreshTokenGrant(config, fresh.refresh_token, { scope: 'openid' }, options)
  assert.equal(narrow.scope, 'openid')
  await refused('invalid_scope', () =>
    client.refreshTokenGrant(config, narrow.refresh_token, { scope: 'openid admin' }, options))
  return narrow
}

const introspect = async (config, tokens, subject) => {
  const access = await client.tokenIntrospection(config, tokens.access_token)
  assert.deepEqual([access.active, access.sub, access.iss], [true, subject, ISSUER])
  const refreshToken = await client.tokenIntrospection(config, tokens.refresh_token, { token_type_hint: 'refresh_token' })
  assert.deepEqual([refreshToken.active, refreshToken.sub], [true, subject])
}

const revoke = async (config, tokens, subject, { confidential, options }) => {
  await client.tokenRevocation(config, tokens.refresh_token)
  await refused('invalid_grant', () => client.refreshTokenGrant(config, tokens.refresh_token, undefined, options))
  await assert.rejects(() => checkUserinfo(config, tokens, subject, options))
  if (confidential) {
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      assert.deepEqual(await client.tokenIntrospection(config, token), { active: false })
    }
  }
}

// boundCode pushes a request with one key and redeems its code with another.
const boundCode = async (config, options) => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const to = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: redirectURI, scope: 'openid', state: expectedState, code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  }, options)
  const callback = await visit(to.href)
  const redeem = (options) =>
    client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState }, undefined, options)
  const other = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
  await refused('invalid_grant', () => redeem(other))
  await refused('invalid_grant', () => redeem(undefined))
  await redeem(options)
}

const everything = async (name, id, auth, { confidential, push, bound }) => {
  step(`${name}: discovery`)
  const config = await discover(id, auth)
  const options = bound ? { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) } : undefined
  step(`${name}: code, PKCE${push ? ', PAR' : ''}${bound ? ', DPoP' : ''}`)
  const tokens = await signIn(config, { push, options })
  assert.equal(tokens.token_type, bound ? 'dpop' : 'bearer')
  const subject = tokens.claims().sub
  step(`${name}: userinfo`)
  await checkUserinfo(config, tokens, subject, options)
  step(`${name}: refresh`)
  const fresh = await refresh(config, tokens, subject, options)
  if (confidential) {
    step(`${name}: introspection`)
    await introspect(config, fresh, subject)
  }
  if (bound) {
    step(`${name}: another key`)
    const other = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
    const next = () => client.refreshTokenGrant(config, fresh.refresh_token, undefined, other)
    // What holds the refresh token of a client that proves itself is its proof,
    // and it may change the key (RFC 9449, section 5).
    await (confidential ? next() : refused('invalid_grant', next))
  }
  step(`${name}: revocation`)
  await revoke(config, fresh, subject, { confidential, options })
  return config
}

main(async () => {
  const config = await everything('client_secret_basic', 'web', client.ClientSecretBasic(SECRET), { confidential: true })
  await everything('client_secret_post', 'web', client.ClientSecretPost(SECRET), { confidential: true, push: true })
  const pair = await privateKey()
  const keyed = await everything('private_key_jwt', 'keyed', client.PrivateKeyJwt(pair), { confidential: true, push: true, bound: true })
  await everything('none', 'spa', client.None(), { push: true, bound: true })

  step('a guarded site opens by a bound token')
  const options = { DPoP: client.getDPoPHandle(keyed, await client.randomDPoPKeyPair('ES256')) }
  const tokens = await signIn(keyed, { push: true, options, resource: API })
  const answer = await client.fetchProtectedResource(keyed, tokens.access_token, new URL(API + '/api?x=1'), 'GET', undefined, undefined, options)
  assert.equal(answer.status, 200)
  assert.match(await answer.text(), /^Remote-User: alice$/m)

  step('a code is bound to the key that its request was pushed with')
  await boundCode(keyed, options)

  step('client credentials')
  const own = await client.clientCredentialsGrant(config, { resource: API })
  assert.deepEqual([own.refresh_token, own.id_token], [undefined, undefined])

  step('refresh tokens that end with the sign-in')
  const wiki = await discover('wiki', client.None())
  const held = await signIn(wiki, {}) // offline_access is asked for, and not given
  assert.deepEqual(held.scope.split(' ').sort(), ['email', 'groups', 'openid', 'profile'])
  const renewed = await client.refreshTokenGrant(wiki, held.refresh_token)
  const away = await signOut(client.buildEndSessionUrl(wiki, {
    id_token_hint: held.id_token, post_logout_redirect_uri: goodbye, state: 'bye',
  }).href)
  assert.equal(away.searchParams.get('state'), 'bye')
  await refused('invalid_grant', () => client.refreshTokenGrant(wiki, renewed.refresh_token))

  step('end session')
  const end = client.buildEndSessionUrl(config, {
    id_token_hint: (await signIn(config, {})).id_token, post_logout_redirect_uri: goodbye, state: 'a state',
  })
  const back = await signOut(end.href)
  assert.equal(back.origin + back.pathname, goodbye)
  assert.equal(back.searchParams.get('state'), 'a state')

  step('nobody is signed in')
  const silent = await visit(client.buildAuthorizationUrl(config, {
    redirect_uri: redirectURI, scope, prompt: 'none', state: 'x', code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
  }).href)
  await refused('login_required', () => client.authorizationCodeGrant(config, silent, { expectedState: 'x' }))
})
