//! The table as `docs/clients.md` shows it.

use super::{Frame, Known, TABLE};
use crate::config::{between, keep};

const BEGIN: &str = "<!-- clients: begin (written by `UPDATE=1 cargo test clients`) -->\n";
const END: &str = "<!-- clients: end -->\n";

#[test]
fn s3_the_documentation_shows_the_table() {
    keep("docs/clients.md", |old| between(old, BEGIN, END, &table()));
}

fn table() -> String {
    let mut out = "| client | API | `User-Agent` | our status is kept if it is | any other becomes | an error frame | \
                   otherwise it would show |\n\
                   | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for row in TABLE {
        out += &line(row);
    }
    out.trim_end().to_owned()
}

fn line(row: &Known) -> String {
    let statuses: Vec<_> = row.speaks_on.iter().map(u16::to_string).collect();
    let statuses = statuses.join(", ");
    let mut frame = match row.frame {
        Frame::Plain => "as usual",
        Frame::BehindABlock => "behind an empty block",
    }
    .to_owned();
    if !row.silenced_by.is_empty() {
        frame += "; here and there words that it would take for a passing trouble are kept from matching";
    }
    format!(
        "| {} | {} | `{}...` | {statuses} | {} | {frame} | {} |\n",
        row.name,
        row.surface.as_str(),
        row.user_agent,
        row.sent_as,
        row.otherwise
    )
}
