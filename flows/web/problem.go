package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Problem writes RFC 9457 problem details.
func Problem(w http.ResponseWriter, status int, detail string, more map[string]string) {
	body := map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	}
	for k, v := range more {
		body[k] = v
	}
	NoStore(w)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// GRPCStatus is a trailers-only answer: gRPC reads its status from a 200.
func GRPCStatus(w http.ResponseWriter, code, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", code)
	h.Set("Grpc-Message", message)
	w.WriteHeader(http.StatusOK)
}

// NoStore has nobody keep the answer.
func NoStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// Allowed answers 405 unless the method is one of those.
func Allowed(w http.ResponseWriter, r *Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	Problem(w, http.StatusMethodNotAllowed, "This address takes "+strings.Join(methods, ", ")+".", nil)
	return false
}
