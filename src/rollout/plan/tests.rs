use super::*;

fn yaml(text: &str) -> Result<Plan, Vec<String>> {
    let read = Plan::read(text.as_bytes(), Format::Yaml);
    read.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn csv(bytes: &[u8]) -> Result<Plan, Vec<String>> {
    let read = Plan::read(bytes, Format::Csv);
    read.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn listed(plan: Plan) -> Vec<(TunnelPath, Change)> {
    match plan {
        Plan::Listed(tunnels) => tunnels,
        other @ Plan::Selected { .. } => panic!("{other:?}"),
    }
}

#[test]
fn a_list_of_tunnels_has_a_change_for_each() {
    let text = "# two offices\n\
                tunnels:\n\
                - path: vpc-1/vpngw-1/vpnx-1\n  patch: {peer_cidrs: [10.1.0.0/16], ike: {dh_group: group14, sa_lifetime_seconds: 86400}}\n\
                - path: vpc-1/vpngw-1/vpnx-2\n  generate: pre_shared_key\n\
                - path: vpc-1/vpngw-1/vpnx-3\n  patch: {pre_shared_key: 'canary', security_policies: [{local_cidr: 10.0.0.0/8, peer_cidrs: [10.2.0.0/16]}]}\n";
    let tunnels = listed(yaml(text).expect("a plan"));
    let [(first, one), (_, two), (_, three)] = tunnels.as_slice() else { panic!("{tunnels:?}") };
    assert_eq!(first.tunnel_id.as_str(), "vpnx-1");
    assert_eq!(one.patch["ike"], serde_json::json!({"dh_group": "group14", "sa_lifetime_seconds": 86400}));
    assert!(!one.changes_key());
    assert!(matches!(two.key, Key::Generated) && two.patch.is_empty() && two.peer_ranges.is_none());
    assert!(matches!(&three.key, Key::Given(key) if key.expose() == "canary"));
    assert!(!three.patch.contains_key("pre_shared_key") && !format!("{three:?}").contains("canary"));
    let ranges =
        |change: &Change| change.peer_ranges.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((ranges(one), ranges(three)), (vec!["10.1.0.0/16".into()], vec!["10.2.0.0/16".into()]));
    assert_eq!((one.line_of("/ike/dh_group"), three.line_of("/name")), (4, 8));
}

#[test]
fn a_selector_has_one_change_and_one_or_more_gateways() {
    for gateways in ["vpngw-1", "[vpngw-1, vpngw-2]"] {
        let text = format!("selector: {{vpc_id: vpc-1, gateway_id: {gateways}}}\ngenerate: pre_shared_key\n");
        match yaml(&text).expect("a plan") {
            Plan::Selected { vpc, gateways: read, change } => {
                assert_eq!((vpc.as_str(), read.len()), ("vpc-1", gateways.matches("vpngw").count()));
                assert!(change.changes_key());
            }
            other @ Plan::Listed(_) => panic!("{other:?}"),
        }
    }
}

#[test]
fn all_faults_are_told_at_once_with_their_lines() {
    let text = "tunnels:\n\
                - path: vpc-1/vpngw-1\n  patch:\n    peer_cidrs: [10.1.0.0/33]\n    colour: red\n\
                - path: vpc-1/vpngw-1/vpnx-2\n  patch: {name: null}\n  when: now\n\
                - patch: {pre_shared_key: 12345678}\n\
                - path: vpc-1/vpngw-1/vpnx-2\n  patch: {name: a}\n  generate: everything\n\
                - path: vpc-1/vpngw-1/vpnx-4\n\
                patch: {name: b}\n";
    let faults = yaml(text).expect_err("faults");
    let lines: Vec<&str> = faults.iter().map(|fault| fault.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        lines,
        [
            "line 2", "line 4", "line 5", "line 7", "line 8", "line 9", "line 9", "line 10", "line 12",
            "line 13", "line 14"
        ],
        "{faults:#?}"
    );
    let all = faults.join("\n");
    for told in [
        "line 2: path: must be the ids",
        "line 4: peer_cidrs.0: must be an IPv4 range",
        "line 5: colour: is not a field here",
        "line 7: name: must not be null",
        "line 8: when: is not known here; known are: path, patch, generate",
        "line 9: path: is required",
        "line 9: pre_shared_key: must be a string: put it between quotation marks",
        "line 10: path: the plan has this tunnel twice, first in line 6",
        "line 12: generate: must be pre_shared_key",
        "line 13: must give at least one field",
        "line 14: patch: is allowed only with a selector",
    ] {
        assert!(all.contains(told), "{told} in {all}");
    }
    assert!(!all.contains("12345678"), "{all}");
}

#[test]
fn what_is_no_plan_says_why() {
    for (text, told) in [
        ("", "the plan is empty"),
        ("# nothing\n", "the plan is empty"),
        ("[]", "line 1: must be a mapping with tunnels, selector, patch, generate"),
        ("tunnels: []\n", "line 1: tunnels: must name 1 to 10000 tunnels"),
        ("{}", "line 1: must have tunnels, or a selector with a patch"),
        ("selector: {vpc_id: vpc-1}\npatch: {name: a}\n", "line 1: selector.gateway_id: must be the id"),
        (
            "selector: {vpc_id: vpc-1, gateway_id: g}\ntunnels: []\n",
            "selector: is not allowed beside tunnels",
        ),
        ("selector: {vpc_id: vpc-1, gateway_id: g}\n", "line 1: must give at least one field"),
        ("a: 1\na: 2\n", "line 2: a: is given twice, first in line 1"),
        ("a: !!binary aGk=\n", "line 1: tags"),
        ("a: 1\n---\nb: 2\n", "a second one begins here"),
        ("a: [1\nb: 2\n", "is not YAML"),
        ("? [a]\n: b\n", "the name of a member must be text"),
    ] {
        let faults = yaml(text).expect_err(text).join("\n");
        assert!(faults.contains(told), "{text:?}: {told:?} in {faults}");
    }
    let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
    assert!(yaml(&deep).expect_err("too deep").join("\n").contains("nested more than 16 deep"));
    assert!(csv(b"path;name\n\xff\xfe;x\n").expect_err("not UTF-8")[0].contains("CSV UTF-8"));
}

#[test]
fn an_alias_repeats_a_value_but_not_without_end() {
    let text = "tunnels:\n\
                - {path: vpc-1/vpngw-1/vpnx-1, patch: &p {ike: {dh_group: group14}}}\n\
                - {path: vpc-1/vpngw-1/vpnx-2, patch: *p}\n";
    let tunnels = listed(yaml(text).expect("a plan"));
    assert_eq!(tunnels[0].1.patch, tunnels[1].1.patch);
    let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for n in 1..12 {
        let again = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{again}]\n"));
    }
    assert!(yaml(&bomb).expect_err("a bomb").join("\n").contains("at most 500000 values"));
}

#[test]
fn numbers_and_words_are_read_as_yaml_1_2_has_them() {
    let name = |value: &str| {
        let text = format!("tunnels: [{{path: vpc-1/vpngw-1/vpnx-1, patch: {{name: {value}}}}}]");
        yaml(&text).map(|plan| listed(plan).remove(0).1.patch["name"].clone())
    };
    for word in ["no", "on", "0123", "10.0.0.0/8", "1:30", "0x1f", "'7'", "\"true\"", ".5", "1e"] {
        assert!(name(word).is_ok_and(|value| value.is_string()), "{word}");
    }
    for other in ["7", "-7", "7.5", "1e3", "true", "~", "null"] {
        assert!(name(other).is_err(), "{other}");
    }
}

#[test]
fn what_spreadsheets_write_is_read() {
    let plain = "path,name,peer_cidrs,ike.dh_group,generate\n\
                 vpc-1/vpngw-1/vpnx-1,hq,10.1.0.0/16 10.2.0.0/16,group14,\n\
                 vpc-1/vpngw-1/vpnx-2,,,,pre_shared_key\n";
    let expected = listed(csv(plain.as_bytes()).expect("a plan"));
    assert_eq!(expected.len(), 2);
    assert_eq!(
        serde_json::json!(expected[0].1.patch),
        serde_json::json!({"name": "hq", "peer_cidrs": ["10.1.0.0/16", "10.2.0.0/16"], "ike": {"dh_group": "group14"}})
    );
    assert!(matches!(expected[1].1.key, Key::Generated) && expected[1].1.patch.is_empty());
    let with_semicolons = plain.replace(',', ";").replace('\n', "\r\n");
    let with_tabs = plain.replace(',', "\t");
    let quoted = plain.replace("hq", "\"hq\"").replace("path,name", "\"path\",\" name \"");
    for other in [
        format!("\u{feff}{with_semicolons}"),
        format!("sep=;\r\n{with_semicolons}"),
        with_tabs,
        quoted,
        format!("{}\r\n\r\n;;;;\r\n", with_semicolons.trim_end()),
        with_semicolons.replace("\r\n", ";;\r\n"),
    ] {
        let read = listed(csv(other.as_bytes()).expect("a plan"));
        let patches = |tunnels: &[(TunnelPath, Change)]| {
            tunnels.iter().map(|(path, change)| (path.clone(), change.patch.clone())).collect::<Vec<_>>()
        };
        assert_eq!(patches(&read), patches(&expected), "{other}");
    }
}

#[test]
fn faults_of_a_table_have_the_lines_of_the_file() {
    let text = "sep=;\r\npath;name;ike.sa_lifetime_seconds;security_policies;colour;name\r\n\
                vpc-1/vpngw-1/vpnx-1;\"two\r\nlines\";1;;;\r\nvpc-1/vpngw-1/vpnx-2;b\r\nvpc-1;c;many;;;\r\n";
    let faults = csv(text.as_bytes()).expect_err("faults");
    let starts = [
        "line 2: security_policies: does not fit",
        "line 2: colour: is not a column",
        "line 2: name: is given twice",
        "line 5: has 2 cells, and the first line names 6 columns",
        "line 6: ike.sa_lifetime_seconds: must be a whole number",
    ];
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{fault}");
    }
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    let faults = csv(b"path;generate;;\nvpc-1/vpngw-1/vpnx-1;pre_shared_key;;canary\n").expect_err("a fault");
    assert_eq!(faults, ["line 2: has a value in a column without a name"]);
    let faults =
        csv(b"path,pre_shared_key\nvpc-1/vpngw-1/vpnx-1,key\tcanary\nnowhere,k\n").expect_err("faults");
    assert_eq!(faults.len(), 2);
    assert!(
        faults[0].starts_with("line 2: pre_shared_key: must be 1 to 128") && !faults[0].contains("canary")
    );
    assert!(faults[1].starts_with("line 3: path: must be the ids"), "{}", faults[1]);
}
