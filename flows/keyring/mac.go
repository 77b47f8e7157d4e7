package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// MinMAC is the shortest truncation of a MAC that is verified, in bytes.
const MinMAC = 16

// MAC authenticates data under the first key with HMAC-SHA256: 32 bytes, which
// may be cut to [MinMAC]. Every part is preceded by its length, so that no
// other division of the same bytes has the same MAC.
func (k *Keyring) MAC(label string, data ...[]byte) []byte {
	return k.keys[0].mac(label, data)
}

// MACs are the MACs under all keys, the first key's first: for finding what was
// stored under any of them.
func (k *Keyring) MACs(label string, data ...[]byte) [][]byte {
	macs := make([][]byte, len(k.keys))
	for i, key := range k.keys {
		macs[i] = key.mac(label, data)
	}
	return macs
}

// VerifyMAC reports whether mac was made by any of the keys over the same label
// and parts. It compares in constant time and accepts a MAC cut to 16 bytes or
// more.
func (k *Keyring) VerifyMAC(label string, mac []byte, data ...[]byte) bool {
	if len(mac) < MinMAC || len(mac) > sha256.Size {
		return false
	}
	ok := 0
	for _, key := range k.keys {
		ok |= subtle.ConstantTimeCompare(key.mac(label, data)[:len(mac)], mac)
	}
	return ok == 1
}

func (k *key) mac(label string, data [][]byte) []byte {
	h := hmac.New(sha256.New, k.expand("mac", label))
	var length [8]byte
	for _, part := range data {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return h.Sum(nil)
}
