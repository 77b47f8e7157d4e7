// Package expression compiles and evaluates the expressions of policies, in the
// Common Expression Language (https://cel.dev). An expression sees who somebody is,
// and nothing of the request:
//
//	user      string             what policies call the user
//	provider  string             the name of the provider's block
//	groups    list of strings
//	claims    map                the further claims that the provider's block keeps
//
// It must be true or false. What it may cost is bounded when it is compiled and when
// it is evaluated.
//
// The package stands apart because its library takes long to build.
package expression
