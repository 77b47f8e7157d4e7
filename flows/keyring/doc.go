// Package keyring derives every symmetric key of a gateway from the operator's
// secrets: those that seal what is stored and those that authenticate what is
// handed out.
//
// A secret is given several times while it is being changed: the first seals
// and signs, all open and verify. Each purpose has a label, and each label its
// own key (HKDF-SHA256, RFC 5869), so that nothing made for one purpose is
// accepted for another. Labels that begin with "x-" are never used here: they are for
// programs that embed these packages.
package keyring
