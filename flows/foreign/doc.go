// Package foreign authenticates programs by tokens that another issuer has issued for
// what this gateway guards: a provider whose block accepts them. Each token is verified,
// or its provider asked about it, once. Then it is served from memory.
package foreign
