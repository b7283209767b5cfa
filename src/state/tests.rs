//! The file's text, and whose each part of it is (spec §12.3).

mod dates;
mod owners;
mod text;
mod used;
mod world;
