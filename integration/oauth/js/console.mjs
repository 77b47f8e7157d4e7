// What a script shares with the test that runs it: it prints its steps, and
// asks for what only a person with a browser can do.
import { createInterface } from 'node:readline'
import { strict as assert } from 'node:assert'
import { readFile } from 'node:fs/promises'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

const ask = async (what, address) => {
  console.log(`${what} ${address}`)
  return (await lines.next()).value
}

// visit signs in and returns the address that the browser is sent to.
export const visit = async (address) => new URL(await ask('visit', address))

// approve answers a device's question.
export const approve = (address) => ask('approve', address)

// signOut confirms the sign-out and returns where the browser is sent to.
export const signOut = async (address) => new URL(await ask('signout', address))

export const step = (text) => console.log(`step ${text}`)

export const { ISSUER, API, SECRET } = process.env
export const scope = 'openid profile email groups offline_access'
export const redirectURI = 'http://127.0.0.1:4711/callback'
export const goodbye = 'http://127.0.0.1:1/goodbye'

// privateKey is the key of the client "keyed".
export const privateKey = async () => {
  const jwk = JSON.parse(await readFile(process.env.KEY, 'utf8'))
  return {
    kid: jwk.kid,
    key: await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
  }
}

// checkPerson looks at the claims of alice.
export const checkPerson = (claims) => {
  assert.equal(claims.preferred_username, 'alice')
  assert.equal(claims.email, 'alice@example.com')
  assert.equal(claims.email_verified, true)
  assert.deepEqual(claims.groups, ['staff'])
}

// refused runs what must fail with an OAuth error of the given code.
export const refused = async (code, run) => {
  await assert.rejects(run, (err) => {
    assert.equal(err.error, code, `${err}`)
    return true
  })
}

// main runs the script and ends the process.
export const main = async (run) => {
  try {
    await run()
    console.log('done')
    process.exit(0)
  } catch (err) {
    console.error(err, err.cause ?? '')
    process.exit(1)
  }
}
