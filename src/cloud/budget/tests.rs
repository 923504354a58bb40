use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::*;
use crate::cloud::metrics::CloudMetrics;
use crate::metrics::Metrics;
use crate::service::cloud::Priority;
use crate::service::cloud::Slot as _;
use crate::service::ledger::{self, Slowed};

const CHANGE: Need<'static> =
    Need { priority: Priority::Change, is_last: false, is_recorded: false, principal: "one" };
const READ: Need<'static> =
    Need { priority: Priority::Read, is_last: false, is_recorded: false, principal: "" };

/// The row of an account, with the clock of the test.
#[derive(Default)]
struct Row {
    next_at: Mutex<Option<Instant>>,
    slowed: Mutex<Option<(u32, Instant)>>,
    is_unreachable: AtomicBool,
    hangs: AtomicBool,
    reservations: Mutex<u32>,
}

#[async_trait]
impl Calls for Row {
    async fn reserve(
        &self,
        _: &str,
        count: u32,
        interval: Duration,
    ) -> Result<ledger::Reserved, LedgerError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.is_unreachable.load(Ordering::Relaxed) {
            return Err(LedgerError::Unavailable("unreachable".into()));
        }
        *self.reservations.lock().expect("a number") += 1;
        let now = Instant::now();
        let mut next_at = self.next_at.lock().expect("the row");
        let start = next_at.map_or(now, |next_at| next_at.max(now));
        *next_at = Some(start + interval * count);
        let slowed = self.slowed.lock().expect("the row").map(|(rate, at)| Slowed { rate, ago: now - at });
        Ok(ledger::Reserved { wait: start - now, slowed })
    }

    async fn slow_down(&self, _: &str, rate: u32, _: Duration) -> Result<(), LedgerError> {
        *self.slowed.lock().expect("the row") = Some((rate, Instant::now()));
        Ok(())
    }
}

fn budget_on(row: &Arc<Row>, calls_per_second: u32) -> Budget {
    let account = Account { name: "default".into(), calls_per_second, calls: row.clone() };
    Budget::new(account, CloudMetrics::new(&Metrics::default()).of_budget("default"))
}

fn budget(calls_per_second: u32) -> Budget {
    budget_on(&Arc::default(), calls_per_second)
}

fn start(slot: Slot) {
    assert!(Box::new(slot).start(), "its time is not over");
}

enum Commit {
    Takes(Duration),
    Ends(Instant),
}

/// A change whose commit lasts for `commit`: it holds its slot meanwhile, and takes another one where that is too late.
async fn change(budget: &Budget, commit: Commit) -> Instant {
    let mut slot = budget.slot(CHANGE, soon()).await.expect("a slot");
    match commit {
        Commit::Takes(time) => tokio::time::sleep(time).await,
        Commit::Ends(at) => sleep_until(at).await,
    }
    while !Box::new(slot).start() {
        slot = budget.slot(Need { is_recorded: true, ..CHANGE }, soon()).await.expect("a slot");
    }
    Instant::now()
}

/// Asserts that within no second more than `limit` calls start.
fn are_within(starts: &mut [Instant], limit: usize) {
    starts.sort();
    for window in starts.windows(limit + 1) {
        assert!(window[limit] - window[0] >= WINDOW - Duration::from_millis(1), "{window:?}");
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// The times at which `calls` calls start that wait together. Every `late`th holds its slot for a while, as a commit does.
async fn starts(budget: &Budget, calls: u64, late: u64) -> Vec<Instant> {
    let calls = (0..calls).map(|number| async move {
        let is_late = number % late == late - 1;
        change(budget, Commit::Takes(Duration::from_millis(if is_late { 400 } else { 0 }))).await
    });
    let mut starts = futures_util::future::join_all(calls).await;
    starts.sort();
    starts
}

#[tokio::test(start_paused = true)]
async fn never_more_than_the_limit_within_any_second() {
    let starts = starts(&budget(5), 23, 3).await;
    for window in starts.windows(6) {
        assert!(window[5] - window[0] >= WINDOW, "{window:?}");
    }
    assert!(starts[22] - starts[0] < Duration::from_secs(9), "{:?}", starts[22] - starts[0]);
}

#[tokio::test(start_paused = true)]
async fn one_replica_has_the_whole_limit_and_two_share_it() {
    let row = Arc::<Row>::default();
    let (one, other) = (budget_on(&row, 20), budget_on(&row, 20));
    let alone = starts(&one, 101, u64::MAX).await;
    let took = alone[100] - alone[0];
    assert!(took < Duration::from_millis(5200), "{took:?}");
    let reservations = *row.reservations.lock().expect("a number");
    assert!(reservations <= 25, "several calls in one reservation: {reservations}");

    tokio::time::sleep(WINDOW).await;
    let (mut both, others) = tokio::join!(starts(&one, 50, u64::MAX), starts(&other, 50, u64::MAX));
    assert!(others[49] - both[49] < WINDOW / 2 && both[49] - others[49] < WINDOW / 2, "they take turns");
    both.extend(others);
    both.sort();
    for window in both.windows(21) {
        assert!(window[20] - window[0] >= WINDOW - Duration::from_millis(1), "{window:?}");
    }
    assert!(both[99] - both[0] < Duration::from_millis(5500), "{:?}", both[99] - both[0]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_rate_slows_the_other_replica_down() {
    let row = Arc::<Row>::default();
    let (one, other) = (budget_on(&row, 20), budget_on(&row, 20));
    one.slot(CHANGE, soon()).await.map(start).expect("a slot");
    one.slow_down();
    tokio::time::sleep(WINDOW).await;
    // Learns of it.
    other.slot(CHANGE, soon()).await.map(start).expect("a slot");
    let slow = starts(&other, 21, u64::MAX).await;
    assert!(slow[20] - slow[0] >= Duration::from_millis(1900), "{:?}", slow[20] - slow[0]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let quick = starts(&other, 21, u64::MAX).await;
    assert!(quick[20] - quick[0] < Duration::from_millis(1100), "{:?}", quick[20] - quick[0]);
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_no_call_starts_and_its_return_is_noticed() {
    let row = Arc::<Row>::default();
    let budget = budget_on(&row, 20);
    row.is_unreachable.store(true, Ordering::Relaxed);
    let before = Instant::now();
    let refused = budget.slot(READ, soon()).await;
    assert_eq!(refused.err(), Some(NoSlot::NoLedger));
    assert!(Instant::now() - before < WINDOW * 2);
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { budget.slot(READ, soon()).await.map(start) }
    });
    tokio::time::sleep(WINDOW / 2).await;
    row.is_unreachable.store(false, Ordering::Relaxed);
    // The ledger has failed for so long that the call may have been refused before.
    if waiting.await.expect("no panic").is_err() {
        budget.slot(READ, soon()).await.map(start).expect("a slot");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_reserved_long_ago_are_not_made_up_for() {
    let budget = budget(4);
    let Some(shared) = budget.0.clone() else { panic!("a limit") };
    let now = Instant::now();
    shared.state().reserved.add(now, now, Duration::ZERO, 40, Duration::from_millis(250));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let starts = starts(&budget, 9, u64::MAX).await;
    assert!(starts[8] - starts[0] >= WINDOW * 2, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_can_not_be_served_in_time_is_refused_at_once() {
    let budget = budget(1);
    budget.slot(CHANGE, soon()).await.map(start).expect("the first is free");
    let before = Instant::now();
    let refused = budget.slot(CHANGE, before + Duration::from_millis(500)).await;
    assert_eq!(refused.err(), Some(NoSlot::Full { retry_after: WINDOW }));
    assert_eq!(Instant::now(), before);
    assert!(budget.is_short());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_the_true_wait() {
    let budget = budget(2);
    budget.slot(CHANGE, soon()).await.map(start).expect("free");
    let waiting: Vec<_> = (0..6)
        .map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move { budget.slot(CHANGE, soon()).await.map(start) })
        })
        .collect();
    tokio::task::yield_now().await;
    let refused = budget.slot(CHANGE, Instant::now() + WINDOW).await.expect_err("six wait already");
    assert_eq!(refused, NoSlot::Full { retry_after: Duration::from_millis(3500) });
    for waiter in waiting {
        waiter.await.expect("no panic").expect("a slot");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_the_calls_of_the_other_replicas() {
    let row = Arc::<Row>::default();
    let (one, other) = (budget_on(&row, 4), budget_on(&row, 4));
    let loads: Vec<_> = [&one, &other]
        .map(|budget| {
            let budget = budget.clone();
            tokio::spawn(async move { starts(&budget, 20, u64::MAX).await })
        })
        .into();
    tokio::time::sleep(WINDOW * 2).await;
    let refused = one.slot(CHANGE, Instant::now() + WINDOW).await.expect_err("many wait");
    // 16 calls wait, and each second has 2 calls for this replica.
    let NoSlot::Full { retry_after } = refused else { panic!("{refused:?}") };
    assert!(retry_after > WINDOW * 6 && retry_after < WINDOW * 10, "{retry_after:?}");
    for load in loads {
        load.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_takes_no_slot() {
    let budget = budget(1);
    budget.slot(CHANGE, soon()).await.map(start).expect("the first is free");
    let gone = tokio::spawn({
        let budget = budget.clone();
        async move { budget.slot(CHANGE, soon()).await.map(drop) }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let before = Instant::now();
    budget.slot(READ, soon()).await.map(start).expect("a slot");
    assert_eq!(Instant::now() - before, WINDOW);
}

/// Commits that stall in two replicas end together, beside the calls of other changes.
#[tokio::test(start_paused = true)]
async fn changes_whose_commits_stalled_keep_to_the_limit_of_all_replicas() {
    for stall in [300, 900, 4000] {
        let row = Arc::<Row>::default();
        let (one, other) = (budget_on(&row, 20), budget_on(&row, 20));
        let end = Instant::now() + Duration::from_millis(stall);
        let changes = (0..120).map(|number| {
            let budget = if number % 2 == 0 { &one } else { &other };
            let commit = if number < 60 { Commit::Ends(end) } else { Commit::Takes(WINDOW / 200) };
            change(budget, commit)
        });
        let mut starts = futures_util::future::join_all(changes).await;
        // Calls may start a quarter of a second late, beside those of the other replica.
        are_within(&mut starts, 26);
        let took = starts[119] - starts[0];
        assert!(took < Duration::from_millis(9000 + stall), "{stall} ms: {took:?}");
    }
}

/// A process that was stopped wakes with slots that it was granted, and with reserved calls.
#[tokio::test(start_paused = true)]
async fn a_process_that_was_paused_starts_no_call_of_the_time_that_it_missed() {
    let row = Arc::<Row>::default();
    let (paused, other) = (budget_on(&row, 20), budget_on(&row, 20));
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(paused.slot(CHANGE, soon()).await.expect("a slot"));
    }
    // Its tasks do not run, its clock does.
    tokio::time::advance(Duration::from_millis(600)).await;
    let wakes = futures_util::future::join_all(held.into_iter().map(|slot| {
        let paused = &paused;
        async move {
            if !Box::new(slot).start() {
                change(paused, Commit::Takes(Duration::ZERO)).await;
            }
            Instant::now()
        }
    }));
    let (mut starts, others) = tokio::join!(wakes, self::starts(&other, 40, u64::MAX));
    starts.extend(others);
    are_within(&mut starts, 21);
}

/// Every commit takes a tenth of a second, and every principal has many changes.
#[tokio::test(start_paused = true)]
async fn slow_commits_cost_no_change_its_call() {
    for principals in [1, 10] {
        let budget = budget(20);
        let names: Vec<String> = (0..principals).map(|number| format!("principal {number}")).collect();
        let began = Instant::now();
        let changes = (0..100).map(|number| {
            let (budget, need) =
                (&budget, Need { principal: &names[number % principals], is_last: true, ..CHANGE });
            async move {
                let mut slot = budget.slot(need, soon()).await.expect("a slot");
                tokio::time::sleep(WINDOW / 10).await;
                while !Box::new(slot).start() {
                    let until = Instant::now() + Duration::from_secs(4);
                    slot = budget
                        .slot(Need { is_recorded: true, principal: "", ..need }, until)
                        .await
                        .expect("a slot");
                }
            }
        });
        futures_util::future::join_all(changes).await;
        assert!(began.elapsed() < Duration::from_millis(5500), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_time_is_over_starts_no_call_and_holds_no_other_up() {
    let budget = budget(20);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(budget.slot(CHANGE, soon()).await.expect("a slot"));
    }
    let before = Instant::now();
    budget.slot(READ, soon()).await.map(start).expect("a slot");
    assert!(before.elapsed() < WINDOW, "the commits of the others do not end: {:?}", before.elapsed());
    let mut late = held.into_iter().map(|slot| Box::new(slot).start());
    assert!(late.by_ref().take(14).all(|has_started| !has_started));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_given_back_is_free_at_once() {
    let budget = budget(1);
    let held = budget.slot(CHANGE, soon()).await.expect("a slot");
    let next = tokio::spawn({
        let budget = budget.clone();
        async move { budget.slot(READ, soon()).await.map(start) }
    });
    tokio::time::sleep(WINDOW * 3 / 4).await;
    assert!(!next.is_finished(), "a held slot counts");
    drop(held);
    let before = Instant::now();
    next.await.expect("no panic").expect("a slot");
    assert_eq!(Instant::now(), before);
}

#[tokio::test(start_paused = true)]
async fn calls_are_short_for_a_while_after_one_had_to_wait() {
    let budget = budget(2);
    budget.slot(CHANGE, soon()).await.map(start).expect("a slot");
    assert!(!budget.is_short());
    budget.slot(CHANGE, soon()).await.map(start).expect("a slot");
    assert!(budget.is_short());
    tokio::time::sleep(SHORT_FOR).await;
    assert!(!budget.is_short());
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_hangs_refuses_calls_after_a_second() {
    let row = Arc::new(Row::default());
    let budget = budget_on(&row, 20);
    row.hangs.store(true, Ordering::Relaxed);
    let before = Instant::now();
    assert_eq!(budget.slot(READ, soon()).await.err(), Some(NoSlot::NoLedger));
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    row.hangs.store(false, Ordering::Relaxed);
    budget.slot(READ, soon()).await.map(start).expect("the ledger answers again");
}

#[tokio::test(start_paused = true)]
async fn an_old_failure_does_not_refuse_calls_at_once() {
    let row = Arc::new(Row::default());
    let budget = budget_on(&row, 20);
    row.is_unreachable.store(true, Ordering::Relaxed);
    let short = Instant::now() + Duration::from_millis(50);
    assert!(budget.slot(READ, short).await.is_err());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let back = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        row.is_unreachable.store(false, Ordering::Relaxed);
    };
    let (slot, ()) = tokio::join!(budget.slot(READ, soon()), back);
    slot.map(start).expect("the ledger failed for half a second only");
}
