//! The clients as lines: those with limits of their own, and what is left of these (spec §13). Pure.

use serde_json::Value;

use super::accounts::{bucket_in_words, left};
use super::{Line, Tone, array, line, text};
use crate::cli::Local;

/// Whether there are several: with one its name adds nothing.
pub(super) fn are_many(state: &Value) -> bool {
    array(&state["clients"]).len() > 1
}

/// Nothing if no client has limits.
pub(super) fn lines(state: &Value, local: Local) -> Vec<Line> {
    let clients = array(&state["clients"]).iter();
    let limited: Vec<_> = clients
        .filter(|client| !array(&client["limits"]).is_empty())
        .collect();
    if limited.is_empty() {
        return Vec::new();
    }
    let names = limited.iter().map(|client| text(&client["name"]));
    let width = names.map(|name| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let rows = limited.iter().map(|client| row(client, width, local));
    std::iter::once(line("clients:")).chain(rows).collect()
}

fn row(client: &Value, width: usize, local: Local) -> Line {
    let name = text(&client["name"]);
    let mut pieces = vec![(Tone::Plain, format!("  {name:width$} "))];
    let limits = array(&client["limits"]);
    for (nth, limit) in limits.iter().enumerate() {
        let tone = match left(limit) {
            Some(0) => Tone::Bad,
            Some(_) | None => Tone::Plain,
        };
        let gap = if nth + 1 < limits.len() { ";" } else { "" };
        pieces.push((tone, format!(" {}{gap}", bucket_in_words(limit, local))));
    }
    pieces
}
