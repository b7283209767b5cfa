//! Providers on real sockets, and a client of theirs.

use serde_json::{Value, json};
use simulator::{Providers, Script};

/// Providers, and a client of theirs.
pub struct Rig {
    pub providers: Providers,
    pub http: reqwest::Client,
}

/// An answer.
pub struct Got {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The data of each event.
    pub fn events(&self) -> Vec<&str> {
        self.text
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect()
    }
}

/// The key that a request carries.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    None,
    First,
    This(&'a str),
}

impl Rig {
    pub async fn start(script: Script) -> Self {
        Self {
            providers: Providers::start(script).await.unwrap(),
            http: reqwest::Client::new(),
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Got {
        let answer = request.send().await.unwrap();
        Got {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }

    pub fn with_key(
        &self,
        request: reqwest::RequestBuilder,
        provider: &str,
        key: Key<'_>,
    ) -> reqwest::RequestBuilder {
        match key {
            Key::None => request,
            Key::This(key) => request.bearer_auth(key),
            // Providers without a keyed account are asked without a key.
            Key::First => match self.providers.keys(provider).next() {
                Some(key) if !["kilo", "ovh"].contains(&provider) => request.bearer_auth(key),
                Some(_) | None => request,
            },
        }
    }

    pub fn url(&self, provider: &str, of: fn(&simulator::Addresses) -> &String) -> String {
        let account = self
            .providers
            .accounts(provider)
            .first()
            .map(|a| a.id.clone());
        let addresses = self.providers.addresses(provider).unwrap();
        of(&addresses).replace("{account_id}", &account.unwrap_or_default())
    }

    pub async fn get(&self, provider: &str, url: &str, key: Key<'_>) -> Got {
        self.send(self.with_key(self.http.get(url), provider, key))
            .await
    }

    pub async fn chat(&self, provider: &str, model: &str, more: Value) -> Got {
        self.chat_as(provider, model, more, Key::First).await
    }

    pub async fn chat_as(&self, provider: &str, model: &str, more: Value, key: Key<'_>) -> Got {
        let url = format!("{}/chat/completions", self.url(provider, |a| &a.base_url));
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.send(self.with_key(self.http.post(url).json(&body), provider, key))
            .await
    }
}

/// The model of this provider that the rows use.
pub fn model_of(provider: &str) -> &'static str {
    let named = MODELS.iter().find(|(name, _)| *name == provider);
    named.map_or("openai/gpt-oss-120b", |(_, model)| model)
}

/// One model of each provider.
const MODELS: &[(&str, &str)] = &[
    ("gemini", "gemini-3.5-flash"),
    ("groq", "openai/gpt-oss-120b"),
    ("nvidia", "openai/gpt-oss-20b"),
    ("cloudflare", "@cf/openai/gpt-oss-120b"),
    ("zai", "glm-4.7-flash"),
    ("requesty", "nvidia/nemotron-3-super-120b-a12b"),
    ("kilo", "stepfun/step-3.7-flash:free"),
    ("ovh", "gpt-oss-120b"),
    ("mistral", "mistral-small-2603"),
    ("cohere", "command-a-03-2025"),
    ("cerebras", "gpt-oss-120b"),
    ("ollama", "gpt-oss:120b"),
    ("llm7", "gpt-oss:20b"),
    ("huggingface", "openai/gpt-oss-120b"),
    ("vercel", "zai/glm-4.7-flash"),
    ("siliconflow", "Qwen/Qwen3-8B"),
    ("modelscope", "ZhipuAI/GLM-5.1"),
    ("llmgateway", "gpt-oss-20b-free"),
    ("local", "qwen3:8b"),
    ("llamacpp", "qwen3-8b-q4_k_m.gguf"),
];
