//! `README.ru.md` says what `README.md` says. The wording is for a translator to check; what a
//! reader types, follows or looks up is the same in both, section by section.

use std::fs;
use std::path::{Path, PathBuf};

const ENGLISH: &str = "README.md";
const RUSSIAN: &str = "README.ru.md";

#[test]
fn s8_readme_each_language_links_the_other_at_the_top() {
    let line = |path| read(path).lines().nth(2).unwrap().to_owned();
    assert_eq!(line(ENGLISH), format!("English | [Русский]({RUSSIAN})"));
    assert_eq!(line(RUSSIAN), format!("[English]({ENGLISH}) | Русский"));
}

#[test]
fn s8_readme_has_the_same_headings_in_both_languages() {
    let levels = |page: &[Section]| page.iter().map(|one| one.level).collect::<Vec<_>>();
    let (english, russian) = both();
    assert_eq!(levels(&russian), levels(&english));
    assert!(english.len() > 6, "{} headings", english.len());
}

#[test]
fn s8_readme_has_the_same_commands_in_both_languages() {
    assert!(same(|section| section.blocks.clone()) > 6);
}

#[test]
fn s8_readme_has_the_same_links_and_images_in_both_languages() {
    assert!(same(|section| sorted(links(&section.prose))) > 12);
    for link in both().1.iter().flat_map(|one| links(&one.prose)) {
        let path = link.trim_start_matches('!').split('#').next().unwrap();
        let there = path.starts_with("http") || root().join(path).exists();
        assert!(there, "nothing is at {link}");
    }
}

#[test]
fn s8_readme_has_the_same_rows_in_its_tables_in_both_languages() {
    assert!(same(|section| first_cells(&section.prose)) > 3);
}

/// The names of settings, headers, routes and codes, wherever they appear; their order within a
/// sentence depends on the language.
#[test]
fn s8_readme_names_the_same_things_in_both_languages() {
    assert!(same(|section| sorted(spans(&section.prose))) > 15);
}

/// A heading and what is under it, up to the next one of any level.
struct Section {
    title: String,
    level: usize,
    /// The fenced blocks, each with its language; those for the shell without their comments.
    blocks: Vec<String>,
    /// Everything else.
    prose: String,
}

/// Asserts that what `of` finds is the same in both files, and says how much it found.
fn same(of: impl Fn(&Section) -> Vec<String>) -> usize {
    let (english, russian) = both();
    assert_eq!(english.len(), russian.len(), "headings");
    let mut found = 0;
    for (english, russian) in english.iter().zip(&russian) {
        let (expected, title) = (of(english), &russian.title);
        assert_eq!(of(russian), expected, "{RUSSIAN}, under {title:?}");
        found += expected.len();
    }
    found
}

/// Both files, without the line in which each links the other.
fn both() -> (Vec<Section>, Vec<Section>) {
    let english = read(ENGLISH).replacen(&format!("]({RUSSIAN})"), "]", 1);
    let russian = read(RUSSIAN).replacen(&format!("]({ENGLISH})"), "]", 1);
    (sections(&english), sections(&russian))
}

fn sections(page: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    // The language of the block that is open.
    let mut open: Option<String> = None;
    for line in page.lines() {
        let title = line.trim_start_matches('#');
        if open.is_none() && title.starts_with(' ') && title.len() < line.len() {
            sections.push(Section {
                title: title.trim().to_owned(),
                level: line.len() - title.len(),
                blocks: Vec::new(),
                prose: String::new(),
            });
            continue;
        }
        let section = sections.last_mut().expect("a page begins with its title");
        match (&open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                section.blocks.push(format!("{language}\n"));
                open = Some(language.to_owned());
            }
            (Some(_), Some(_)) => open = None,
            (Some(language), None) => {
                let line = if language == "sh" {
                    command(line)
                } else {
                    line
                };
                let block = section.blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {
                section.prose.push_str(line);
                section.prose.push('\n');
            }
        }
    }
    assert_eq!(open, None, "a block is not closed");
    sections
}

/// A line of shell without its comment: a `#` begins one at the start of a word, outside quotes.
fn command(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match quote {
            Some(mark) if letter == mark => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter == '#' && before.is_whitespace() => {
                return line.split_at(at).0.trim_end();
            }
            _ => {}
        }
        before = letter;
    }
    line.trim_end()
}

/// The targets of `[text](target)` and `<https://...>`; an image has a `!` before it.
fn links(prose: &str) -> Vec<String> {
    let mut links = Vec::new();
    let parts: Vec<&str> = prose.split("](").collect();
    for (text, target) in parts.iter().zip(parts.iter().skip(1)) {
        let (before, _) = text.rsplit_once('[').expect("a link's text is in brackets");
        let kind = if before.ends_with('!') { "!" } else { "" };
        links.push(format!("{kind}{}", target.split(')').next().unwrap()));
    }
    for rest in prose.split("<http").skip(1) {
        links.push(format!("http{}", rest.split('>').next().unwrap()));
    }
    links
}

/// The first cell of each row, without its words: the code and the numbers in it, in order.
fn first_cells(prose: &str) -> Vec<String> {
    let rows = prose.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| {
        let cell = row.split(" | ").next().unwrap();
        let mut kept = String::new();
        for (nth, part) in cell.split('`').enumerate() {
            if nth % 2 == 1 {
                kept.push_str(&format!("`{part}`"));
            } else {
                kept.extend(part.chars().filter(char::is_ascii_digit));
            }
        }
        kept
    })
    .collect()
}

/// The text between backticks.
fn spans(prose: &str) -> Vec<String> {
    let parts = prose.split('`');
    parts.skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
