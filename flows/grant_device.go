package flows

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

func init() {
	register(client.GrantDevice, servedGrant{serve: (*Gateway).grantDevice, parameters: []string{"device_code", "code_verifier"}})
}

// grantDevice answers a poll of the device flow (RFC 8628, section 3.4): one
// round trip to the cache, and one to the store when it delivers.
func (g *Gateway) grantDevice(ctx context.Context, req *endpointRequest) (*tokenResponse, error) {
	form := req.PostForm
	if form.Get("device_code") == "" {
		return nil, invalid("invalid_request", "device_code is missing")
	}
	id, secret, err := handle.ParseCode(form.Get("device_code"))
	if err != nil {
		return nil, invalidGrant()
	}
	challenge := ""
	if form.Has("code_verifier") {
		if !client.ValidVerifier(form.Get("code_verifier")) {
			return nil, invalidGrant()
		}
		challenge = client.ChallengeS256(form.Get("code_verifier"))
	}
	if form.Has("resource") {
		if err := g.mayNarrow(ctx, req, deviceKey(id)); err != nil {
			return nil, err
		}
	}
	proof := authcode.Proof(secret, req.at.ID(), req.client.ID, "device", challenge, "")
	t := req.redeeming(g, id, deviceKey(id))
	err = t.Poll(ctx, proof)
	flow := t.Flow
	switch {
	case errors.Is(err, cache.ErrExpired):
		return nil, invalid("expired_token", "the device code has expired; start again")
	case errors.Is(err, cache.ErrUsed):
		return nil, invalid("invalid_grant", "the device code has already been used")
	case err != nil:
		return nil, err
	case flow.State == cache.Error:
		return nil, invalid("access_denied", "the request was refused")
	case flow.SlowDown:
		g.logFlood(ctx, req, flow)
		return nil, invalid("slow_down", "polls must be at least "+flow.Interval.Round(time.Second).String()+" apart from now on")
	case flow.State == cache.Pending:
		return nil, invalid("authorization_pending", "nobody has approved the request yet")
	}
	h, err := t.Grant()
	if err != nil || h.Client != req.client.ID {
		return nil, invalidGrant()
	}
	answer, err := g.startSession(ctx, req, t, h)
	if !t.Spent(err) {
		return answer, err
	}
	if !t.Again && len(t.Flow.Abandoned) == 0 {
		// The cache has forgotten that it was delivered. Where it was given back
		// before, a device that polled twice at once in an outage comes here too,
		// and what its other poll got is good.
		if _, err := t.Replayed(ctx); err != nil {
			return nil, err
		}
	}
	return nil, invalid("invalid_grant", "the device code has already been used")
}

// floodInterval is the interval at which a device has been told to slow down so often
// that it does not listen.
const floodInterval = 30 * time.Second

// logFlood says once of each device code that its device does not slow down.
func (g *Gateway) logFlood(ctx context.Context, req *endpointRequest, flow cache.Flow) {
	if flow.Interval.Round(time.Second) == floodInterval {
		g.Logger.InfoContext(ctx, "a device polls faster than it is told, again and again", "client_id", req.client.ID, "client_ip", req.ClientIP,
			"cure", "have the client add five seconds to its interval at each slow_down (RFC 8628, section 3.5)")
	}
}
