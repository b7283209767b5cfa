//! The samples as Markdown: for each figure the median of every target, and the median of how the
//! targets of one round compare.

use std::fmt::Write as _;

use crate::figure::{Versus, median};
use crate::rounds::Sample;
use crate::scenario::Scenario;

/// The targets by their role.
pub(crate) struct Columns<'a> {
    /// All, in order.
    pub(crate) all: Vec<&'a str>,
    /// The connection without a proxy, if it takes part.
    pub(crate) direct: Option<&'a str>,
    /// Pairs to compare: the first divided by the second.
    pub(crate) pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Columns<'a> {
    /// `direct` and `nginx` are recognised by name. Every other target is compared with nginx, and
    /// the last with the first if several are builds of ours.
    pub(crate) fn of(all: Vec<&'a str>, ours: &[&'a str]) -> Self {
        let has = |name: &str| all.contains(&name);
        let mut pairs = Vec::new();
        if has("nginx") {
            let others = all
                .iter()
                .filter(|name| !["direct", "nginx"].contains(*name));
            pairs.extend(others.map(|name| (*name, "nginx")));
        }
        if let [first, .., last] = ours {
            pairs.push((last, first));
        }
        Self {
            direct: has("direct").then_some("direct"),
            all,
            pairs,
        }
    }
}

/// One scenario's table, with a heading.
pub(crate) fn of(scenario: &Scenario, samples: &[Sample], columns: &Columns<'_>) -> String {
    let samples: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.scenario == scenario.name)
        .collect();
    let mut text = format!("### {}\n\n{}.\n\n", scenario.name, scenario.about);
    let shown = |name: &&str| samples.iter().any(|sample| sample.target == **name);
    let all: Vec<&str> = columns.all.iter().copied().filter(shown).collect();
    let pairs: Vec<_> = columns
        .pairs
        .iter()
        .filter(|(one, other)| all.contains(one) && all.contains(other))
        .collect();

    let mut head = vec!["figure".to_owned()];
    head.extend(all.iter().map(|name| (*name).to_owned()));
    head.extend(pairs.iter().map(|(one, other)| format!("{one} : {other}")));
    row(&mut text, &head);
    row(&mut text, &vec!["---".to_owned(); head.len()]);
    for (name, unit, versus) in figures(&samples) {
        let series = |target: &str| series(&samples, target, name);
        let direct = columns
            .direct
            .filter(|direct| versus == Versus::Added && all.contains(direct));
        let mut cells = vec![format!("{name}, {unit}")];
        for target in &all {
            let own = series(target);
            cells.push(match direct {
                Some(direct) if direct != *target => {
                    let added = same_round(&own, &series(direct), |one, other| one - other);
                    median(&added).map_or_else(String::new, signed)
                }
                Some(_) | None => median(&values(&own)).map_or_else(String::new, number),
            });
        }
        for (one, other) in &pairs {
            cells.push(compared(&series(one), &series(other), versus));
        }
        row(&mut text, &cells);
    }
    remarks(&mut text, &samples);
    text
}

/// The figures in the order of the target that has the most.
fn figures<'s>(samples: &[&'s Sample]) -> Vec<(&'s str, &'s str, Versus)> {
    let mut samples = samples.to_vec();
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.figures.len()));
    let mut all: Vec<(&str, &str, Versus)> = Vec::new();
    for figure in samples.iter().flat_map(|sample| &sample.figures) {
        if !all.iter().any(|(name, ..)| *name == figure.name) {
            all.push((figure.name, figure.unit, figure.versus));
        }
    }
    all
}

/// A target's values of one figure, by round.
fn series(samples: &[&Sample], target: &str, name: &str) -> Vec<(usize, f64)> {
    let own = samples.iter().filter(|sample| sample.target == target);
    own.filter_map(|sample| {
        let figure = sample.figures.iter().find(|figure| figure.name == name)?;
        Some((sample.round, figure.value))
    })
    .collect()
}

fn values(series: &[(usize, f64)]) -> Vec<f64> {
    series.iter().map(|(_, value)| *value).collect()
}

fn same_round(
    one: &[(usize, f64)],
    other: &[(usize, f64)],
    compare: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let pairs = one.iter().filter_map(|(round, value)| {
        let (_, against) = other.iter().find(|(r, _)| r == round)?;
        Some(compare(*value, *against))
    });
    pairs.collect()
}

/// The median of how two targets compare, and how much the rounds differ.
fn compared(one: &[(usize, f64)], other: &[(usize, f64)], versus: Versus) -> String {
    let (compared, write): (Vec<f64>, fn(f64) -> String) = match versus {
        Versus::Nothing => return String::new(),
        Versus::Ratio => (same_round(one, other, |a, b| a / b), |v| format!("{v:.2}x")),
        Versus::Added => (same_round(one, other, |a, b| a - b), signed),
    };
    let least = compared.iter().copied().min_by(f64::total_cmp);
    let most = compared.iter().copied().max_by(f64::total_cmp);
    match (median(&compared), least, most) {
        (Some(middle), Some(least), Some(most)) if compared.len() > 1 => {
            format!("{} ({} to {})", write(middle), write(least), write(most))
        }
        (Some(middle), ..) => write(middle),
        (None, ..) => String::new(),
    }
}

/// What went wrong, and what a reader must know.
fn remarks(text: &mut String, samples: &[&Sample]) {
    let mut lines: Vec<String> = Vec::new();
    for sample in samples {
        let (target, round) = (&sample.target, sample.round + 1);
        if sample.errors > 0 {
            let trouble = sample.trouble.as_deref().unwrap_or("no answer in time");
            lines.push(format!(
                "- {target}, round {round}: {} errors ({trouble})",
                sample.errors
            ));
        }
        lines.extend(sample.note.iter().map(|note| format!("- {target}: {note}")));
    }
    let mut seen = Vec::new();
    lines.retain(|line| {
        let new = !seen.contains(line);
        seen.push(line.clone());
        new
    });
    if !lines.is_empty() {
        text.push('\n');
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
}

fn row(text: &mut String, cells: &[String]) {
    // Writing into a String cannot fail.
    writeln!(text, "| {} |", cells.join(" | ")).ok();
}

/// Three digits, or all digits before the decimal point.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => grouped(value),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn signed(value: f64) -> String {
    let sign = if value < 0.0 { '-' } else { '+' };
    format!("{sign}{}", number(value.abs()))
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        let left = digits.len() - at;
        if at > 0 && left % 3 == 0 && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text.replace("-,", "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figure;
    use crate::scenario;

    fn sample(target: &str, round: usize, cpu: f64, latency: f64) -> Sample {
        Sample {
            scenario: scenario::ALL[0].name,
            target: target.into(),
            round,
            figures: vec![
                Figure::ratio("CPU", "us", cpu),
                Figure::added("p50", "us", latency),
            ],
            errors: 0,
            trouble: None,
            note: None,
        }
    }

    #[test]
    fn ratios_are_those_of_one_round() {
        let mut samples = vec![
            sample("direct", 0, 1.0, 50.0),
            sample("nginx", 0, 10.0, 60.0),
            sample("before", 0, 20.0, 90.0),
            sample("after", 0, 15.0, 80.0),
            // A slow round: all take twice as long.
            sample("direct", 1, 2.0, 100.0),
            sample("nginx", 1, 20.0, 120.0),
            sample("before", 1, 40.0, 180.0),
            sample("after", 1, 30.0, 160.0),
        ];
        samples[3].errors = 2;
        samples[3].trouble = Some("status 503".into());
        let columns = Columns::of(
            vec!["direct", "nginx", "before", "after"],
            &["before", "after"],
        );
        let text = of(&scenario::ALL[0], &samples, &columns);
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "| figure | direct | nginx | before | after | before : nginx | after : nginx | after : before |",
                "| --- | --- | --- | --- | --- | --- | --- | --- |",
                "| CPU, us | 1.50 | 15.0 | 30.0 | 22.5 | 2.00x (2.00x to 2.00x) | 1.50x (1.50x to 1.50x) | 0.75x (0.75x to 0.75x) |",
                "| p50, us | 75.0 | +15.0 | +60.0 | +45.0 | +45.0 (+30.0 to +60.0) | +30.0 (+20.0 to +40.0) | -15.0 (-20.0 to -10.0) |",
                "",
                "- after, round 1: 2 errors (status 503)",
            ]
        );
    }

    #[test]
    fn numbers_have_three_digits_or_more() {
        #[rustfmt::skip]
        let rows = [
            (0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.0, "1,234"),
            (123_456.0, "123,456"), (1_234_567.8, "1,234,568"), (-123_456.0, "-123,456"),
        ];
        for (value, expected) in rows {
            assert_eq!(number(value), expected);
        }
        assert_eq!(
            (signed(-5.0), signed(5.0)),
            ("-5.00".into(), "+5.00".into())
        );
    }
}
