//! The console's files, as a browser receives them.

use crate::harness::Harness;
use crate::support::consumer::Consumer;

async fn the_page_and_its_parts_need_no_token_and_may_load_nothing_from_elsewhere(harness: Harness) {
    let anonymous = Consumer::new(harness.consumer.base.clone(), String::new());
    for (route, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/console/console.css", "text/css; charset=utf-8"),
        ("/console/main.js", "text/javascript; charset=utf-8"),
        ("/console/icon.svg", "image/svg+xml"),
    ] {
        let answer = anonymous.get(route, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{route}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        // Without an issuer, requests go to the gateway only.
        assert!(policy.ends_with("; connect-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        // A browser may cache the file and must revalidate it each time.
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let tag = answer.header("etag").expect("a tag");
        let again = anonymous.get(route, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.status, again.body.as_str(), again.header("etag")),
            (304, "", Some(tag)),
            "{route}"
        );
        let changed = anonymous.get(route, &[("if-none-match", "\"another\"")]).await;
        assert_eq!((changed.status, changed.body), (200, answer.body), "{route}");
    }
}

async fn the_page_names_only_parts_that_there_are(harness: Harness) {
    let anonymous = Consumer::new(harness.consumer.base.clone(), String::new());
    let mut wanted =
        vec!["console/main.js".to_owned(), "console/console.css".into(), "console/icon.svg".into()];
    let page = anonymous.get("/", &[]).await.body;
    assert!(wanted.iter().all(|part| page.contains(&format!("\"{part}\""))), "{page}");
    assert!(!page.contains("style=") && !page.contains("http:") && !page.contains("https:"), "{page}");
    let mut seen = 0;
    while seen < wanted.len() {
        let part = anonymous.get(&format!("/{}", wanted[seen]), &[]).await;
        assert_eq!(part.status, 200, "{}", wanted[seen]);
        for import in part.body.split("from \"./").skip(1) {
            let name = format!("console/{}", import.split('"').next().expect("a name"));
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        seen += 1;
    }
    assert!(wanted.len() > 10, "{wanted:?}");
    for missing in ["/console/", "/console/nothing.js", "/console/index.html", "/console/..%2fmod.rs"] {
        assert_eq!(anonymous.get(missing, &[]).await.problem(), (404, "no_such_path".into()), "{missing}");
    }
    let post = anonymous.raw("POST", "/", "", &[]).await;
    assert_eq!(post.problem(), (405, "method_not_allowed".into()));
}

on_each_ledger!(
    the_page_and_its_parts_need_no_token_and_may_load_nothing_from_elsewhere,
    the_page_names_only_parts_that_there_are,
);
