//! `/problems`: the pages about the types of problem.

use crate::harness::Harness;

async fn the_form_that_is_preferred_is_given(harness: Harness) {
    for (accept, given) in [
        ("text/html;q=0.1, application/json", "application/json"),
        ("application/json;q=0.1, text/html;q=0.2", "text/html; charset=utf-8"),
        ("text/html;q=0, */*", "application/json"),
    ] {
        let answer = harness.consumer.get("/problems", &[("accept", accept)]).await;
        assert_eq!(answer.header("content-type"), Some(given), "{accept}");
    }
}

on_each_ledger!(the_form_that_is_preferred_is_given);
