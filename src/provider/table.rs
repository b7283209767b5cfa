//! The built-in providers: one row of data each, in the format of `CONFIG_FILE` (spec §10.1).

use std::sync::{Arc, LazyLock};

use super::file::{self, Mistake};
use super::row::Provider;

/// The rows in the order of spec §10.1, which is the order of preference, then those it does not name;
/// `local` comes last.
#[rustfmt::skip]
const ROWS: &[(&str, &str)] = &[
    ("openrouter",  include_str!("rows/openrouter.toml")),
    ("gemini",      include_str!("rows/gemini.toml")),
    ("groq",        include_str!("rows/groq.toml")),
    ("nvidia",      include_str!("rows/nvidia.toml")),
    ("cloudflare",  include_str!("rows/cloudflare.toml")),
    ("zai",         include_str!("rows/zai.toml")),
    ("requesty",    include_str!("rows/requesty.toml")),
    ("kilo",        include_str!("rows/kilo.toml")),
    ("ovh",         include_str!("rows/ovh.toml")),
    ("mistral",     include_str!("rows/mistral.toml")),
    ("cohere",      include_str!("rows/cohere.toml")),
    ("llm7",        include_str!("rows/llm7.toml")),
    ("huggingface", include_str!("rows/huggingface.toml")),
    ("vercel",      include_str!("rows/vercel.toml")),
    ("cerebras",    include_str!("rows/cerebras.toml")),
    ("ollama",      include_str!("rows/ollama.toml")),
    ("siliconflow", include_str!("rows/siliconflow.toml")),
    ("modelscope",  include_str!("rows/modelscope.toml")),
    ("llmgateway",  include_str!("rows/llmgateway.toml")),
    ("local",       include_str!("rows/local.toml")),
];

/// All rows, in that order.
#[must_use]
pub fn built_in() -> &'static [Arc<Provider>] {
    static TABLE: LazyLock<Vec<Arc<Provider>>> = LazyLock::new(|| {
        // A test parses every row, so this never drops one.
        let rows = ROWS
            .iter()
            .flat_map(|(_, text)| read(text).unwrap_or_default());
        rows.map(Arc::new).collect()
    });
    &TABLE
}

/// A row by its id.
#[must_use]
pub fn find(name: &str) -> Option<&'static Arc<Provider>> {
    built_in().iter().find(|row| row.id.as_str() == name)
}

fn read(text: &str) -> Result<Vec<Provider>, Vec<Mistake>> {
    file::read_rows(text)
}

#[cfg(test)]
mod tests;
