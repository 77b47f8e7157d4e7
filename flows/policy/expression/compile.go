package expression

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// Limits of an expression: its length in code points, how deeply it is nested, and
// what it may cost in units of the library, which are about as long as a comparison.
// So an evaluation takes a few milliseconds at most. The estimate multiplies the most
// that each part may hold, which nobody has at once, and has a limit of its own.
const (
	maxLength   = 4096
	maxDepth    = 50
	maxCost     = 100_000
	maxEstimate = 100 * maxCost
)

// The most that an identity holds, for the estimate of the cost.
const (
	maxGroups    = 1000
	maxClaimSize = 4096 // of a claim as JSON, in bytes
	maxText      = 255
)

// The variables of an expression.
const (
	varUser     = "user"
	varProvider = "provider"
	varGroups   = "groups"
	varClaims   = "claims"
)

// Compiler compiles expressions. Make it by [New]. It is safe for concurrent use.
type Compiler struct {
	env *cel.Env
	// failed is told of each evaluation that fails.
	failed func(source string, c *identity.Claims, err error)
}

// New makes a compiler. failed is told of expressions that cannot be evaluated for
// somebody; the error holds no value of theirs. It may be nil.
func New(failed func(source string, c *identity.Claims, err error)) (*Compiler, error) {
	env, err := cel.NewEnv(
		cel.Variable(varUser, cel.StringType),
		cel.Variable(varProvider, cel.StringType),
		cel.Variable(varGroups, cel.ListType(cel.StringType)),
		cel.Variable(varClaims, cel.MapType(cel.StringType, cel.DynType)),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(maxLength),
		cel.ExtendedValidations(),
	)
	if err != nil {
		return nil, err
	}
	if failed == nil {
		failed = func(string, *identity.Claims, error) {}
	}
	return &Compiler{env: env, failed: failed}, nil
}

// Compile compiles an expression. The error names line and column.
func (c *Compiler) Compile(source string) (policy.Expression, error) {
	checked, issues := c.env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, located(source, issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("%s must be true or false, but is of type %s", quoted(source), checked.OutputType())
	}
	cost, err := c.env.EstimateCost(checked, sizes{})
	if err != nil {
		return nil, fmt.Errorf("%s: its cost cannot be estimated: %w", quoted(source), err)
	}
	if cost.Max > maxEstimate {
		return nil, fmt.Errorf("%s may take too long: up to %d steps for somebody with many groups or claims, and the limit is %d; do not nest all, exists, filter or map", quoted(source), cost.Max, maxEstimate)
	}
	program, err := c.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quoted(source), err)
	}
	return &expression{source: source, program: program, looks: looksOf(checked), compiler: c}, nil
}

// located names the first fault and where it is.
func located(source string, issues *cel.Issues) error {
	faults := issues.Errors()
	if len(faults) == 0 {
		return fmt.Errorf("%s: %w", quoted(source), issues.Err())
	}
	first := faults[0]
	message := strings.ReplaceAll(first.Message, " (in container '')", "")
	if strings.HasPrefix(message, "undeclared reference to") {
		message += "; an expression sees user, provider, groups and claims"
	}
	if strings.HasPrefix(message, "Syntax error: token recognition error at: '= '") {
		message += "; values are compared by =="
	}
	// The library counts columns from nought.
	return fmt.Errorf("%s, line %d, column %d: %s", quoted(source), max(1, first.Location.Line()), first.Location.Column()+1, message)
}

func quoted(source string) string {
	const shown = 60
	if text := []rune(source); len(text) > shown {
		source = string(text[:shown]) + "…"
	}
	return "`" + source + "`"
}

// sizes are the most that the variables hold.
type sizes struct{}

// EstimateSize implements [checker.CostEstimator].
func (sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	path := element.Path()
	if len(path) == 0 {
		return nil
	}
	limit := uint64(maxText)
	switch {
	case path[0] == varGroups && len(path) == 1:
		limit = maxGroups
	case path[0] == varClaims && len(path) == 1:
		limit = 64
	case path[0] == varClaims:
		limit = maxClaimSize
	}
	return &checker.SizeEstimate{Min: 0, Max: limit}
}

// EstimateCallCost implements [checker.CostEstimator].
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// errNoBool is an expression whose value is neither true nor false.
var errNoBool = errors.New("its value is neither true nor false")
