//! What a replay prints: what was read, a table of routers, and how much of it is estimated.

use std::fmt::Write as _;

use super::trace::{End, Try};
use super::{
    Answer, Figures, Moments, Near, Observed, OwnRules, Parts, Record, Sessions, Settings, Tally,
    Trace, World, play,
};
use crate::clock::Now;
use crate::learnt::Order;
use crate::units::length;

/// Plays a trace with `rank` and with `balanced`, and reports the results. `start` may be any moment: the
/// report does not depend on it.
#[must_use]
pub fn report(trace: &Trace, settings: &Settings, start: Now) -> String {
    let rows = rows(trace, settings, start);
    let mut out = read(trace);
    out += "\n\n";
    out += &table(&rows);
    out += "\n";
    out += &estimated(&rows);
    out
}

/// A row of the table: a router, its figures, and how near the observations behind them are.
pub type Row = (&'static str, Figures, Option<Near>);

/// The rows: what was recorded, `rank` and `balanced`.
#[must_use]
pub fn rows(trace: &Trace, settings: &Settings, start: Now) -> [Row; 3] {
    let observed = Observed::of(trace);
    let played = |order| played(&observed, trace, order, settings, start);
    [
        ("as recorded", recorded(&observed), None),
        played(Order::Rank),
        played(Order::Balanced),
    ]
}

/// A row of the proxy with this setting of `ROUTING`.
fn played(
    quotas: &Observed<'_>,
    trace: &Trace,
    order: Order,
    settings: &Settings,
    start: Now,
) -> Row {
    let name = match order {
        Order::Rank => "rank",
        Order::Balanced => "balanced",
    };
    let (candidates, moments) = (trace.candidates.clone(), Moments::from(start));
    let routing = (order, Parts::ALL);
    let router = OwnRules::new(quotas, candidates, quotas, moments, settings, routing);
    let mut world = Observed::of(trace);
    let records = play(&mut world, router, settings);
    let mut tally = Tally::default();
    for (number, record) in records.iter().enumerate() {
        tally.add(&world.request(number), record, true);
    }
    (name, tally.figures(), Some(world.near().clone()))
}

/// The figures that the trace itself records.
fn recorded(observed: &Observed<'_>) -> Figures {
    let mut tally = Tally::default();
    let mut sessions = Sessions::default();
    for (request, tries) in observed.recorded() {
        let answer = tries.last().and_then(|last| {
            let End::Answered { breaks } = last.end else {
                return None;
            };
            if breaks && last.first.is_none() {
                return None;
            }
            Some((last, breaks))
        });
        let answer = answer.map(|(last, broken): (&Try, bool)| {
            let switched = sessions.switched(&request, last.candidate);
            let wait = last.after + last.first.unwrap_or(last.total);
            sessions.served(&request, last.candidate, request.at + wait);
            Answer {
                rank: observed.rank(last.tier, last.place),
                wait,
                switched,
                broken,
            }
        });
        let record = Record {
            answer,
            attempts: u32::try_from(tries.len()).unwrap_or(u32::MAX),
            wasted: 0,
        };
        tally.add(&request, &record, true);
    }
    tally.figures()
}

/// What was read, and what was not.
fn read(trace: &Trace) -> String {
    let read = trace.read();
    let left_out = read.left_out;
    let mut out = format!(
        "Replayed {} made within {}, to {} through {}.",
        count(trace.requests(), "request"),
        length(trace.lasted().as_secs()),
        count(trace.candidates(), "model"),
        count(trace.accounts(), "account"),
    );
    #[rustfmt::skip]
    let not = [
        (read.skipped,     "Lines skipped because they are not part of a trace"),
        (read.beyond,      "Lines skipped because the trace is too long"),
        (left_out.named,   "Requests left out because they named their model"),
        (left_out.left,    "Requests left out because their client left"),
        (left_out.refused, "Requests left out because the request itself was refused"),
        (left_out.torn,    "Requests left out because some of their lines are missing"),
    ];
    for (count, what) in not.into_iter().filter(|(count, _)| *count > 0) {
        write!(out, "\n{what}: {count}.").ok();
    }
    out
}

/// A plain answer has no time to the first token.
fn first_token(figures: &Figures, seconds: f64) -> String {
    match figures.streams {
        0 => "-".to_owned(),
        _ => format!("{seconds:.2}"),
    }
}

fn count(number: usize, what: &str) -> String {
    let more = if number == 1 { "" } else { "s" };
    format!("{number} {what}{more}")
}

fn table(rows: &[Row]) -> String {
    const HEAD: [&str; 10] = [
        "ROUTING",
        "utility",
        "answered, %",
        "first token p50, s",
        "p95, s",
        "extra attempts",
        "breaks of 1000",
        "mean rank",
        "as recorded, %",
        "else, from s away",
    ];
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.push(HEAD.map(|head| if head == "ROUTING" { "---" } else { "---:" }.to_owned()));
    for (name, figures, near) in rows {
        let away = near.as_ref().and_then(Near::median);
        lines.push([
            (*name).to_owned(),
            format!("{:.1}", figures.utility),
            format!("{:.1}", figures.answered),
            first_token(figures, figures.p50),
            first_token(figures, figures.p95),
            format!("{:.3}", figures.extra),
            format!("{:.1}", figures.breaks),
            format!("{:.2}", figures.rank),
            near.as_ref()
                .map_or("100".to_owned(), |near| format!("{:.0}", near.share())),
            away.map_or(String::new(), |away| format!("{away:.0}")),
        ]);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let widths: Vec<_> = (0..HEAD.len()).map(|n| width(n).unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &lines {
        for (n, (cell, width)) in line.iter().zip(&widths).enumerate() {
            out += &if n == 0 {
                format!("| {cell:width$} ")
            } else {
                format!("| {cell:>width$} ")
            };
        }
        out += "|\n";
    }
    out
}

/// How much of the table is estimated.
fn estimated(rows: &[Row]) -> String {
    let mut out = "Utility is in points out of 100 per request: minus 4 for each rank, 2 for each second to the first token\n\
         (to the end of a plain answer) and 2 for a change of model within a session; 0 without a complete answer."
        .to_owned();
    for (name, _, near) in rows {
        let Some(near) = near else { continue };
        write!(
            out,
            "\n{name}: {:.0}% of its attempts are as recorded",
            near.share()
        )
        .ok();
        if let Some(away) = near.median() {
            write!(
                out,
                "; the others are estimated from the same model's nearest attempts, a median of {away:.0} s away",
            )
            .ok();
        }
        out.push('.');
    }
    out += "\nThe further away, the weaker the estimate: a model that was not asked may or may not have been working.";
    out
}
