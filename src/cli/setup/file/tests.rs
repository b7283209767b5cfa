use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use super::*;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

#[test]
fn only_the_owner_can_read_a_new_file_and_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/settings.json");
    let file = File::find(vec![path.clone()]).unwrap();
    assert_eq!(file.text(), None);
    assert_eq!(file.replace("{}", NOW).unwrap(), None);
    assert_eq!((text(&path).as_str(), mode(&path)), ("{}", 0o600));
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(names(path.parent().unwrap()), ["settings.json"]);
}

#[test]
fn a_file_keeps_its_mode_and_a_dated_backup() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.json");
    for (number, backup) in [
        "x.json.1970-01-01T000001Z.bak",
        "x.json.1970-01-01T000001Z-2.bak",
    ]
    .into_iter()
    .enumerate()
    {
        let old = format!("old {number}");
        fs::write(&path, &old).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let file = File::find(vec![path.clone()]).unwrap();
        let kept = file.replace("new", NOW + Duration::from_secs(1)).unwrap();
        let kept = kept.unwrap();
        assert_eq!(kept, dir.path().join(backup));
        assert_eq!((text(&kept), mode(&kept)), (old, 0o640));
        assert_eq!((text(&path).as_str(), mode(&path)), ("new", 0o640));
        assert_eq!(file.open_to_others(), Some(0o640));
    }
}

#[test]
fn a_link_stays_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (real, path) = (dir.path().join("dotfiles"), dir.path().join("x.json"));
    fs::write(&real, "old").unwrap();
    symlink("dotfiles", &path).unwrap();
    let file = File::find(vec![path.clone()]).unwrap();
    let kept = file.replace("new", NOW).unwrap().unwrap();
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("dotfiles"));
    assert_eq!((text(&real).as_str(), text(&kept).as_str()), ("new", "old"));
    assert!(kept.ends_with("x.json.1970-01-01T000000Z.bak"), "{kept:?}");
}

#[test]
fn the_first_place_that_exists_is_used_or_else_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let (first, last) = (dir.path().join("a"), dir.path().join("b"));
    let found = || File::find(vec![first.clone(), last.clone()]).unwrap();
    assert_eq!(found().path(), last);
    fs::write(&first, "").unwrap();
    fs::write(&last, "").unwrap();
    assert_eq!(found().path(), first);
}

#[test]
fn what_is_not_a_plain_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    fs::write(at("bytes"), [0xff]).unwrap();
    fs::write(at("huge"), vec![b' '; 5 * 1024 * 1024]).unwrap();
    fs::write(at("fixed"), "").unwrap();
    fs::set_permissions(at("fixed"), fs::Permissions::from_mode(0o444)).unwrap();
    #[rustfmt::skip]
    let rows = [
        ("folder",    "is no file"),
        ("dangling",  "leads nowhere"),
        ("bytes",     "is not UTF-8 text"),
        ("huge",      "is larger than any settings file"),
        ("fixed",     "is read-only"),
        ("bytes/x",   "cannot be read"),
    ];
    for (name, expected) in rows {
        let problem = File::find(vec![at(name)]).err().unwrap();
        let expected = format!("{} {expected}", at(name).display());
        assert!(problem.starts_with(&expected), "{problem}");
    }
}

#[test]
fn a_file_that_was_changed_meanwhile_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.json");
    fs::write(&path, "old").unwrap();
    let file = File::find(vec![path.clone()]).unwrap();
    fs::write(&path, "newer").unwrap();
    let problem = file.replace("new", NOW).unwrap_err();
    assert!(problem.contains("was changed meanwhile"), "{problem}");
    assert_eq!(text(&path), "newer");
    assert_eq!(names(dir.path()), ["x.json"]);
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
