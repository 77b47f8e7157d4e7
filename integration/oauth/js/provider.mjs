// node-oidc-provider in its default configuration, with its own pages for sign-in and
// consent: an OpenID provider for the gateway.
import Provider from 'oidc-provider'

const [issuer, secret, redirectURI] = process.argv.slice(2)
const provider = new Provider(issuer, {
  clients: [{ client_id: 'gateway', client_secret: secret, redirect_uris: [redirectURI] }],
})
provider.listen(Number(new URL(issuer).port), '127.0.0.1', () => console.log('ready'))
