// oauth4webapi's device grant, polled as its documentation shows.
import * as oauth from 'oauth4webapi'

const issuer = new URL(process.env.ISSUER)
const insecure = { [oauth.allowInsecureRequests]: true }
const as = await oauth.processDiscoveryResponse(issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
const client = { client_id: 'cli' }
const device = await oauth.processDeviceAuthorizationResponse(as, client,
  await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { scope: 'openid' }, insecure))
console.log(device.verification_uri_complete)
let { interval } = device
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, interval * 1000))
  const response = await oauth.deviceCodeGrantRequest(as, client, oauth.None(), device.device_code, insecure)
  try {
    const tokens = await oauth.processDeviceCodeResponse(as, client, response)
    console.log('signed in', oauth.getValidatedIdTokenClaims(tokens).sub)
    break
  } catch (err) {
    if (err.error === 'slow_down') interval += 5
    else if (err.error !== 'authorization_pending') throw err
  }
}
