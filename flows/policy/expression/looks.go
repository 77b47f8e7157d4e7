package expression

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// looksOf are the claims that an expression looks at. A claim is named by
// claims.NAME, has(claims.NAME), claims["NAME"] or "NAME" in claims; wherever else
// the map stands, any may be meant.
func looksOf(checked *cel.Ast) (l policy.Looks) {
	var whole, named int
	name := func(claim string) {
		named++
		if !slices.Contains(l.Claims, claim) {
			l.Claims = append(l.Claims, claim)
		}
	}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			switch e.AsIdent() {
			case varUser:
				l.User = true
			case varGroups:
				l.Groups = true
			case varClaims:
				whole++
			}
		case ast.SelectKind:
			if isClaims(e.AsSelect().Operand()) {
				name(e.AsSelect().FieldName())
			}
		case ast.CallKind:
			if claim, ok := claimOfCall(e.AsCall()); ok {
				name(claim)
			}
		default: // holds no name by itself
		}
	}))
	l.AllClaims = whole > named
	return l
}

func isClaims(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == varClaims }

// claimOfCall is the claim that an index, or a test for a key, names.
func claimOfCall(c ast.CallExpr) (string, bool) {
	if len(c.Args()) != 2 {
		return "", false
	}
	claims, key := c.Args()[0], c.Args()[1]
	switch c.FunctionName() {
	case operators.Index:
	case operators.In:
		claims, key = key, claims
	default:
		return "", false
	}
	if !isClaims(claims) || key.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := key.AsLiteral().(types.String)
	return string(text), ok
}
