//! Changes many tunnels through a running gateway, batch by batch: `tunnelgate rollout`. A client: nothing of it runs in the
//! service. [`plan`] reads what to change, `survey` asks the gateway what that would do, `pairs` finds tunnels that
//! share a peer range, [`order`] keeps them apart, `run` and `change` do it, and [`state`] remembers what must not be done twice.

mod adopt;
mod base;
mod caller;
mod change;
mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod gateway;
mod hook;
mod job;
pub mod order;
mod output;
mod pairs;
pub mod plan;
mod prepare;
mod problem;
mod report;
mod run;
pub mod state;
mod survey;
mod surveyed;
mod task;

use std::io::{BufRead, IsTerminal, Write};

use change::Worker;
use output::Output;
use prepare::Prepared;
use report::Report;
use run::{Run, Stop};
use state::{State, Step, Store};
use surveyed::Surveyed;

pub use base::{Base, InvalidUrl};
pub use client::{Client, Token};
pub use error::RolloutError;
pub use hook::Hooks;
pub use job::{Job, Source, World};

/// All tunnels are as asked; a dry run found nothing to change.
pub const ALL_AS_ASKED: u8 = 0;
/// Not all tunnels are as asked.
pub const NOT_ALL: u8 = 1;
/// Nothing was begun.
pub const NOTHING_BEGUN: u8 = 2;
/// A dry run found something to change.
pub const WOULD_CHANGE: u8 = 3;

/// How many batches the question counts. Thousands of tunnels that all share a range have a batch each.
const MAX_COUNTED: usize = 500;

/// Runs a rollout; returns its exit code.
///
/// # Errors
/// If nothing was begun because the plan is invalid, or because the gateway or the state file can't be used; or if the state
/// could not be written, and the rollout stopped.
pub async fn run(client: &Client, job: &Job, world: &World) -> Result<u8, RolloutError> {
    let output = Output::new(job.is_json);
    let ready = async {
        let prepared = prepare::prepare(client, job, world).await?;
        let reason = prepared.reason(job);
        let surveyed = surveyed::survey(client, &prepared, world, reason.as_deref(), &output).await;
        Ok::<_, RolloutError>((prepared, surveyed))
    };
    let (prepared, surveyed) = tokio::select! {
        ready = ready => ready?,
        () = world.shutdown.requested() => return Ok(NOTHING_BEGUN),
    };
    surveyed.show(&prepared, &output);
    if prepared.refuses_all(surveyed.has_refusals()) {
        output.note("nothing was sent: correct what was refused, and start again");
        return Ok(NOTHING_BEGUN);
    }
    if job.is_dry_run && !prepared.is_rollback && surveyed.has_refusals() {
        return Ok(NOTHING_BEGUN);
    }
    let under_way = prepared.under_way();
    let begins = !surveyed.queue.is_empty() || under_way > 0;
    if job.is_dry_run {
        return Ok(if begins { WOULD_CHANGE } else { ALL_AS_ASKED });
    }
    if begins {
        if !job.is_confirmed && !confirm(&question(job, &prepared, &surveyed), world).await? {
            output.note("nothing was sent");
            return Ok(NOTHING_BEGUN);
        }
    } else if prepared.store.is_none() {
        output.note("nothing to change");
        let nothing =
            State { tunnels: surveyed.entries(&prepared), ..prepared.new_state(client, job, world) };
        let report = Report::of(&nothing, &surveyed.skipped());
        let exit =
            if report.is_whole() && prepared.irreversible.is_empty() { ALL_AS_ASKED } else { NOTHING_BEGUN };
        report.show(&output, None, exit);
        return Ok(exit);
    }
    carry_out(client, job, world, &output, prepared, surveyed).await
}

/// Begins, or goes on.
async fn carry_out(
    client: &Client,
    job: &Job,
    world: &World,
    output: &Output,
    mut prepared: Prepared,
    surveyed: Surveyed,
) -> Result<u8, RolloutError> {
    let store = match prepared.store.take() {
        Some(store) => {
            if let Some(note) = prepared.adopted.note(&store) {
                output.note(&note);
            }
            prepared.adopted.record(&store, &prepared.caller).await?;
            let done = |state: &mut State| {
                for index in &surveyed.as_asked {
                    if let Some(entry) = state.tunnels.get_mut(*index) {
                        entry.step = Step::Done { operation_id: None };
                    }
                }
            };
            store.update(done).await?;
            store
        }
        None => {
            let state =
                State { tunnels: surveyed.entries(&prepared), ..prepared.new_state(client, job, world) };
            Store::create(&prepared.state_path, state)?
        }
    };
    let reason = store.look(|state| state.reason.clone());
    let worker = Worker {
        client,
        store: &store,
        hooks: &job.hooks,
        reason: reason.as_deref(),
        output,
        clock: &*world.clock,
        chance: &*world.chance,
    };
    let run = Run {
        tasks: &prepared.tasks,
        members: &surveyed.members,
        queue: surveyed.queue.clone(),
        store: &store,
        worker,
        sizes: &job.sizes,
        max_failures: job.max_failures,
        output,
        shutdown: &world.shutdown,
    };
    let ended = run.run().await;
    output.end();
    let ended = ended.map_err(RolloutError::Stopped)?;
    match ended.stop {
        Some(Stop::Failures(failures)) => {
            output.note(&format!("stopped: {failures} tunnels are not as asked (--max-failures)"));
        }
        Some(Stop::Interrupted) => output.note("stopped, as requested"),
        None => {}
    }
    let mut skipped = ended.skipped;
    skipped.extend(surveyed.skipped());
    let report = store.look(|state| Report::of(state, &skipped));
    let is_untouched =
        store.look(|state| state.tunnels.iter().all(|entry| matches!(entry.step, Step::Waiting)));
    let exit = match (report.is_whole() && prepared.irreversible.is_empty(), is_untouched) {
        (true, _) => ALL_AS_ASKED,
        (false, true) => NOTHING_BEGUN,
        (false, false) => NOT_ALL,
    };
    report.show(output, Some(store.path()), exit);
    if !report.is_whole() {
        output.note(&job.source.how_to_go_on(store.path()));
    }
    Ok(exit)
}

/// The question before the first change.
fn question(job: &Job, prepared: &Prepared, surveyed: &Surveyed) -> String {
    let (queue, total) = (&surveyed.queue, prepared.tasks.len());
    let (batches, is_all) = order::batches(queue, &job.sizes, total, &surveyed.members, MAX_COUNTED);
    format!(
        "{} {} tunnels in {}{} batches ({}){}?",
        if prepared.is_rollback { "Roll back" } else { "Change" },
        queue.len(),
        if is_all { "" } else { "more than " },
        batches.len(),
        job.sizes,
        match prepared.under_way() {
            0 => String::new(),
            under_way => format!(", after {under_way} that are under way"),
        },
    )
}

/// Asks on the terminal.
async fn confirm(question: &str, world: &World) -> Result<bool, RolloutError> {
    if !std::io::stdin().is_terminal() {
        return Err(RolloutError::NobodyToAsk);
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        answer = answer => {
            let answer = answer.ok().and_then(Result::ok).unwrap_or_default();
            if !answer.ends_with('\n') {
                let _ = writeln!(std::io::stderr());
            }
            Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
        }
        () = world.shutdown.requested() => {
            let _ = writeln!(std::io::stderr());
            Ok(false)
        }
    }
}
