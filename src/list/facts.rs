//! What one entry of a list says about a model, in whatever words (reference "providers" §8.1).
//!
//! Pure. Whatever is absent, absurd or of the wrong type is unknown: nothing is guessed here.

use crate::json::{Kind, Raw};
use crate::model::{Capabilities, Capability};

/// What is known about a model at a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The largest prompt plus answer, in tokens.
    pub context_length: Option<u64>,
    /// The longest answer, in tokens.
    pub max_output: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// Larger numbers of tokens are not believed.
const MOST_TOKENS: u64 = 1_000_000_000;

/// Members with the context window.
const WINDOW: [&str; 5] = [
    "context_length",
    "context_window",
    "max_context_length",
    "max_model_len",
    "inputTokenLimit",
];
/// Members with the longest answer.
const OUTPUT: [&str; 4] = [
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "outputTokenLimit",
];
/// Members with a single capability each.
#[rustfmt::skip]
const FLAGS: [(&str, Capability); 12] = [
    ("supports_tool_calling",        Capability::Tools),
    ("supports_tools",               Capability::Tools),
    ("supports_function_calling",    Capability::Tools),
    ("supports_tool_choice",         Capability::ToolChoice),
    ("supports_vision",              Capability::Images),
    ("supports_reasoning",           Capability::Reasoning),
    ("thinking",                     Capability::Reasoning),
    ("supports_structured_outputs",  Capability::StructuredOutputs),
    ("supports_structured_output",   Capability::StructuredOutputs),
    ("supports_response_schema",     Capability::StructuredOutputs),
    ("supports_response_format",     Capability::ResponseFormat),
    ("supports_json_mode",           Capability::ResponseFormat),
];

impl Facts {
    /// Reads an entry. If several members give a number, the smallest counts.
    #[must_use]
    pub fn of(entry: Raw<'_>) -> Self {
        let mut told = Told::default();
        let [
            provided,
            parameters,
            architecture,
            capabilities,
            properties,
            tags,
            meta,
        ] = entry.pick([
            "top_provider",
            "supported_parameters",
            "architecture",
            "capabilities",
            "properties",
            "tags",
            "meta",
        ]);
        // llama.cpp's: what one request has of the whole, once the model is loaded.
        let slot = meta.and_then(|meta| meta.get("n_ctx"));
        let provided = provided.map(|p| p.pick(["context_length", "max_completion_tokens"]));
        let [window, output] = provided.unwrap_or_default();
        for value in entry
            .pick(WINDOW)
            .into_iter()
            .chain([window, slot])
            .flatten()
        {
            told.context(value);
        }
        for value in entry.pick(OUTPUT).into_iter().chain([output]).flatten() {
            told.output(value);
        }
        let flags = entry.pick(FLAGS.map(|(name, _)| name));
        for (value, (_, capability)) in flags.into_iter().zip(FLAGS) {
            value
                .into_iter()
                .for_each(|value| told.able(capability, value));
        }
        parameters
            .into_iter()
            .for_each(|list| told.parameters(list));
        architecture
            .into_iter()
            .for_each(|value| told.modalities(value));
        capabilities
            .into_iter()
            .for_each(|value| told.capabilities(value));
        properties
            .into_iter()
            .for_each(|list| told.properties(list));
        tags.into_iter().for_each(|list| told.words(list));
        told.facts()
    }

    /// What is known here or else, if unknown, there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            context_length: self.context_length.or(other.context_length),
            max_output: self.max_output.or(other.max_output),
            capabilities: self.capabilities.or(other.capabilities),
        }
    }
}

/// A number of tokens, written as a number or as a string.
pub(super) fn tokens(value: Raw<'_>) -> Option<u64> {
    let number = match value.kind() {
        Kind::String => value.as_str()?.trim().parse().ok(),
        Kind::Number => value.as_integer().and_then(|n| u64::try_from(n).ok()),
        Kind::Object | Kind::Array | Kind::Bool | Kind::Null => None,
    };
    number.filter(|tokens| (1..=MOST_TOKENS).contains(tokens))
}

/// The strings of a list.
pub(super) fn words(list: Raw<'_>) -> Vec<String> {
    let words = list.elements().filter_map(|word| word.as_str());
    words.map(Into::into).collect()
}

#[derive(Default)]
struct Told {
    context: Option<u64>,
    output: Option<u64>,
    /// Given one by one.
    by_name: Capabilities,
    /// Given by a list of all accepted parameters.
    by_list: Capabilities,
}

impl Told {
    fn context(&mut self, value: Raw<'_>) {
        self.context = self.context.into_iter().chain(tokens(value)).min();
    }

    fn output(&mut self, value: Raw<'_>) {
        self.output = self.output.into_iter().chain(tokens(value)).min();
    }

    fn able(&mut self, capability: Capability, value: Raw<'_>) {
        let able = match value.kind() {
            Kind::Bool => value.as_bool(),
            // Cloudflare writes `"true"`.
            Kind::String => value.as_str().and_then(|text| text.parse().ok()),
            Kind::Object | Kind::Array | Kind::Number | Kind::Null => None,
        };
        self.by_name.set(capability, able);
    }

    /// An empty list of parameters says nothing; one with any entries is complete.
    fn parameters(&mut self, list: Raw<'_>) {
        let words = words(list);
        if words.is_empty() {
            return;
        }
        for capability in Capability::ALL {
            if let Some(parameter) = capability.parameter() {
                let able = words.iter().any(|word| word == parameter);
                self.by_list.set(capability, Some(able));
            }
        }
    }

    fn modalities(&mut self, architecture: Raw<'_>) {
        let inputs = architecture.get("input_modalities").map(words);
        if let Some(inputs) = inputs.filter(|inputs| !inputs.is_empty()) {
            let able = inputs.iter().any(|input| input == "image");
            self.by_list.set(Capability::Images, Some(able));
        }
    }

    /// Mistral's object of flags, or Ollama's list of words.
    fn capabilities(&mut self, value: Raw<'_>) {
        self.words(value);
        for (name, flag) in value.members() {
            match &*name {
                "function_calling" => self.able(Capability::Tools, flag),
                "vision" => self.able(Capability::Images, flag),
                "reasoning" => self.able(Capability::Reasoning, flag),
                _ => {}
            }
        }
    }

    /// Words that say what is supported, but nothing about what is not.
    fn words(&mut self, list: Raw<'_>) {
        for word in words(list) {
            match word.as_str() {
                "tools" | "tool-use" => self.by_name.set(Capability::Tools, Some(true)),
                "vision" => self.by_name.set(Capability::Images, Some(true)),
                "thinking" | "reasoning" => self.by_name.set(Capability::Reasoning, Some(true)),
                _ => {}
            }
        }
    }

    /// Cloudflare's list of names and values.
    fn properties(&mut self, list: Raw<'_>) {
        for property in list.elements() {
            let [Some(name), Some(value)] = property.pick(["property_id", "value"]) else {
                continue;
            };
            match name.as_str().as_deref() {
                Some("context_window") => self.context(value),
                Some("function_calling") => self.able(Capability::Tools, value),
                Some("vision") => self.able(Capability::Images, value),
                Some("reasoning") => self.able(Capability::Reasoning, value),
                Some(_) | None => {}
            }
        }
    }

    fn facts(self) -> Facts {
        let mut capabilities = self.by_name.or(self.by_list);
        // A model that accepts no tools cannot be forced to use one, unless the entry says
        // otherwise.
        if capabilities.get(Capability::Tools) == Some(false)
            && capabilities.get(Capability::ToolChoice).is_none()
        {
            capabilities.set(Capability::ToolChoice, Some(false));
        }
        Facts {
            context_length: self.context,
            max_output: self.output,
            capabilities,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::json::MAX_DEPTH;

    /// `context/output able -unable`
    fn told(entry: &str) -> String {
        let facts = Facts::of(Raw::parse(entry.as_bytes(), MAX_DEPTH).unwrap());
        let number = |n: Option<u64>| n.map_or("?".to_owned(), |n| n.to_string());
        let (context, output) = (facts.context_length, facts.max_output);
        let able = in_words(facts.capabilities);
        format!("{}/{}{able}", number(context), number(output))
    }

    /// ` able -unable`
    pub(in crate::list) fn in_words(capabilities: Capabilities) -> String {
        let word = |capability: Capability| match capabilities.get(capability) {
            Some(true) => format!(" {}", capability.as_str()),
            Some(false) => format!(" -{}", capability.as_str()),
            None => String::new(),
        };
        Capability::ALL.into_iter().map(word).collect()
    }

    #[test]
    fn s10_7_one_entry_of_each_shape() {
        #[rustfmt::skip]
        let rows = [
            ("groq", r#"{"id":"openai/gpt-oss-120b","object":"model","created":1700000000,"owned_by":"x","active":true,"context_window":131072,"public_apps":null,"max_completion_tokens":65536}"#,
             "131072/65536"),
            ("gemini", r#"{"id":"models/gemini-3.5-flash","object":"model","owned_by":"google","display_name":"gemini-3.5-flash"}"#,
             "?/?"),
            ("gemini, native", r#"{"name":"models/gemini-3.5-flash","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent"],"thinking":true}"#,
             "1048576/65536 reasoning"),
            ("mistral", r#"{"id":"mistral-small-2603","object":"model","created":1700000000,"owned_by":"mistralai","max_context_length":131072,"aliases":[],"deprecation":null,"capabilities":{"completion_chat":true,"function_calling":true,"vision":false,"fine_tuning":false}}"#,
             "131072/? tools -images"),
            ("requesty", r#"{"id":"nvidia/nemotron-3-super-120b-a12b","object":"model","input_price":0,"output_price":0,"context_window":131072,"max_output_tokens":8192,"supports_caching":false,"supports_vision":false,"supports_reasoning":true,"supports_tool_calling":true}"#,
             "131072/8192 tools reasoning -images"),
            ("kilo", r#"{"id":"stepfun/step-3.7-flash:free","context_length":131072,"architecture":{"modality":"text->text","input_modalities":["text"],"output_modalities":["text"]},"pricing":{"prompt":"0","completion":"0"},"top_provider":{"context_length":131072,"max_completion_tokens":null,"is_moderated":false},"supported_parameters":["tools","tool_choice","seed","stop","response_format","structured_outputs","reasoning","max_tokens"],"expiration_date":null}"#,
             "131072/? tools tool_choice structured_outputs response_format seed stop reasoning -images"),
            ("ovh", r#"{"id":"gpt-oss-120b","object":"model","owned_by":"ovh","context_length":131072,"max_completion_tokens":8192,"pricing":{"prompt":"0.0000001","completion":"0.0000004"}}"#,
             "131072/8192"),
            ("cloudflare", r#"{"id":"u","name":"@cf/openai/gpt-oss-120b","task":{"name":"Text Generation"},"properties":[{"property_id":"context_window","value":"128000"},{"property_id":"function_calling","value":"true"}]}"#,
             "128000/? tools"),
            ("vercel", r#"{"id":"zai/glm-4.7-flash","type":"language","context_window":200000,"max_tokens":131000,"tags":["tool-use","reasoning"]}"#,
             "200000/131000 tools reasoning"),
            ("vllm", r#"{"id":"qwen3.8-27b","object":"model","owned_by":"vllm","max_model_len":32768}"#,
             "32768/?"),
            ("llama.cpp b11549", r#"{"id":"tiny.gguf","aliases":["tiny.gguf"],"tags":[],"object":"model","architecture":{"input_modalities":["text"],"output_modalities":["text"]},"created":1796021147,"owned_by":"llamacpp","meta":{"vocab_type":1,"n_vocab":288,"n_ctx":2048,"n_ctx_train":8192,"n_embd":288,"n_params":2248992,"size":8995968}}"#,
             "2048/? -images"),
            ("llama.cpp b6900", r#"{"id":"tiny.gguf","object":"model","owned_by":"llamacpp","meta":{"n_ctx_train":8192}}"#,
             "?/?"),
            ("openrouter", r#"{"id":"a","context_length":200,"top_provider":{"context_length":100,"max_completion_tokens":50},"supported_parameters":["seed"],"architecture":{"input_modalities":["text","image"]}}"#,
             "100/50 -tools -tool_choice -structured_outputs -response_format seed -stop -reasoning images"),
        ];
        for (provider, entry, expected) in rows {
            assert_eq!(told(entry), expected, "{provider}");
        }
    }

    #[test]
    fn s10_7_what_makes_no_sense_is_unknown() {
        #[rustfmt::skip]
        let rows = [
            ("{}", "?/?"),
            ("7", "?/?"),
            (r#"{"context_length":null,"context_window":-1,"max_model_len":1e30,"max_tokens":0}"#,        "?/?"),
            (r#"{"context_length":"131072","max_tokens":"8k"}"#,                                          "131072/?"),
            (r#"{"context_length":131072.0,"max_tokens":1.5}"#,                                           "131072/?"),
            (r#"{"context_length":[1],"max_tokens":{"a":1},"top_provider":"x","properties":{},"tags":7}"#, "?/?"),
            (r#"{"supported_parameters":[],"architecture":{"input_modalities":[]},"capabilities":[]}"#,   "?/?"),
            (r#"{"supports_vision":"yes","supports_reasoning":1}"#,                                       "?/?"),
            (r#"{"supports_tools":false,"supported_parameters":["tools","stop"]}"#,
             "?/? -tools -tool_choice -structured_outputs -response_format -seed stop -reasoning"),
            (r#"{"capabilities":["completion","tools","vision","thinking"]}"#,                            "?/? tools reasoning images"),
            (r#"{"context_length":100,"context_length":50}"#,                                             "50/?"),
        ];
        for (entry, expected) in rows {
            assert_eq!(told(entry), expected, "{entry}");
        }
    }
}
