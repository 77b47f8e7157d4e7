// A client of an MCP server that knows the server's URL and nothing else. It says where its
// user is to sign in, and takes from its input the address that the browser came back to.
import { createInterface } from 'node:readline';

const [sdk, url] = process.argv.slice(2);
const { Client } = await import(`${sdk}/client/index.js`);
const { StreamableHTTPClientTransport } = await import(`${sdk}/client/streamableHttp.js`);
const { UnauthorizedError } = await import(`${sdk}/client/auth.js`);

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await input.next()).value;
const say = (...words) => console.log(words.join(' '));

const kept = {};
const redirectUrl = 'http://localhost:33418/callback';
const provider = {
	redirectUrl,
	clientMetadata: {
		client_name: 'Example agent', redirect_uris: [redirectUrl], response_types: ['code'],
		grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none',
	},
	clientInformation: () => kept.client,
	saveClientInformation: (client) => { kept.client = client; },
	tokens: () => kept.tokens,
	saveTokens: (tokens) => {
		kept.tokens = tokens;
		say('learn', tokens.access_token);
		say('learn', tokens.refresh_token);
	},
	codeVerifier: () => kept.verifier,
	saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
	redirectToAuthorization: (address) => say('visit', address.href),
	invalidateCredentials: (what) => {
		if (what === 'all' || what === 'tokens') delete kept.tokens;
		if (what === 'all' || what === 'client') delete kept.client;
	},
};

async function connect() {
	const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
	const client = new Client({ name: 'example', version: '1.0.0' });
	try {
		await client.connect(transport);
		return client;
	} catch (error) {
		if (!(error instanceof UnauthorizedError)) throw error;
		await transport.finishAuth(new URL(await next()).searchParams.get('code'));
		return connect();
	}
}

for (let command = await next(); command; command = await next()) {
	try {
		if (command === 'expire') { // as a server sees a token that is good no longer
			const parts = kept.tokens.access_token.split('.');
			kept.tokens = { ...kept.tokens, access_token: [...parts.slice(0, 2), 'A'.repeat(86)].join('.') };
		}
		const before = kept.tokens?.refresh_token;
		const client = await connect();
		const answer = await client.callTool({ name: 'greet', arguments: { name: 'agent' } });
		say('answer', answer.content[0].text, '| refreshed', before !== undefined && before !== kept.tokens.refresh_token, '| scope', kept.tokens.scope);
		await client.close();
	} catch (error) {
		say('failed', String(error?.stack ?? error).replaceAll('\n', ' '));
	}
}
