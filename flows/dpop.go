package flows

// refreshKey is the key that the client's refresh tokens are bound to, or "". A
// client with a secret or key of its own proves itself at each refresh anyway,
// and may change the key of its proofs (RFC 9449, section 5).
func (r *endpointRequest) refreshKey() string {
	if !r.client.Public {
		return ""
	}
	return r.proof.JKT
}
