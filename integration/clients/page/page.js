// A single-page application as oidc-client-ts has it: it leaves to sign in, renews in a
// hidden frame, and leaves to sign out.
const settings = JSON.parse(localStorage.getItem('settings') ?? '{}')
const manager = () => new oidc.UserManager({
  authority: settings.issuer, client_id: 'page', scope: 'openid profile email', response_mode: settings.mode,
  redirect_uri: location.origin + '/callback', silent_redirect_uri: location.origin + '/silent',
  post_logout_redirect_uri: location.origin + '/goodbye', automaticSilentRenew: false,
  ...(settings.dpop ? { dpop: { bind_authorization_code: true, store: new oidc.IndexedDbDPoPStore() } } : {}),
})

// configure is called before the first visit.
globalThis.configure = async (issuer, dpop, mode) =>
  localStorage.setItem('settings', JSON.stringify({ issuer, dpop, mode }))

globalThis.begin = async () => { await manager().signinRedirect() }

globalThis.silent = async () => {
  try {
    const before = await manager().getUser()
    const user = await manager().signinSilent()
    return { email: user.profile.email, type: user.token_type, renewed: user.access_token !== before?.access_token, error: '' }
  } catch (err) {
    return { email: '', type: '', renewed: false, error: err.error ?? String(err) }
  }
}

globalThis.leave = async () => { await manager().signoutRedirect() }

const done = (text) => {
  const said = document.createElement('p')
  said.id = 'done'
  said.className = location.pathname.slice(1) || 'start'
  said.textContent = text
  document.documentElement.append(said)
}

const arrived = async () => {
  switch (location.pathname) {
    case '/callback':
      return (await manager().signinRedirectCallback()).profile.email
    case '/silent':
      return manager().signinSilentCallback()
    case '/goodbye':
      await manager().signoutRedirectCallback()
      return 'goodbye'
  }
  return 'ready'
}

arrived().then(done, (err) => done(`${err.stack ?? err}`))
