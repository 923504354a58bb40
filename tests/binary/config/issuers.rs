//! Issuers in the configuration file.

use super::{CANARY, faults, folder, text, with_file};

/// Issuers without accounts.
const ISSUERS: &str = r#"
[[oidc]]
issuer = "https://login.example.com/realms/corp"
audience = "tunnelgate"
client_id = "console"
client_scopes = ["openid", "groups"]
name_claim = "preferred_username"
[[oidc.grants]]
claim = "realm_access.roles"
value = "net-admins"
scopes = ["tunnels:read", "tunnels:write"]
vpcs = ["vpc-prod-*", "vpc-1"]
[[oidc.grants]]
claim = "https://example.com/roles"
value = "audit"
scopes = ["audit:read"]

[[oidc]]
issuer = "http://127.0.0.1:9/"
audience = ["tunnelgate", "api://tunnelgate"]
client_id = "pages"
grants = [{ claim = "sub", value = "ci", scopes = ["tunnels:read"] }]
"#;

#[test]
fn issuers_go_together_with_the_variables_of_one_account() {
    let folder = folder(ISSUERS);
    let env = [
        ("TENCENTCLOUD_SECRET_ID", CANARY),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    let output = with_file(folder.path(), &["config", "check"], &env);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("name = \"default\""), "{shown}");
    let issuers = &shown[shown.find("[[oidc]]").expect("issuers")..];
    let expected = r#"[[oidc]]
issuer = "https://login.example.com/realms/corp"
audience = ["tunnelgate"]
name_claim = "preferred_username"
client_id = "console"
client_scopes = ["openid", "groups"]
[[oidc.grants]]
claim = "realm_access.roles"
value = "net-admins"
scopes = ["tunnels:read", "tunnels:write"]
vpcs = ["vpc-prod-*", "vpc-1"]
[[oidc.grants]]
claim = "https://example.com/roles"
value = "audit"
scopes = ["audit:read"]
# vpcs: all

[[oidc]]
issuer = "http://127.0.0.1:9/"
audience = ["tunnelgate", "api://tunnelgate"]
name_claim = "sub"
client_id = "pages"
client_scopes = ["openid", "profile"]
[[oidc.grants]]
claim = "sub"
value = "ci"
scopes = ["tunnels:read"]
# vpcs: all
"#;
    assert_eq!(issuers, expected);
    // What is shown can be read.
    let again = super::folder(issuers);
    let output = with_file(again.path(), &["config", "check"], &env);
    assert!(text(&output.stdout).ends_with(expected), "{}", text(&output.stderr));
}

#[test]
fn every_fault_of_an_issuer_is_told_with_its_line_and_key() {
    let config = r#"
[[oidc]]
issuer = "http://login.example.com"
audience = " x"
client_id = ""
client_scopes = ["profile", "two words"]
name_claim = 7
grant = []
[[oidc.grants]]
claim = ""
value = "a\u202eb"
scopes = ["tunnels:delete"]
vpcs = ["vpc prod"]
[[oidc.grants]]
clam = "groups"

[[oidc]]
issuer = "login.example.com"
audience = []
client_scopes = ["openid"]
grants = []

[[oidc]]
issuer = "login.example.com"
audience = "x"
client_id = "a"
client_scopes = ["profile"]
grants = "all"

[[oidc]]
"#;
    let env = [
        ("TENCENTCLOUD_SECRET_ID", CANARY),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    let plain = "must be a text without control characters, and without blanks around it";
    let expected = [
        "tunnelgate.toml:3: oidc[0].issuer: plain http lets others forge the keys of the issuer: use https, a loopback \
         address, or --allow-plain-http"
            .to_owned(),
        format!("tunnelgate.toml:4: oidc[0].audience: {plain}"),
        "tunnelgate.toml:5: oidc[0].client_id: must be a text that is not empty".to_owned(),
        "tunnelgate.toml:6: oidc[0].client_scopes[1]: \"two words\" must be an OAuth scope: printable ASCII without \
         blanks and quotes"
            .to_owned(),
        "tunnelgate.toml:7: oidc[0].name_claim: must be a text that is not empty".to_owned(),
        "tunnelgate.toml:8: oidc[0].grant: unknown key; the keys here are audience, client_id, client_scopes, grants, \
         issuer, name_claim"
            .to_owned(),
        "tunnelgate.toml:10: oidc[0].grants[0].claim: must be a text that is not empty".to_owned(),
        format!("tunnelgate.toml:11: oidc[0].grants[0].value: {plain}"),
        "tunnelgate.toml:12: oidc[0].grants[0].scopes[0]: \"tunnels:delete\" must be one of tunnels:read, \
         tunnels:write, audit:read"
            .to_owned(),
        "tunnelgate.toml:13: oidc[0].grants[0].vpcs[0]: \"vpc prod\" must be 1 to 64 characters of A-Z a-z 0-9 _ - and \
         *, which matches any run of characters"
            .to_owned(),
        "tunnelgate.toml:14: oidc[0].grants[1].claim: is required".to_owned(),
        "tunnelgate.toml:14: oidc[0].grants[1].value: is required".to_owned(),
        "tunnelgate.toml:14: oidc[0].grants[1].scopes: is required".to_owned(),
        "tunnelgate.toml:15: oidc[0].grants[1].clam: unknown key; the keys here are claim, scopes, value, vpcs"
            .to_owned(),
        "tunnelgate.toml:18: oidc[1].issuer: must be a URL such as https://login.example.com/realms/corp".to_owned(),
        "tunnelgate.toml:19: oidc[1].audience: must have at least one item".to_owned(),
        "tunnelgate.toml:20: oidc[1].client_scopes: has no effect without client_id".to_owned(),
        "tunnelgate.toml:21: oidc[1].grants: must have at least one item".to_owned(),
        "tunnelgate.toml:24: oidc[2].issuer: \"login.example.com\" is the issuer at line 18 already"
            .to_owned(),
        "tunnelgate.toml:24: oidc[2].issuer: must be a URL such as https://login.example.com/realms/corp".to_owned(),
        "tunnelgate.toml:27: oidc[2].client_scopes: must contain openid".to_owned(),
        "tunnelgate.toml:28: oidc[2].grants: must be a list of tables".to_owned(),
        "tunnelgate.toml:30: oidc[3].issuer: is required".to_owned(),
        "tunnelgate.toml:30: oidc[3].audience: is required".to_owned(),
        "tunnelgate.toml:30: oidc[3].grants: is required".to_owned(),
    ];
    assert_eq!(faults(config, &env), expected);
}
