use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

const TEXT: &[u8] = b"free-llm-proxy state 1\n{}\n";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn s12_3_a_file_is_replaced_as_a_whole_and_is_private_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/yet/there/state");
    let (mut file, text) = StateFile::open(&path).unwrap();
    assert_eq!(text, b"", "an empty file is none");
    for text in [TEXT, &TEXT.repeat(1000), TEXT] {
        file.write(text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
        assert_eq!(mode(&path), 0o600);
    }
    assert!(!file.in_place);
    let inside = path.parent().unwrap();
    assert_eq!(names(inside), ["state"]);
    assert_eq!(mode(inside), 0o700);
    assert_eq!(mode(inside.parent().unwrap()), 0o700);
    drop(file);
    let (_, text) = StateFile::open(&path).unwrap();
    assert_eq!(text, TEXT);
}

#[test]
fn s12_3_a_file_that_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("mine"), TEXT).unwrap();
    fs::write(at("newer"), "free-llm-proxy state 99\n?").unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("env"), "PROXY_API_KEY=x\n").unwrap();
    fs::write(at("nearly"), &MARK[..MARK.len() - 1]).unwrap();
    symlink(at("env"), at("link")).unwrap();
    symlink(at("round"), at("round")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let _taken = StateFile::open(&at("taken")).unwrap();
    symlink(at("taken"), at("other-name")).unwrap();
    #[rustfmt::skip]
    let rows = [
        ("new",        ""),
        ("mine",       ""),
        ("newer",      ""),
        ("empty",      ""),
        ("env",        "holds something other than our state, which is left as it is"),
        ("nearly",     "holds something other than our state, which is left as it is"),
        ("link",       "holds something other than our state, which is left as it is"),
        ("round",      "cannot be written: Too many levels of symbolic links"),
        (".",          "is not a file"),
        ("socket",     "is not a file"),
        ("mine/state", "cannot be written: Not a directory"),
        ("taken",      "is being used by another free-llm-proxy"),
        ("other-name", "is being used by another free-llm-proxy"),
    ];
    for (name, expected) in rows {
        let opened = StateFile::open(&at(name));
        let told = opened.map_or_else(|why| why.to_string(), |_| String::new());
        assert!(told.starts_with(expected), "{name}: {told}");
        assert_eq!(told.is_empty(), expected.is_empty(), "{name}: {told}");
    }
    assert_eq!(fs::read(at("env")).unwrap(), b"PROXY_API_KEY=x\n");
}

#[test]
fn s12_3_a_link_is_followed_and_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    symlink("real/state", at("near")).unwrap();
    symlink(at("near"), at("far")).unwrap();
    for name in ["near", "far"] {
        let (mut file, _) = StateFile::open(&at(name)).unwrap();
        file.write(TEXT).unwrap();
        assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink());
        assert_eq!(fs::read(at("real/state")).unwrap(), TEXT);
        assert_eq!(names(&at("real")), ["state"]);
    }
}

#[test]
fn s12_3_the_lock_outlives_every_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (mut file, _) = StateFile::open(&path).unwrap();
    let taken = || matches!(StateFile::open(&path), Err(Unwritable::Taken));
    assert!(taken());
    for in_place in [false, true] {
        file.in_place = in_place;
        file.write(TEXT).unwrap();
        assert!(taken(), "{in_place}");
    }
    // It was copied away and back by hand: nobody else has it, and it is written on.
    fs::copy(&path, folder.path().join("copy")).unwrap();
    fs::rename(folder.path().join("copy"), &path).unwrap();
    file.in_place = false;
    file.write(TEXT).unwrap();
    assert!(taken());
    drop(file);
    assert!(!taken());
}

#[test]
fn s12_3_whatever_has_taken_its_name_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (mut file, _) = StateFile::open(&path).unwrap();
    file.write(TEXT).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a letter").unwrap();
    assert!(matches!(file.write(TEXT), Err(Unwritable::NotOurs)));
    assert_eq!(fs::read(&path).unwrap(), b"a letter");
    fs::remove_file(&path).unwrap();
    let other = StateFile::open(&path).unwrap();
    assert!(matches!(file.write(TEXT), Err(Unwritable::Taken)));
    drop(other);
    fs::remove_file(&path).unwrap();
    file.write(TEXT).unwrap();
    assert_eq!(names(folder.path()), ["state"]);
}

#[test]
fn s12_3_a_file_that_cannot_be_replaced_is_written_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::write(&path, TEXT.repeat(9)).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let (mut file, _) = StateFile::open(&path).unwrap();
    file.in_place = true;
    for text in [TEXT, &TEXT.repeat(5000), TEXT] {
        file.write(text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
    }
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!(mode(&path), 0o600);
    #[rustfmt::skip]
    let rows = [
        (ErrorKind::ResourceBusy,       true),
        (ErrorKind::PermissionDenied,   true),
        (ErrorKind::ReadOnlyFilesystem, true),
        (ErrorKind::InvalidFilename,    true),
        (ErrorKind::StorageFull,        false),
        (ErrorKind::NotFound,           false),
    ];
    for (kind, expected) in rows {
        assert_eq!(cannot_be_replaced(&kind.into()), expected, "{kind}");
    }
}

#[test]
fn s12_3_what_cannot_be_read_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for round in ["first", "second"] {
        let damaged = format!("free-llm-proxy state 1\n{round}");
        fs::write(at("state"), &damaged).unwrap();
        let (mut file, text) = StateFile::open(&at("state")).unwrap();
        assert_eq!(text, damaged.as_bytes());
        let aside = file.put_aside().unwrap();
        assert_eq!(aside, Some(file.path().with_extension("bad")));
        assert_eq!(fs::read(at("state.bad")).unwrap(), damaged.as_bytes());
        assert_eq!(fs::read(at("state")).unwrap(), b"");
        assert!(matches!(
            StateFile::open(&at("state")),
            Err(Unwritable::Taken)
        ));
        file.write(TEXT).unwrap();
        assert_eq!(names(folder.path()), ["state", "state.bad"]);
    }
    fs::write(at("state.bad"), "a letter").unwrap();
    let (mut file, _) = StateFile::open(&at("state")).unwrap();
    assert!(matches!(file.put_aside(), Err(Unwritable::NoPlaceAside(_))));
    assert_eq!(fs::read(at("state.bad")).unwrap(), b"a letter");
    assert_eq!(fs::read(at("state")).unwrap(), TEXT);
}

#[test]
fn s12_3_what_can_be_put_nowhere_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    // A name that leaves no room for another beside it.
    let name = "s".repeat(255);
    let path = folder.path().join(&name);
    fs::write(&path, "free-llm-proxy state 1\ndamaged").unwrap();
    let (mut file, _) = StateFile::open(&path).unwrap();
    assert_eq!(file.put_aside().unwrap(), None);
    file.write(TEXT).unwrap();
    assert_eq!(fs::read(&path).unwrap(), TEXT);
    assert_eq!(names(folder.path()), [name]);
}

#[test]
fn s12_3_what_was_half_written_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let others = [
        ".other.a1B2c3.tmp",
        ".state.a1B2c3.tmp.txt",
        ".state.longer.tmp.tmp",
    ];
    for name in others
        .into_iter()
        .chain([".state.a1B2c3.tmp", ".state.Z9y8x7.tmp"])
    {
        fs::write(at(name), "half").unwrap();
    }
    let _file = StateFile::open(&at("state")).unwrap();
    assert_eq!(names(folder.path()), [&others[..], &["state"]].concat());
}
