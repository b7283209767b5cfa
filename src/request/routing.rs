//! Whether a request interferes with what serves it: what an upstream then says about it may be
//! caused by that, and says nothing about the model (spec §4.5).

use crate::json::{Error, Kind, Raw, Reader};

/// How far a request interferes with what is otherwise left to the upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Routing {
    /// Not at all.
    #[default]
    Ours,
    /// It asks something of the upstream's router, which may be the cause of a refusal.
    Asks,
    /// It says what is to serve it, or wants more than a completion, which may be the cause of any
    /// failure.
    Steers,
}

impl Routing {
    /// The influence of a top-level field. Those that say nothing are treated as absent.
    pub(super) fn of(name: &str, value: Raw<'_>) -> Self {
        let level = match name {
            "provider" | "preset" | "plugins" | "web_search_options" => Self::Steers,
            // What is the same for all models teaches nothing about one of them.
            "tool_choice" if !is_usual(value) => Self::Asks,
            // `models` and `route` are not sent upstream; a client that sends them expects another
            // router than ours.
            "models" | "route" | "transforms" | "service_tier" => Self::Asks,
            _ => return Self::Ours,
        };
        if value.is_null() || value.is_empty() {
            Self::Ours
        } else {
            level
        }
    }

    /// The same where no router reads it: what is asked of the model alone.
    pub(super) fn of_model(name: &str, value: Raw<'_>) -> Self {
        match name {
            "tool_choice" | "service_tier" => Self::of(name, value),
            _ => Self::Ours,
        }
    }

    /// Steps over `tools`, counts them, and returns their influence: any kind but a function is run
    /// by the upstream itself, and a tool without a kind may still restrict what can serve it.
    pub(super) fn of_tools(tools: &mut Reader<'_>, count: &mut usize) -> Result<Self, Error> {
        let mut routing = Self::Ours;
        *count = 0;
        tools.array(|tool| {
            *count += 1;
            let mut of_this = Self::Asks;
            tool.object(|name, value| {
                let value = value.value()?;
                if name == "type" {
                    let is_function = value.as_str().as_deref() == Some("function");
                    of_this = if is_function {
                        Self::Ours
                    } else {
                        Self::Steers
                    };
                }
                Ok(())
            })?;
            routing = routing.max(of_this);
            Ok(())
        })?;
        Ok(routing)
    }
}

/// A `tool_choice` that every model with tools understands, if it understands any.
fn is_usual(choice: Raw<'_>) -> bool {
    match choice.kind() {
        Kind::String => matches!(
            choice.as_str().as_deref(),
            Some("auto" | "none" | "required" | "any")
        ),
        Kind::Object => {
            let kind = choice.get("type").and_then(Raw::as_str);
            kind.as_deref() == Some("function")
        }
        Kind::Null => true,
        Kind::Array | Kind::Number | Kind::Bool => false,
    }
}
