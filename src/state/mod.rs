//! What outlives the process (`STATE`, spec §12.3): rests, counts, lessons and what was learnt, kept in a file.
//!
//! `form` and `roll` are pure: the text of the file, and whose each part is. `file` reads and writes, `keeper` says
//! when. The path of a request never gets here, nor does a prompt, an answer or a key.

mod file;
mod form;
mod keeper;
mod roll;
#[cfg(test)]
mod tests;

pub use file::Unwritable;
pub use form::{Form, Unreadable};
pub use keeper::{Keeper, Noted, Opened};
pub use roll::Roll;
