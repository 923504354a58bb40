use std::collections::BTreeSet;

use super::*;
use crate::domain::tunnel::Tunnel;
use crate::service::drift::plan::Gateway;

const PAGE: usize = 50;
const NO_ANSWER: ReadFailure = ReadFailure::NoAnswer;

fn now() -> Timestamp {
    Timestamp::from_micros(0)
}

fn parts(gateways: &[(&str, usize)]) -> Vec<Part> {
    let gateway = |(gateway, tunnels): &(&str, usize)| Gateway {
        account: "a".into(),
        page_size: PAGE,
        vpc: "vpc-1".parse().expect("an id"),
        gateway: gateway.parse().expect("an id"),
        tunnels: *tunnels,
    };
    plan::parts(gateways.iter().map(gateway).collect(), &BTreeSet::new())
}

fn run(gateways: &[(&str, usize)]) -> Run {
    let watched = gateways.iter().map(|(_, tunnels)| *tunnels as u64).sum();
    Run::new(parts(gateways), watched, now())
}

/// The page after `offset` entries of a list of `total`.
fn page(offset: usize, total: usize) -> TunnelPage {
    let tunnels = vec![Tunnel::default(); PAGE.min(total.saturating_sub(offset))];
    let is_last = offset + tunnels.len() >= total;
    TunnelPage { tunnels, total: Some(total), is_last }
}

/// Reads all that is left; pages for which `fails` is true can't be read. Returns the pages in their order.
fn read(
    run: &mut Run,
    total: impl Fn(&str) -> usize,
    mut fails: impl FnMut(&str, usize) -> bool,
) -> Vec<(String, usize)> {
    let mut read = Vec::new();
    while let Some((part, offset)) = run.next() {
        let list = part.gateway.as_ref().map_or("all".to_owned(), ToString::to_string);
        assert!(read.len() < 100, "no end");
        if fails(&list, offset) {
            assert!(!run.failed(NO_ANSWER, PAGE));
        } else {
            run.advance(&page(offset, total(&list)), PAGE);
        }
        read.push((list, offset));
    }
    read
}

fn pages(pages: &[(&str, usize)]) -> Vec<(String, usize)> {
    pages.iter().map(|(list, offset)| ((*list).to_owned(), *offset)).collect()
}

#[test]
fn a_page_that_can_not_be_read_is_read_again_after_all_others() {
    let mut run = run(&[("vpngw-1", 150), ("vpngw-2", 50)]);
    let mut failures = 0;
    let found = read(
        &mut run,
        |list| if list == "vpngw-1" { 150 } else { 50 },
        |list, offset| {
            failures += usize::from((list, offset) == ("vpngw-1", 50));
            (list, offset) == ("vpngw-1", 50) && failures <= 2
        },
    );
    let expected =
        [("vpngw-1", 0), ("vpngw-1", 50), ("vpngw-1", 100), ("vpngw-2", 0), ("vpngw-1", 50), ("vpngw-1", 50)];
    assert_eq!((found, run.is_whole), (pages(&expected), true));
}

#[test]
fn pages_that_stay_unreadable_are_given_up_and_the_sweep_is_not_whole() {
    let mut run = run(&[("vpngw-1", 150)]);
    let found = read(&mut run, |_| 150, |_, offset| offset == 0);
    let expected = [0, 50, 100, 0, 0].map(|offset| ("vpngw-1", offset));
    assert_eq!((found, run.is_whole), (pages(&expected), false));
}

#[test]
fn a_list_that_turns_out_longer_is_read_to_its_end() {
    let mut run = run(&[("vpngw-1", 10), ("vpngw-2", 50)]);
    let mut failures = 0;
    let total = |list: &str| if list == "vpngw-1" { 130 } else { 50 };
    let found = read(&mut run, total, |list, _| {
        failures += usize::from(list == "vpngw-1");
        list == "vpngw-1" && failures == 1
    });
    let expected = [("vpngw-1", 0), ("vpngw-2", 0), ("vpngw-1", 0), ("vpngw-1", 50), ("vpngw-1", 100)];
    assert_eq!((found, run.is_whole), (pages(&expected), true));
}

#[test]
fn the_first_page_of_an_account_decides_also_when_it_is_read_late() {
    let sparse = [("vpngw-1", 10), ("vpngw-2", 10), ("vpngw-3", 10)];
    for (total, expected) in [
        (30, vec![("all", 0), ("all", 0)]),
        (5000, vec![("all", 0), ("all", 0), ("vpngw-1", 0), ("vpngw-2", 0), ("vpngw-3", 0)]),
    ] {
        let mut run = run(&sparse);
        let mut calls = 0;
        let total = |list: &str| if list == "all" { total } else { 10 };
        let found = read(&mut run, total, |_, _| {
            calls += 1;
            calls == 1
        });
        assert_eq!((found, run.is_whole), (pages(&expected), true));
    }
}

#[test]
fn a_refused_list_is_not_asked_for_again() {
    for refusal in [Refusal::Credentials, Refusal::Other, Refusal::InvalidParameter] {
        let mut run = run(&[("vpngw-1", 150), ("vpngw-2", 50)]);
        assert!(!run.failed(ReadFailure::Refused(refusal), PAGE));
        assert_eq!(read(&mut run, |_| 50, |_, _| false), pages(&[("vpngw-2", 0)]));
        assert!(!run.is_whole, "{refusal:?}");
    }
    let mut run = run(&[("vpngw-1", 150)]);
    run.failed(ReadFailure::NotFound, PAGE);
    assert!(run.has_ended() && run.is_whole, "there is no such gateway");
}

#[test]
fn an_outage_of_the_cloud_costs_a_bounded_number_of_calls() {
    let gateways: Vec<String> = (0..500).map(|number| format!("vpngw-{number}")).collect();
    let gateways: Vec<(&str, usize)> = gateways.iter().map(|gateway| (gateway.as_str(), 50)).collect();
    let mut run = run(&gateways);
    let mut calls = 0;
    while run.next().is_some() {
        run.failed(NO_ANSWER, PAGE);
        calls += 1;
    }
    assert_eq!((calls, run.is_whole), (500 + MOST_UNREAD * usize::from(RETRIES), false));
}

#[test]
fn another_process_goes_on_with_the_unread_pages_and_the_numbers() {
    let gateways = [("vpngw-1", 150), ("vpngw-2", 50), ("vpngw-3", 50)];
    let go_on = |run: &Run| {
        let text = run.stored().expect("a text");
        let new = Run::new(parts(&gateways), 250, now().plus(std::time::Duration::from_secs(9)));
        new.resumed(&text, now()).expect("resumed")
    };
    let mut first = run(&gateways);
    first.calls = 1;
    first.failed(NO_ANSWER, PAGE);
    first.add(vec!["vpc-1/vpnx-1".into(), "vpc-1/vpnx-2".into()]);
    let mut second = go_on(&first);
    assert_eq!((second.began_at, second.calls, second.compared(), second.is_whole), (now(), 1, 2, true));
    assert_eq!((&second.parts, second.offset, &second.unread), (&first.parts, first.offset, &first.unread));
    second.add(vec!["vpc-1/vpnx-3".into()]);
    second.parts.clear();
    // Only the unread page is left.
    let mut third = go_on(&second);
    assert_eq!((third.compared(), third.next().map(|(_, offset)| offset)), (3, Some(0)));
    third.advance(&page(0, 150), PAGE);
    assert!(third.has_ended() && third.is_whole && third.stored().is_none());

    first.is_whole = false;
    assert!(!go_on(&first).is_whole, "a page was given up");
    let sparse = [("vpngw-1", 10), ("vpngw-2", 10)];
    let mut whole = run(&sparse);
    whole.failed(NO_ANSWER, PAGE);
    let resumed = Run::new(parts(&sparse), 20, now()).resumed(&whole.stored().expect("a text"), now());
    assert_eq!(resumed.expect("resumed").unread, whole.unread, "with the gateways to read instead");
    assert!(run(&sparse).resumed("{\"account\":\"a\"}", now()).is_none(), "of another version");
}
