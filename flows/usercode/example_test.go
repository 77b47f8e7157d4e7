package usercode_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/usercode"
)

// A device flow (RFC 8628) in a program of one's own: the device gets two codes, the
// person types one of them, and the device's next poll delivers, once.
func Example() {
	ctx := context.Background()
	keys, err := keyring.New(nil, []byte("a secret of at least 16 bytes"))
	if err != nil {
		log.Fatal(err)
	}
	store := memory.New(memory.Options{})
	const issuer = "https://auth.example.com"

	// The device asks. The cache holds a hash of its code, and a MAC of the person's.
	id, secret := handle.NewID(time.Now(), nil), keys.Random(32)
	deviceCode, userCode := handle.MintCode(id, secret), usercode.New(keys)
	flowKey, proof := "device:"+id.String(), sha256.Sum256(secret)
	err = store.StartFlow(ctx, cache.NewFlow{
		Key: flowKey, State: cache.Pending, Proof: proof[:], Validity: 10 * time.Minute, Interval: 5 * time.Second,
		Value: keys.Seal("x-device", []byte(flowKey), []byte("what the device asks for")),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.SetAlias(ctx, usercode.Alias(keys, userCode, issuer), flowKey, 20*time.Minute); err != nil {
		log.Fatal(err)
	}

	// The person types the code in their own way, and approves.
	typed, ok := usercode.Parse(" " + usercode.Format(userCode) + " ")
	found, err := store.Alias(ctx, usercode.Alias(keys, typed, issuer))
	fmt.Println(ok, err == nil && found == flowKey)
	_, err = store.AdvanceFlow(ctx, cache.Transition{
		Key: flowKey, From: cache.Pending, To: cache.Ready,
		Value: keys.Seal("x-device", []byte(flowKey), []byte("alice")),
	})
	if err != nil {
		log.Fatal(err)
	}

	// The device polls with its code. Of any number of polls one gets the answer.
	for range 2 {
		id, secret, err := handle.ParseCode(deviceCode)
		if err != nil {
			log.Fatal(err)
		}
		proof := sha256.Sum256(secret)
		flow, err := store.PollFlow(ctx, "device:"+id.String(), proof[:], "")
		if err != nil {
			fmt.Println(err)
			continue
		}
		who, err := keys.Open("x-device", []byte(flow.Key), flow.Value)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", flow.State, who)
	}
	// Output:
	// true true
	// DONE: alice
	// flow was used already
}
