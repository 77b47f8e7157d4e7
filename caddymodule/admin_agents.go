package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// AgentInfo is one client that registered itself and that somebody let in.
type AgentInfo struct {
	Subject   string     `json:"subject"`
	ClientID  string     `json:"client_id"`
	Name      string     `json:"name"`           // its own word
	Host      string     `json:"host,omitempty"` // where its answers go
	Resources []string   `json:"resources,omitempty"`
	Sessions  int        `json:"sessions"`
	Since     *time.Time `json:"since,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
}

type agentPage struct {
	Agents []AgentInfo `json:"agents"`
}

// whose is the subject of a request, or "" for everybody's.
func whose(r *http.Request) (string, error) {
	query := r.URL.Query()
	subject, all := query.Get("subject"), query.Get("all") == "true"
	if (subject == "") != all {
		return "", badRequest(errors.New("say whose: either subject=… or all=true"))
	}
	return subject, nil
}

func (a *App) adminAgents(w http.ResponseWriter, r *http.Request) error {
	subject, err := whose(r)
	if err != nil {
		return err
	}
	agents, err := a.gateway.Load().Agents(r.Context(), subject)
	if err != nil {
		return a.adminError("listing agents", err)
	}
	listed := agentPage{Agents: make([]AgentInfo, 0, len(agents))}
	for i := range agents {
		listed.Agents = append(listed.Agents, agentInfo(&agents[i]))
	}
	return writeJSON(w, http.StatusOK, listed)
}

func agentInfo(a *flows.Agent) AgentInfo {
	return AgentInfo{
		Subject: a.Subject, ClientID: a.ClientID, Name: a.Name, Host: a.Host, Resources: a.Resources, Sessions: a.Sessions,
		Since: unlessZero(a.Since), LastUsed: unlessZero(a.LastUsed),
	}
}

func (a *App) adminEndAgent(w http.ResponseWriter, r *http.Request) error {
	subject, err := whose(r)
	if err != nil {
		return err
	}
	clientID := r.URL.Query().Get("client_id")
	if clientID == "" {
		return badRequest(errors.New("say which: client_id=…, as agents list shows it"))
	}
	err = a.gateway.Load().EndAgent(r.Context(), subject, clientID)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return notFound(errors.New("there is no such agent, or it has ended already"))
	case err != nil:
		return a.adminError("ending an agent", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
