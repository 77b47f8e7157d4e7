// node-oidc-provider in its default configuration, with its own pages for sign-in and
// consent: an OpenID provider for the gateway. What is not on by default is asked for by
// a third argument: the client's metadata and more of the configuration, as JSON.
import Provider from 'oidc-provider'

const [issuer, secret, redirectURI, more] = process.argv.slice(2)
const { client, ...configuration } = JSON.parse(more || '{}')
const provider = new Provider(issuer, {
  clients: [{ client_id: 'gateway', client_secret: secret || undefined, redirect_uris: [redirectURI], ...client }],
  // Everything here is at a loopback address, which its own fetch refuses.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  ...configuration,
})
provider.on('backchannel.error', (_, error) => console.error('back-channel logout:', error))
provider.listen(Number(new URL(issuer).port), '127.0.0.1', () => console.log('ready'))
