package session

import (
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// equalClaims knows every field of the claims, those of the future too.
func TestEqualClaims(t *testing.T) {
	a, b := alice(), alice()
	if !equalClaims(&a, &b) {
		t.Error("equal claims are not equal")
	}
	for i := range reflect.TypeFor[identity.Claims]().NumField() {
		name := reflect.TypeFor[identity.Claims]().Field(i).Name
		changed := alice()
		field := reflect.ValueOf(&changed).Elem().Field(i)
		switch field.Interface().(type) {
		case string:
			field.SetString(field.String() + "x")
		case int:
			field.SetInt(field.Int() + 1)
		case bool:
			field.SetBool(!field.Bool())
		case []string:
			field.Set(reflect.ValueOf([]string{"other"}))
		case time.Time:
			field.Set(reflect.ValueOf(alice().AuthTime.Add(time.Second)))
		case []identity.Level:
			field.Set(reflect.ValueOf([]identity.Level{{ACR: "gold"}}))
		case map[string]any:
			field.Set(reflect.ValueOf(map[string]any{"locale": "de"}))
		case map[string]identity.Cause:
			field.Set(reflect.ValueOf(map[string]identity.Cause{identity.ClaimGroups: identity.CauseShape}))
		default:
			t.Fatalf("field %s has a type this test does not know", name)
		}
		if equalClaims(&a, &changed) {
			t.Errorf("a change of %s goes unnoticed", name)
		}
	}
}
