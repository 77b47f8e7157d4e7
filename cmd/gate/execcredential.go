package main

import (
	"context"
	"encoding/json"
	"flag"
	"slices"
	"time"
)

// execInfo is what kubectl says in KUBERNETES_EXEC_INFO.
type execInfo struct {
	APIVersion string `json:"apiVersion"`
	Spec       struct {
		Cluster struct {
			Server string `json:"server"`
		} `json:"cluster"`
	} `json:"spec"`
}

// execCredential is the answer (client.authentication.k8s.io/v1).
type execCredential struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Status     execStatus `json:"status"`
}

type execStatus struct {
	Expires string `json:"expirationTimestamp"`
	Token   string `json:"token"`
}

const execVersion = "client.authentication.k8s.io/v1"

// execCredential is an exec credential plugin of kubectl.
func (g *gate) execCredential(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("exec-credential", flag.ContinueOnError)
	site := fs.String("for", "", "")
	if _, err := parse(fs, args, 0); err != nil {
		return err
	}
	info := execInfo{APIVersion: execVersion}
	if raw := g.env.getenv("KUBERNETES_EXEC_INFO"); raw != "" {
		if err := json.Unmarshal([]byte(raw), &info); err != nil {
			return fail(exitUsage, "kubectl sets it; unset it to try gate by hand.", "KUBERNETES_EXEC_INFO is not JSON")
		}
	}
	if !slices.Contains([]string{execVersion, execVersion + "beta1"}, info.APIVersion) {
		return fail(exitUsage, "Write in the kubeconfig: apiVersion: "+execVersion, "kubectl asks for %q", info.APIVersion)
	}
	if *site == "" {
		*site = info.Spec.Cluster.Server
	}
	a, err := g.tokenFor(ctx, *site)
	if err != nil {
		return err
	}
	return json.NewEncoder(g.stdout).Encode(execCredential{
		APIVersion: info.APIVersion, Kind: "ExecCredential",
		Status: execStatus{Expires: a.Expires.Format(time.RFC3339), Token: a.Token},
	})
}
