package expression

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

type expression struct {
	source   string
	program  cel.Program
	looks    policy.Looks
	compiler *Compiler
}

// Looks implements [policy.Expression].
func (e *expression) Looks() policy.Looks { return e.looks }

// Judge implements [policy.Expression].
func (e *expression) Judge(c *identity.Claims) (bool, error) {
	holds, err := e.evaluate(c)
	if err != nil {
		e.compiler.failed(e.source, c, err)
	}
	return holds, err
}

func (e *expression) evaluate(c *identity.Claims) (bool, error) {
	claims := c.Extra
	if claims == nil {
		claims = map[string]any{}
	}
	groups := c.Groups
	if groups == nil {
		groups = []string{}
	}
	value, _, err := e.program.Eval(map[string]any{varUser: c.User, varProvider: c.Provider, varGroups: groups, varClaims: claims})
	if err != nil {
		return false, fmt.Errorf("evaluating: %w%s", err, e.types(claims))
	}
	holds, ok := value.(types.Bool)
	if !ok {
		return false, errNoBool
	}
	return bool(holds), nil
}

// types says of which types the claims are that the expression names: a number that a
// provider writes as text is the usual cause of a failure.
func (e *expression) types(claims map[string]any) string {
	var said strings.Builder
	for _, name := range e.looks.Claims {
		value, ok := claims[name]
		if !ok {
			continue
		}
		kind := types.DefaultTypeAdapter.NativeToValue(value).Type().TypeName()
		_, _ = fmt.Fprintf(&said, "; claim %s is of type %s", name, kind) // a Builder takes everything
	}
	return said.String()
}

var _ policy.Expression = (*expression)(nil)
