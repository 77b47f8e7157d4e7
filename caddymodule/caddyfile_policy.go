package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/policy/expression"
)

var ruleConditions = []string{"user", "email", "domain", "group", "claim", "client", "provider", "expression", "anyone"}

// policy parses `policy NAME { allow …; deny … }`.
func (p *globalParser) policy(d *caddyfile.Dispenser) error {
	var name string
	if !d.AllArgs(&name) {
		return d.Err("policy needs one name: policy NAME { allow … }" + unset)
	}
	if _, ok := p.app.Policies[name]; ok {
		return d.Errf("policy %q is defined twice", name)
	}
	if !validName(name) {
		return d.Errf("policy name %q: only lower-case letters, digits, - and _ are possible", name)
	}
	rules := &policy.Policy{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.rule(d, &rules.Allow, &rules.Deny); err != nil {
			return err
		}
	}
	if len(rules.Allow) == 0 {
		return d.Errf("policy %q lets nobody in; add an allow line", name)
	}
	if p.app.Policies == nil {
		p.app.Policies = make(map[string]*policy.Policy)
	}
	p.app.Policies[name] = rules
	return nil
}

// rule parses an allow or deny line. What it means depends on the providers, so
// it is checked when the whole block was read.
func (p *globalParser) rule(d *caddyfile.Dispenser, allow, deny *[]policy.Rule) error {
	line, err := parseRule(d, allow, deny)
	if err != nil {
		return err
	}
	here := *d // the error is about this line
	p.later = append(p.later, func(providers []string) error {
		return line.check(&here, providers)
	})
	return nil
}

// ruleLine is one allow or deny line.
type ruleLine struct {
	rule policy.Rule
	deny bool
}

// check tells what is wrong with a line, and where it is.
func (l ruleLine) check(d *caddyfile.Dispenser, providers []string) error {
	p := policy.Policy{Allow: []policy.Rule{l.rule}}
	if l.deny {
		p = policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: []policy.Rule{l.rule}}
	}
	if err := p.Validate(providers); err != nil {
		return d.WrapErr(err)
	}
	if l.rule.Expression == "" {
		return nil
	}
	compiler, err := expression.New(nil)
	if err == nil {
		_, err = compiler.Compile(l.rule.Expression)
	}
	if err != nil {
		return d.WrapErr(fmt.Errorf("expression %w", err))
	}
	return nil
}

// parseRule parses one line, its first word being the current token.
func parseRule(d *caddyfile.Dispenser, allow, deny *[]policy.Rule) (ruleLine, error) {
	line := ruleLine{deny: d.Val() == "deny"}
	if !line.deny && d.Val() != "allow" {
		return line, d.Errf("unrecognized word %q%s", d.Val(), meant(d.Val(), []string{"allow", "deny"}, globalOptions...))
	}
	var err error
	if line.rule, err = parseConditions(d); err != nil {
		return line, err
	}
	switch {
	case line.deny && line.rule.Anyone:
		return line, d.Err("deny anyone would let nobody in")
	case line.deny:
		*deny = append(*deny, line.rule)
	default:
		*allow = append(*allow, line.rule)
	}
	return line, nil
}

// parseConditions parses `group a b provider c`. A value that is spelt like a
// condition is written in quotes.
func parseConditions(d *caddyfile.Dispenser) (policy.Rule, error) {
	var rule policy.Rule
	word := d.Val()
	if !d.NextArg() {
		return rule, d.Errf("%s needs a condition: anyone, or user, email, domain, group, claim, client, provider or expression with values", word)
	}
	for more := true; more; {
		condition := d.Val()
		if condition == "anyone" {
			if !ruleEmpty(rule) || d.NextArg() {
				return rule, d.Err("anyone stands alone")
			}
			rule.Anyone = true
			return rule, nil
		}
		if !slices.Contains(ruleConditions, condition) {
			return rule, d.Errf("unrecognized condition %q%s", condition, meantCondition(word, condition))
		}
		var values []string
		var err error
		if values, more, err = conditionValues(d, condition); err != nil {
			return rule, err
		}
		if err := setCondition(&rule, condition, values); err != nil {
			return rule, d.WrapErr(err)
		}
	}
	return rule, nil
}

// conditionValues are the values up to the next condition, or the end of the line.
func conditionValues(d *caddyfile.Dispenser, condition string) (values []string, more bool, err error) {
	for more = d.NextArg(); more; more = d.NextArg() {
		isName := condition == "claim" && len(values) == 0
		if !d.Token().Quoted() && slices.Contains(ruleConditions, d.Val()) && !isName {
			break
		}
		err := checkValue(d, condition, d.Val())
		if condition != "expression" {
			err = errors.Join(err, noComma(d, condition))
		}
		if err != nil {
			return nil, false, err
		}
		values = append(values, d.Val())
	}
	if len(values) == 0 {
		return nil, false, missingValue(d, condition)
	}
	return values, more, nil
}

func setCondition(rule *policy.Rule, condition string, values []string) error {
	switch condition {
	case "claim":
		return setClaim(rule, values)
	case "expression":
		if rule.Expression != "" || len(values) != 1 {
			return errors.New("expression takes one value, in quotes or backticks; write a second one in a line of its own, or join them by &&")
		}
		rule.Expression = values[0]
		return nil
	}
	list := map[string]*[]string{
		"user": &rule.User, "email": &rule.Email, "domain": &rule.Domain,
		"group": &rule.Group, "provider": &rule.Provider, "client": &rule.Client,
	}[condition]
	if len(*list) > 0 {
		return fmt.Errorf("%s occurs twice in one line; write its values after one another: %s a b", condition, condition)
	}
	*list = values
	return nil
}

// setClaim sets `claim NAME VALUE…`.
func setClaim(rule *policy.Rule, values []string) error {
	if len(values) < 2 {
		return fmt.Errorf("claim needs a name and at least one value: claim %s VALUE%s", values[0], unset)
	}
	name := values[0]
	if instead := map[string]string{"email": "email", "user": "user", "groups": "group", "group": "group", "provider": "provider"}[name]; instead != "" {
		return fmt.Errorf("claim %s: write the condition %s", name, instead)
	}
	if _, ok := rule.Claim[name]; ok {
		return fmt.Errorf("claim %s occurs twice in one line; write its values after one another: claim %s a b", name, name)
	}
	if rule.Claim == nil {
		rule.Claim = make(map[string][]string)
	}
	rule.Claim[name] = values[1:]
	return nil
}

// meantCondition is [didYouMean] for a line in which the value follows at once.
func meantCondition(word, condition string) string {
	switch {
	case slices.Contains([]string{"all", "any", "everybody", "everyone", "*"}, condition):
		return "; did you mean: " + word + " anyone"
	case strings.Contains(condition, "@"):
		return "; did you mean: " + word + " email " + condition
	case strings.Contains(condition, "."):
		return "; did you mean: " + word + " domain " + condition
	}
	return didYouMean(condition, ruleConditions)
}

func ruleEmpty(r policy.Rule) bool { return r.String() == "" }

// validName reports whether a name can stand in URLs, cookies and logs.
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return name != "" && len(name) <= 64
}
