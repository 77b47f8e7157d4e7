// openid-client's device grant, which polls by itself.
import * as client from 'openid-client'

const config = await client.discovery(new URL(process.env.ISSUER), 'cli', undefined, client.None(), {
  execute: [client.allowInsecureRequests],
})
const device = await client.initiateDeviceAuthorization(config, { scope: 'openid' })
console.log(device.verification_uri_complete)
const tokens = await client.pollDeviceAuthorizationGrant(config, device)
console.log('signed in', tokens.claims().sub)
