package preset

// INDIGO IAM: https://indigo-iam.github.io/docs/
//
// The issuer usually ends in a slash, as its metadata say. Groups are paths
// ("cms/production"), in the claim groups; with the WLCG profile they are in wlcg.groups,
// which the scope of that name asks for: groups_claim wlcg.groups.
func init() {
	register(&Preset{
		Name: "indigo_iam", Title: "INDIGO IAM", Example: "https://iam.example.org/",
		IssuerCure: "Write iam.issuer as it is configured there.",
	})
}
