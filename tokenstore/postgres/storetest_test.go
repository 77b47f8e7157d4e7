package postgres_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
	"github.com/gatehouse-auth/gatehouse/tokenstore/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Harness {
		t.Helper()
		var clock offset
		store := open(t, postgres.Options{URL: postgrestest.URL(t), ClockOffset: clock.get})
		return storetest.Harness{Store: store, Advance: clock.advance}
	})
}
