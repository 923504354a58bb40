//! The configuration file, `config check`, and what `serve` says of wrong settings.

mod issuers;

use std::path::Path;
use std::process::Output;

use crate::process::run;

const CANARY: &str = "canary-0123456789";

/// Two accounts; the first answers for `vpc-prod-…`, the second for all others.
const TWO: &str = r#"fingerprint_key_file = "fingerprint"

[[accounts]]
name = "prod-gz"
vpcs = ["vpc-prod-*", "vpc-03vihbk9"]
api = "v2"
region = "ap-guangzhou"
secret_id = "AKIDcanary-0123456789"
secret_key_file = "key"
token_file = "key"
timeout = "3s"
rps = 7

[[accounts]]
name = "rest"
vpcs = ["*"]
api = "v2"
region = "ap-shanghai"
secret_id_file = "key"
secret_key_file = "key"
url = { v2 = "http://127.0.0.1:9/v2/index.php", v3 = "http://127.0.0.1:9/" }
signed_host = "relay.example.com"
"#;

/// A folder with a configuration file and secrets.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in
        [("tunnelgate.toml", config), ("key", CANARY), ("fingerprint", CANARY), ("empty", "\n")]
    {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Runs a command with the configuration file; asserts that it shows no secret.
fn with_file(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut all = vec![("TUNNELGATE_CONFIG", "tunnelgate.toml")];
    all.extend_from_slice(env);
    let output = run(folder, args, &all);
    for shown in [text(&output.stdout), text(&output.stderr)] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
    output
}

/// The faults of a configuration, without the program's name.
fn faults(config: &str, env: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(config);
    let checked = with_file(folder.path(), &["config", "check"], env);
    assert_eq!(checked.status.code(), Some(1), "{config}");
    assert_eq!(text(&checked.stdout), "");
    let served = with_file(folder.path(), &["serve", "--listen", "127.0.0.1:0"], env);
    assert_eq!(served.status.code(), Some(2), "{config}");
    assert_eq!(text(&served.stderr), text(&checked.stderr));
    let lines = text(&checked.stderr);
    lines
        .lines()
        .map(|line| line.strip_prefix("tunnelgate: ").expect("the program's name").to_owned())
        .collect()
}

#[test]
fn a_check_shows_what_it_understood_with_secrets_masked() {
    let folder = folder(TWO);
    let env = [("TUNNELGATE_POLL_INTERVAL", "3s"), ("DATABASE_URL", "postgres://a:canary-0123456789@b/c")];
    let output = with_file(folder.path(), &["config", "check", "--upstream-rps", "9"], &env);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for line in [
        "TUNNELGATE_CONFIG=tunnelgate.toml",
        "TUNNELGATE_POLL_INTERVAL=3s",
        "TUNNELGATE_TASK_TIMEOUT=30m (default)",
        "TUNNELGATE_UPSTREAM_RPS=9 (flag)",
        "DATABASE_URL=postgres://a:***@b/c",
        "name = \"prod-gz\"",
        "vpcs = [\"vpc-prod-*\", \"vpc-03vihbk9\"]",
        "url = \"https://vpc.api.qcloud.com/v2/index.php\"",
        "secret_id = \"***\"",
        "token = \"***\"",
        "rps = 7",
        "timeout = \"3000ms\"",
        "region = \"ap-shanghai\"",
        "url = { v2 = \"http://127.0.0.1:9/v2/index.php\", v3 = \"http://127.0.0.1:9/\" }",
        "signed_host = { v2 = \"relay.example.com\", v3 = \"127.0.0.1:9\" }",
        "rps = 9",
        "timeout = \"10000ms\"",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in:\n{shown}");
    }
}

#[test]
fn a_check_without_a_file_shows_the_one_account() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = [
        ("TENCENTCLOUD_SECRET_ID", CANARY),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    let output = run(folder.path(), &["config", "check"], &env);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("[[accounts]]\nname = \"default\"\n# vpcs: all\n"), "{shown}");
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn every_fault_of_the_file_is_told_at_once_with_its_line_and_key() {
    let config = r#"fingerprnt_key_file = "fingerprint"
[[accounts]]
name = "Prod"
vpcs = ["vpc prod", "vpc-1", 7]
api = "v4"
region = ""
secret_id = "AKID"
secret_id_file = "key"
secret_key = "canary-0123456789"
secret_key_file = "nowhere"
token_file = "empty"
signature_method = "md5"
param_style = 1
rps = -1
timeout = "61s"
url = "http://cloud.example.com/"

[[accounts]]
name = "two"
vpcs = []
url = { v2 = "ftp://a", v4 = "b" }
signed_host = ["a"]
allow_plain_http = "yes"

[[accounts]]
name = "two"

[drift]
interval = "500ms"
pages = 3
"#;
    let expected = [
        "tunnelgate.toml:1: fingerprint_key_file: is required with more than one account",
        "tunnelgate.toml:1: fingerprnt_key_file: unknown key; the keys here are accounts, drift, fingerprint_key_file, \
         oidc, webhooks",
        "tunnelgate.toml:3: accounts[0].name: must be 1 to 63 characters of a-z 0-9 -",
        "tunnelgate.toml:4: accounts[0].vpcs[0]: \"vpc prod\" must be 1 to 64 characters of A-Z a-z 0-9 _ - and *, \
         which matches any run of characters",
        "tunnelgate.toml:4: accounts[0].vpcs[2]: must be a text",
        "tunnelgate.toml:5: accounts[0].api: must be one of v2, v3",
        "tunnelgate.toml:6: accounts[0].region: must be a text that is not empty",
        "tunnelgate.toml:8: accounts[0].secret_id_file: set either secret_id or secret_id_file, not both",
        "tunnelgate.toml:9: accounts[0].secret_key: unknown key; the keys here are allow_plain_http, api, name, \
         param_style, region, rps, secret_id, secret_id_file, secret_key_file, signature_method, signed_host, timeout, \
         token_file, url, vpcs",
        "tunnelgate.toml:10: accounts[0].secret_key_file: can't read nowhere: No such file or directory (os error 2)",
        "tunnelgate.toml:11: accounts[0].token_file: empty is empty",
        "tunnelgate.toml:12: accounts[0].signature_method: must be one of HmacSHA1, HmacSHA256",
        "tunnelgate.toml:13: accounts[0].param_style: must be a text that is not empty",
        "tunnelgate.toml:14: accounts[0].rps: must be a whole number from 0 to 4294967295",
        "tunnelgate.toml:15: accounts[0].timeout: must be at most 60s",
        "tunnelgate.toml:16: accounts[0].url: plain http sends credentials and pre-shared keys in clear: use https, a \
         loopback address, or allow_plain_http = true",
        "tunnelgate.toml:18: accounts[1].api: is required",
        "tunnelgate.toml:18: accounts[1].region: is required",
        "tunnelgate.toml:18: accounts[1].secret_key_file: is required",
        "tunnelgate.toml:18: accounts[1].secret_id: is required (or secret_id_file)",
        "tunnelgate.toml:20: accounts[1].vpcs: must have at least one item",
        "tunnelgate.toml:21: accounts[1].url.v2: must begin with https:// (or http:// for a loopback address)",
        "tunnelgate.toml:21: accounts[1].url.v4: unknown key; the keys here are v2, v3",
        "tunnelgate.toml:22: accounts[1].signed_host: must be a text that is not empty",
        "tunnelgate.toml:23: accounts[1].allow_plain_http: must be true or false",
        "tunnelgate.toml:25: accounts[2].vpcs: is required",
        "tunnelgate.toml:25: accounts[2].api: is required",
        "tunnelgate.toml:25: accounts[2].region: is required",
        "tunnelgate.toml:25: accounts[2].secret_key_file: is required",
        "tunnelgate.toml:25: accounts[2].secret_id: is required (or secret_id_file)",
        "tunnelgate.toml:26: accounts[2].name: \"two\" is the name of the account at line 19 already",
        "tunnelgate.toml:29: drift.interval: must be 1s to 7d",
        "tunnelgate.toml:30: drift.pages: unknown key; the keys here are interval",
    ];
    assert_eq!(faults(config, &[]), expected);
}

#[test]
fn drift_checks_have_an_interval_or_are_off() {
    let env = [
        ("TENCENTCLOUD_SECRET_ID", CANARY),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    for (config, shown) in [
        ("", None),
        ("[drift]\n", Some("[drift]\ninterval = \"600000ms\"\n")),
        ("[drift]\ninterval = \"30m\"\n", Some("[drift]\ninterval = \"1800000ms\"\n")),
    ] {
        let folder = folder(config);
        let output = with_file(folder.path(), &["config", "check"], &env);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let text = text(&output.stdout);
        assert_eq!(text.find("[drift]").map(|at| &text[at..]), shown, "{text}");
    }
    for (config, fault) in [
        ("drift = \"10m\"\n", "tunnelgate.toml:1: drift: must be one table"),
        ("[[drift]]\ninterval = \"10m\"\n", "tunnelgate.toml:1: drift: must be one table"),
        ("[drift]\ninterval = 600\n", "tunnelgate.toml:2: drift.interval: must be a text that is not empty"),
        ("[drift]\ninterval = \"8d\"\n", "tunnelgate.toml:2: drift.interval: must be 1s to 7d"),
    ] {
        assert_eq!(faults(config, &env), [fault], "{config}");
    }
}
#[test]
fn a_text_that_is_no_toml_is_refused_with_the_line_and_without_its_content() {
    let config = format!("[[accounts]]\nname = \"one\"\nsecret_key = {CANARY}\n");
    let faults_found = faults(&config, &[]);
    assert!(
        faults_found.len() == 1 && faults_found[0].starts_with("tunnelgate.toml:3: is not TOML: "),
        "{faults_found:?}"
    );
    assert_eq!(
        faults(TWO, &[("TUNNELGATE_CONFIG", "nowhere")]),
        ["TUNNELGATE_CONFIG (--config): can't read nowhere: No such file or directory (os error 2)"]
    );
}

#[test]
fn settings_of_a_single_account_beside_accounts_stop_the_start() {
    let env = [
        ("TENCENTCLOUD_SECRET_ID", CANARY),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_TOKEN_FILE", "key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
        ("TUNNELGATE_UPSTREAM", "v2"),
        ("TUNNELGATE_UPSTREAM_URL", "https://a/"),
        ("TUNNELGATE_SIGNED_HOST", "a"),
        ("TUNNELGATE_SIGNATURE_METHOD", "HmacSHA1"),
        ("TUNNELGATE_PARAM_STYLE", "plain"),
        ("TUNNELGATE_FINGERPRINT_KEY", CANARY),
    ];
    let faults_found = faults(TWO, &env);
    let beside = |name: &str| {
        format!("{name}: is set beside the accounts of the configuration file: remove one of the two")
    };
    assert_eq!(
        faults_found,
        [
            beside("TENCENTCLOUD_SECRET_ID (--secret-id)"),
            beside("TENCENTCLOUD_SECRET_KEY"),
            beside("TENCENTCLOUD_TOKEN_FILE (--token-file)"),
            beside("TENCENTCLOUD_REGION (--region)"),
            beside("TUNNELGATE_UPSTREAM (--upstream)"),
            beside("TUNNELGATE_UPSTREAM_URL (--upstream-url)"),
            beside("TUNNELGATE_SIGNED_HOST (--signed-host)"),
            beside("TUNNELGATE_SIGNATURE_METHOD (--signature-method)"),
            beside("TUNNELGATE_PARAM_STYLE (--param-style)"),
            "TUNNELGATE_FINGERPRINT_KEY: is set beside fingerprint_key_file of the configuration file: remove one of \
             the two"
                .to_owned(),
        ]
    );
}

#[test]
fn a_file_without_accounts_is_named_where_a_variable_is_missing() {
    let told = faults("fingerprint_key_file = \"fingerprint\"\n", &[("TENCENTCLOUD_REGION", "ap-guangzhou")]);
    assert_eq!(told.len(), 2, "{told:?}");
    for (fault, name) in told.iter().zip(["TENCENTCLOUD_SECRET_KEY: ", "TENCENTCLOUD_SECRET_ID: "]) {
        assert!(fault.starts_with(name) && fault.contains("tunnelgate.toml has no [[accounts]]"), "{fault}");
    }
}

#[test]
fn what_copying_adds_to_a_key_of_the_file_is_refused_with_its_line() {
    let config = "[[accounts]]\nname = \"a\"\nvpcs = [\"*\"]\napi = \"v2\"\nregion = \"'ap-gz'\"\n\
                  secret_id = \"canary-0123456789 \"\nsecret_key_file = \"quoted\"\nsigned_host = \"two words\"\n\
                  url = \"https://a/\\r\"\n";
    let folder = folder(config);
    std::fs::write(folder.path().join("quoted"), format!("\"{CANARY}\"")).expect("written");
    let env = [("TENCENTCLOUD_TOKEN", CANARY)];
    let told = text(&with_file(folder.path(), &["config", "check"], &env).stderr);
    for line in [
        "tunnelgate.toml:5: accounts[0].region: is in quotation marks; remove them",
        "tunnelgate.toml:6: accounts[0].secret_id: begins or ends with a blank; remove it",
        "tunnelgate.toml:7: accounts[0].secret_key_file: quoted is in quotation marks; remove them",
        "tunnelgate.toml:8: accounts[0].signed_host: contains a blank; remove it",
        "tunnelgate.toml:9: accounts[0].url: contains a carriage return; its source has Windows line ends",
        "TENCENTCLOUD_TOKEN: is set beside the accounts of the configuration file: remove one of the two",
    ] {
        assert!(told.lines().any(|told| told == format!("tunnelgate: {line}")), "{line} is not in:\n{told}");
    }
}

#[test]
fn a_check_tells_the_faults_of_variables_and_of_the_file_together() {
    let folder = folder("[[accounts]]\nnme = \"a\"\n");
    let env = [
        ("TUNNELGATE_POLL_INTERVAL", "soon"),
        ("TUNNELGATE_TASK_TIMEOUT", "0s"),
        ("TUNNELGATE_READ_BEFORE", "x"),
    ];
    let output = with_file(folder.path(), &["config", "check"], &env);
    assert_eq!(output.status.code(), Some(1));
    let faults_found = text(&output.stderr);
    for part in [
        "TUNNELGATE_POLL_INTERVAL (--poll-interval): must ",
        "TUNNELGATE_READ_BEFORE (--read-before): must be one of always, when-needed",
        "TUNNELGATE_TASK_TIMEOUT (--task-timeout): must be greater than zero",
        "tunnelgate.toml:2: accounts[0].nme: unknown key",
    ] {
        assert!(faults_found.contains(part), "{part} is not in:\n{faults_found}");
    }
    let flag = with_file(folder.path(), &["config", "check", "--poll-interval", "soon"], &[]);
    assert_eq!(flag.status.code(), Some(1));
    assert!(text(&flag.stderr).contains("(--poll-interval): must "), "{}", text(&flag.stderr));
}

#[test]
fn an_empty_variable_counts_as_unset_whichever_it_is() {
    let folder = folder("");
    let credentials = [
        ("TENCENTCLOUD_SECRET_ID", "AKID1"),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_REGION", "ap-a"),
    ];
    let plain = run(folder.path(), &["config", "check"], &credentials);
    let help = text(&run(folder.path(), &["serve", "--help"], &[]).stdout);
    let variables = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
    let variables: Vec<&str> =
        variables.filter(|name| !credentials.iter().any(|(given, _)| given == name)).collect();
    assert!(variables.len() > 20, "{variables:?}");
    let mut env: Vec<(&str, &str)> = variables.iter().map(|name| (*name, "")).collect();
    env.extend(credentials);
    let empty = run(folder.path(), &["config", "check"], &env);
    assert!(empty.status.success(), "{}", text(&empty.stderr));
    assert_eq!(text(&empty.stdout), text(&plain.stdout));
}

#[test]
fn a_wrong_public_url_is_told_in_words_and_without_its_password() {
    let with_password = format!("https://user:{CANARY}@net.example.com");
    for (url, why) in [
        ("net.example.com", "must be a URL with a host"),
        ("https://net.example.com/?a=b", "must not contain a query"),
        ("https://net.example.com/docs", "the path must not start with /docs"),
        (with_password.as_str(), "must not contain a user name or a password"),
    ] {
        let told = faults(TWO, &[("TUNNELGATE_PUBLIC_URL", url)]);
        let expected = format!("TUNNELGATE_PUBLIC_URL (--public-url): {why}");
        assert!(told.len() == 1 && told[0].starts_with(&expected), "{told:?}");
    }
    let sandbox = run(folder("").path(), &["sandbox", "--public-url", "ftp://a"], &[]);
    let told = text(&sandbox.stderr);
    assert!(
        sandbox.status.code() == Some(2) && told.contains("(--public-url): must start with https://"),
        "{told}"
    );
}

#[test]
fn a_wrong_address_is_told_by_the_variable_of_the_command_that_runs() {
    let folder = folder("");
    for (command, variable) in [
        ("serve", "TUNNELGATE_LISTEN"),
        ("sandbox", "TUNNELGATE_LISTEN"),
        ("simulate-cloud", "TUNNELGATE_SIMULATOR_LISTEN"),
    ] {
        let output = run(folder.path(), &[command], &[(variable, "8080")]);
        assert_eq!(output.status.code(), Some(2));
        let fault = text(&output.stderr);
        assert!(
            fault.contains(&format!("{variable} (--listen)")) && fault.contains("localhost:8080"),
            "{fault}"
        );
    }
}
