use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

const LIMIT: usize = 1 << 20;

/// [`text`] as compressed by node's zlib.
const BROTLI: &str = "1b9a03102c0eccd39b4e582a9ef32034dc1f21c92ce8e048df38b4080391bd656b717925a0e06775f5158b8e631c30bfc0ddb58ce857034667789cb0d0339a876b482a10e4a4e865a26de356131a05";
/// The same with a window of 256 MB.
const LARGE_WINDOW: &str = "115c680e40b038304f6f3a61a978ce83d0707f8424b3a083237de3d0220c44f696adc5e59580829fd5d5572c3a8e71c0fc0277d732a25f0d3074060f2758d0339a876b482a10e4a4e865a26de356131a05";
/// The same by `zstd -19`.
const ZSTD: &str = "28b52ffd046835020012040f14c03d7e8771fddfc985dc5a40f2daef46c5e1772eb34c0781eefcfa81a81bfffdfc74dbf7e19021c8da71e10ebde8c3916ace2519fe5032efa1e53201007d35ab0905da27092f";

fn text() -> Vec<u8> {
    let said = "Привет, мир! ".repeat(40);
    format!(r#"{{"messages":[{{"role":"user","content":"{said}"}}]}}"#).into_bytes()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

/// A frame without content.
fn skippable(length: u8) -> Vec<u8> {
    let head = [0x50, 0x2a, 0x4d, 0x18, length, 0, 0, 0];
    [&head[..], &vec![7; usize::from(length)]].concat()
}

#[test]
fn s6_a_coding_is_known_by_its_name() {
    use Coding::{Brotli, Deflate, Gzip, Zstd};
    let long = "x".repeat(100);
    let cut = "x".repeat(64);
    type Row<'a> = (&'a [&'a str], Result<Option<Coding>, &'a str>);
    #[rustfmt::skip]
    let rows: [Row<'_>; 14] = [
        (&[],                    Ok(None)),
        (&[""],                  Ok(None)),
        (&["identity"],          Ok(None)),
        (&["gzip"],              Ok(Some(Gzip))),
        (&["X-GZip "],           Ok(Some(Gzip))),
        (&["deflate"],           Ok(Some(Deflate))),
        (&["zstd, identity"],    Ok(Some(Zstd))),
        (&["identity", "br"],    Ok(Some(Brotli))),
        (&["gzip, br"],          Err("gzip, br")),
        (&["gzip", "gzip"],      Err("gzip, gzip")),
        (&["compress"],          Err("compress")),
        (&["aws-chunked, gzip"], Err("aws-chunked, gzip")),
        (&["x\"\u{1}é"],         Err("x\"")),
        (&[&long],               Err(&cut)),
    ];
    for (values, expected) in rows {
        let expected = expected.map_err(|name| UnknownCoding(name.to_owned()));
        let named = values.iter().map(|value| value.as_bytes());
        assert_eq!(Coding::of(named), expected, "{values:?}");
    }
}

#[test]
fn s6_decompression_restores_the_original() {
    use Coding::{Brotli, Deflate, Gzip, Zstd};
    let (whole, long) = (text(), vec![b'x'; LIMIT]);
    let two = |packed: Vec<u8>| [&packed[..], &packed].concat();
    let twice = [whole.clone(), whole.clone()].concat();
    #[rustfmt::skip]
    let rows = [
        (Gzip,    gzip(&whole),                                       &whole),
        (Gzip,    two(gzip(&whole)),                                  &twice),
        (Gzip,    gzip(&long),                                        &long),
        (Deflate, zlib(&whole),                                       &whole),
        (Deflate, deflate(&whole),                                    &whole),
        (Zstd,    bytes(ZSTD),                                        &whole),
        (Zstd,    zstd(&whole),                                       &whole),
        (Zstd,    zstd(&long),                                        &long),
        (Zstd,    [skippable(9), zstd(&whole), skippable(0), zstd(&whole)].concat(), &twice),
        (Brotli,  bytes(BROTLI),                                      &whole),
    ];
    for (coding, packed, expected) in rows {
        let unpacked = coding.unpack(&packed, LIMIT);
        assert_eq!(unpacked.as_deref(), Ok(expected.as_slice()), "{coding}");
    }
}

#[test]
fn s6_output_is_bounded_and_broken_input_is_reported() {
    use Coding::{Brotli, Deflate, Gzip, Zstd};
    use Unpackable::{Broken, TooLarge};
    let (whole, bomb) = (text(), vec![b' '; 40 * LIMIT]);
    let cut = |packed: Vec<u8>| packed[..packed.len() - 1].to_vec();
    let more = |packed: Vec<u8>| [&packed[..], b"x"].concat();
    // 64 MB of blanks, by node's zlib.
    let brotli_bomb = "cbffff3ff82540e2b14020f7fe8fffff7ff04b00c4611180eefd1fffffffe0970088c30200ddfb3ffeffffc12f0110870500baf77ffcffff835f02200e0b0074effff8ffff07bf04401c1600e8defff1ffff0f7e0980382c00d0bdffcbffff3ffc1200715800a07bff07";
    // A frame that may refer 16 MB back.
    let wide = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x01, 0x00, 0x00];
    #[rustfmt::skip]
    let rows = [
        (Gzip,    gzip(&bomb),                   TooLarge),
        (Gzip,    [gzip(&bomb), vec![0; 9]].concat(), TooLarge),
        (Gzip,    cut(gzip(&whole)),             Broken),
        (Gzip,    more(gzip(&whole)),            Broken),
        (Gzip,    whole.clone(),                 Broken),
        (Gzip,    Vec::new(),                    Broken),
        (Deflate, zlib(&bomb),                   TooLarge),
        (Deflate, deflate(&bomb),                TooLarge),
        (Deflate, cut(zlib(&whole)),             Broken),
        (Deflate, cut(deflate(&whole)),          Broken),
        (Deflate, more(deflate(&whole)),         Broken),
        (Deflate, whole.clone(),                 Broken),
        (Deflate, Vec::new(),                    Broken),
        (Zstd,    zstd(&bomb),                   TooLarge),
        (Zstd,    cut(bytes(ZSTD)),              Broken),
        (Zstd,    more(zstd(&whole)),            Broken),
        (Zstd,    skippable(9)[..10].to_vec(),   Broken),
        (Zstd,    wide.to_vec(),                 Broken),
        (Zstd,    whole.clone(),                 Broken),
        (Brotli,  bytes(brotli_bomb),            TooLarge),
        (Brotli,  bytes(LARGE_WINDOW),           Broken),
        (Brotli,  cut(bytes(BROTLI)),            Broken),
        (Brotli,  whole.clone(),                 Broken),
        (Brotli,  Vec::new(),                    Broken),
    ];
    for (row, (coding, packed, expected)) in rows.into_iter().enumerate() {
        assert_eq!(
            coding.unpack(&packed, LIMIT),
            Err(expected),
            "row {row}: {coding}"
        );
    }
    for (coding, packed) in [
        (Gzip, gzip(&whole)),
        (Zstd, zstd(&whole)),
        (Brotli, bytes(BROTLI)),
    ] {
        assert!(coding.unpack(&packed, whole.len()).is_ok(), "{coding}");
        let one_less = coding.unpack(&packed, whole.len() - 1);
        assert_eq!(one_less, Err(TooLarge), "{coding}");
    }
}

proptest! {
    /// Arbitrary bytes neither end the program nor exceed the limit.
    #[test]
    fn any_input_is_decompressed_within_the_limit_or_refused(
        which in 0..5_usize,
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        limit in 1..2_000_usize,
    ) {
        let whole = text();
        let (coding, mut packed) = match which {
            0 => (Coding::Gzip, gzip(&whole)),
            1 => (Coding::Deflate, zlib(&whole)),
            2 => (Coding::Zstd, bytes(ZSTD)),
            3 => (Coding::Zstd, zstd(&whole)),
            _ => (Coding::Brotli, bytes(BROTLI)),
        };
        for (at, byte) in changed {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        if let Ok(plain) = coding.unpack(&packed, limit) {
            prop_assert!(plain.len() <= limit);
        }
    }
}
