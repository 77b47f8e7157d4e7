// A single-page application as oidc-spa has it: one address, tokens in memory, and
// whoever is still signed in found again by a hidden frame on every load.
import { oidcEarlyInit } from '/oidc-spa/entrypoint.mjs'

// The library waits for its frame as long as the network is slow; a busy machine is, too.
Object.defineProperty(navigator, 'connection', { value: { downlink: 1, rtt: 8000 } })

const settings = JSON.parse(localStorage.getItem('settings') ?? 'null')

// configure is called before the first visit.
globalThis.configure = (issuerUri, clientId) =>
  localStorage.setItem('settings', JSON.stringify({ issuerUri, clientId }))

globalThis.userinfo = async (token) => {
  const metadata = await (await fetch(settings.issuerUri + '/.well-known/openid-configuration')).json()
  const answer = await fetch(metadata.userinfo_endpoint, { headers: { Authorization: `Bearer ${token}` } })
  return { status: answer.status, sub: answer.ok ? (await answer.json()).sub : '' }
}

const done = (text) => {
  const said = document.createElement('p')
  said.id = 'done'
  said.className = 'spa'
  said.textContent = text
  document.documentElement.append(said)
}

const undone = () => document.querySelector('#done').remove()

const main = async () => {
  if (settings === null) return 'no settings'
  const { createOidc } = await import('/oidc-spa/core/index.mjs')
  const oidc = await createOidc({ ...settings, BASE_URL: '/' })
  if (!oidc.isUserLoggedIn) {
    globalThis.begin = () => { undone(); oidc.login() }
    return oidc.initializationError?.message ?? 'nobody'
  }
  const current = async () => {
    const { accessToken, hasRefreshToken, decodedIdToken } = await oidc.getTokens()
    return { accessToken, hasRefreshToken, sub: decodedIdToken.sub, name: decodedIdToken.preferred_username }
  }
  globalThis.current = current
  globalThis.renewed = async () => {
    await oidc.renewTokens()
    return current()
  }
  globalThis.leave = () => { undone(); oidc.logout({ redirectTo: 'home' }) }
  return oidc.getDecodedIdToken().preferred_username
}

// In the hidden frame the library hands the answer to the page around it, and that is all.
if (oidcEarlyInit({ BASE_URL: '/' }).shouldLoadApp) {
  main().then(done, (err) => done(`${err.stack ?? err}`))
}
