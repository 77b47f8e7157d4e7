// Package mcp runs a server of the Model Context Protocol behind the built gateway, with
// real clients that know its URL and nothing else.
package mcp
