//! The tables of `docs/simulated-routing.md`: written, and read back as the ledger of figures.

use free_llm_proxy::replay;

use super::metrics::Figures;
use super::study::{Row, scenarios};

/// A row for each router: % of the oracle's utility in each scenario, and means over the episodes. `+-`
/// is the standard error of the mean's difference to the last row's.
pub fn summary(rows: &[Row]) -> String {
    let names: Vec<_> = scenarios().map(|scenario| scenario.name).collect();
    let last = rows.last().unwrap();
    let mut out = format!(
        "| router | mean | +- | {} | answered % | p95 / oracle's: mean | worst | p99 s | extra | wasted | breaks | rank | switches | hasty | patient |\n| --- |{}\n",
        names.join(" | "),
        " ---: |".repeat(names.len() + 13)
    );
    for row in rows {
        let utilities = row
            .figures
            .iter()
            .map(|figures| format!("{:.1}", figures.utility));
        out += &format!(
            "| {} | {:.2} | {:.2} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.3} | {:.3} | {:.1} | {:.2} | {:.1} | {:.1} | {:.1} |\n",
            row.name,
            row.mean(|f| f.utility),
            row.error(last),
            utilities.collect::<Vec<_>>().join(" | "),
            row.mean(|f| f.answered),
            row.mean(|f| f.p95_ratio),
            row.worst(|f| f.p95_ratio),
            row.mean(|f| f.own.p99),
            row.mean(|f| f.own.extra),
            row.mean(|f| f.own.wasted),
            row.mean(|f| f.own.breaks),
            row.mean(|f| f.own.rank),
            row.mean(|f| f.own.switches),
            row.mean(|f| f.own.hasty),
            row.mean(|f| f.own.patient),
        );
    }
    out
}

/// Each scenario's own table.
pub fn by_scenario(rows: &[Row]) -> String {
    let tables = scenarios().enumerate().map(|(n, scenario)| {
        let lines = rows.iter().map(|row| line(row.name, &row.figures[n]));
        format!(
            "\n{}\n\n| router | answered, % of oracle's | utility, % of oracle's | TTFT p50 | p95 | p99 | p95 / oracle's | extra attempts / answer | of them wasted | breaks / 1000 | mean rank | switches / 100 turns |\n| --- |{}\n{}",
            scenario.name,
            " ---: |".repeat(11),
            lines.collect::<String>()
        )
    });
    tables.collect()
}

fn line(name: &str, figures: &Figures) -> String {
    let Figures {
        answered,
        utility,
        p95_ratio,
        own,
    } = figures;
    let replay::Figures {
        p50,
        p95,
        p99,
        extra,
        wasted,
        breaks,
        rank,
        switches,
        ..
    } = own;
    format!(
        "| {name} | {answered:.1} | {utility:.1} | {p50:.2} | {p95:.2} | {p99:.1} | {p95_ratio:.2} | {extra:.3} | {wasted:.3} | {breaks:.1} | {rank:.2} | {switches:.1} |\n"
    )
}

/// A router's name, and its utilities.
pub type Utilities = (String, Vec<f64>);

/// What each router reached of the oracle's utility when the table was written: in the mean and in each
/// scenario.
pub fn utilities(table: &str) -> Vec<Utilities> {
    let lines = table.lines().skip(2);
    let row = |line| {
        let mut cells = str::split(line, '|').skip(1).map(str::trim);
        let (name, mean) = (cells.next()?, cells.next()?);
        let utilities = std::iter::once(mean).chain(cells.skip(1));
        let utilities = utilities.take(1 + scenarios().count());
        let name = name.to_owned();
        Some((name, utilities.map(|cell| cell.parse().unwrap()).collect()))
    };
    lines.filter_map(row).collect()
}
