//! `tools`, `tool_choice` and `parallel_tool_calls`.
//!
//! A function is carried over as it is, a freeform tool as a function with one string, the tools of
//! a namespace under joined names, and a search for tools that the client performs as a function.
//! Tools that OpenAI runs itself are not available here: they are left out and reported, unless
//! `tool_choice` insists on one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::reply::{Form, Special};
use crate::json::{Raw, write};
use crate::request::Dropped;
use crate::request::MAX_TOOLS;
use crate::surface::chat::{Body, cut, fitting, write_schema};
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};

/// Tools that OpenAI's servers run, or that its models know without a schema; a date may follow.
const BUILT_IN: [&str; 11] = [
    "web_search",
    "file_search",
    "computer",
    "code_interpreter",
    "image_generation",
    "mcp",
    "local_shell",
    "shell",
    "apply_patch",
    "tool_search",
    "programmatic_tool_calling",
];

/// The tool that finds others, and its only name.
pub(super) const SEARCH: &str = "tool_search";

/// A tool that is carried over.
struct Tool<'a> {
    namespace: Option<&'a str>,
    name: &'a str,
    form: Form,
    description: Option<Raw<'a>>,
    parameters: Option<Raw<'a>>,
    strict: Option<Raw<'a>>,
    /// The format of a freeform tool.
    format: Option<Raw<'a>>,
}

/// The members that are read of a definition.
const KEYS: [&str; 8] = [
    "type",
    "name",
    "description",
    "parameters",
    "strict",
    "format",
    "tools",
    "execution",
];

/// The upstream name of a tool, which may be in a namespace. All strings are escaped.
pub(super) fn joined<'a>(namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
    let Some(namespace) = namespace else {
        return fitting(name);
    };
    // A name that joining two others could produce as well has a digest of the two.
    let is_plain = !name.contains("__") && !name.starts_with('_') && !namespace.ends_with('_');
    Cow::Owned(if is_plain {
        fitting(&format!("{namespace}__{name}")).into_owned()
    } else {
        cut(&format!("{namespace}\0{name}"))
    })
}

/// The upstream names of the tools that a search has found.
pub(super) fn found(item: Raw<'_>) -> Vec<String> {
    let mut tools = Vec::new();
    let list = item.get("tools").into_iter().flat_map(Raw::elements);
    for tool in list.take(MAX_TOOLS) {
        read_another(tool, &mut tools, &mut Dropped::default());
    }
    let names = tools.iter().map(|tool| joined(tool.namespace, tool.name));
    names.map(Cow::into_owned).collect()
}

/// Carries the tools over, including those of the `more` lists, and returns which of them come back
/// as something other than functions.
pub(super) fn carry<'a>(
    fields: &mut Fields<'a>,
    more: &[Raw<'a>],
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<Vec<Special>, Invalid> {
    let place = Place::top("tools");
    let mut tools = Vec::new();
    if let Some(list) = fields.take("tools") {
        for (n, tool) in place.array(list)?.elements().enumerate() {
            read(tool, None, &place.at(n), &mut tools, dropped)?;
        }
    }
    if !more.is_empty() {
        add(more, &mut tools, dropped);
    }
    let choice = Choice::read(fields.take("tool_choice"))?;
    if let Some(allowed) = &choice.allowed {
        tools.retain(|tool| allowed.contains(&(tool.namespace, tool.name)));
    }
    let parallel = fields.take("parallel_tool_calls");
    if tools.is_empty() {
        return if choice.forces {
            Err(Place::top("tool_choice")
                .cannot("demands a call, and none of the tools is carried"))
        } else {
            Ok(Vec::new())
        };
    }
    let mut out = b"[".to_vec();
    for (n, tool) in tools.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        tool.write(&mut out, dropped);
    }
    out.push(b']');
    body.field("tools", out);
    if let Some(choice) = choice.value {
        body.field("tool_choice", choice);
    }
    if let Some(parallel) = parallel {
        body.field("parallel_tool_calls", parallel.text());
    }
    Ok(tools.iter().filter_map(Tool::special).collect())
}

fn read<'a>(
    tool: Raw<'a>,
    namespace: Option<&'a str>,
    place: &Place<'_>,
    tools: &mut Vec<Tool<'a>>,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let [
        kind,
        name,
        description,
        parameters,
        strict,
        format,
        inner,
        execution,
    ] = place.object(tool)?.pick(KEYS);
    if tools.len() == MAX_TOOLS {
        return Err(Place::top("tools").too_many(MAX_TOOLS));
    }
    let kind = place.required("type", kind)?;
    let mut push = |name, form| {
        tools.push(Tool {
            namespace,
            name,
            form,
            description,
            parameters,
            strict,
            format,
        });
    };
    match kind {
        "function" => push(place.name("name", name)?, Form::Function),
        "custom" => push(place.name("name", name)?, Form::Freeform),
        SEARCH if execution.and_then(Raw::escaped) == Some("client") => push(SEARCH, Form::Search),
        "namespace" if namespace.is_none() => {
            let name = place.name("name", name)?;
            let list = place.field("tools");
            let inner = list.array(inner.ok_or_else(|| list.missing())?)?;
            for (n, tool) in inner.elements().enumerate() {
                read(tool, Some(name), &list.at(n), tools, dropped)?;
            }
        }
        _ if BUILT_IN.iter().any(|known| kind.starts_with(known)) => dropped.note(kind),
        _ => return Err(place.field("type").not_carried(kind)),
    }
    Ok(())
}

/// Adds the tools of lists found in the conversation. A repeated definition replaces the first, in
/// its place: the beginnings of prompts are cached.
fn add<'a>(lists: &[Raw<'a>], tools: &mut Vec<Tool<'a>>, dropped: &mut Dropped) {
    let mut known: HashMap<_, usize> = HashMap::new();
    for (at, tool) in tools.iter().enumerate() {
        known.insert((tool.namespace, tool.name), at);
    }
    let mut another = Vec::new();
    for tool in lists.iter().flat_map(|list| list.elements()) {
        read_another(tool, &mut another, dropped);
        for tool in another.drain(..) {
            match known.get(&(tool.namespace, tool.name)) {
                Some(at) => {
                    if let Some(known) = tools.get_mut(*at) {
                        *known = tool;
                    }
                }
                None if tools.len() < MAX_TOOLS => {
                    known.insert((tool.namespace, tool.name), tools.len());
                    tools.push(tool);
                }
                None => dropped.note("tools"),
            }
        }
    }
}

/// Reads a tool defined in the conversation; what is not a tool is left out.
fn read_another<'a>(tool: Raw<'a>, tools: &mut Vec<Tool<'a>>, dropped: &mut Dropped) {
    if read(tool, None, &Place::top("tools"), tools, dropped).is_err() {
        let kind = tool.get("type").and_then(Raw::escaped);
        dropped.note(kind.unwrap_or_default());
    }
}

impl Tool<'_> {
    fn special(&self) -> Option<Special> {
        let joined = joined(self.namespace, self.name);
        (self.form != Form::Function || joined != self.name).then(|| Special {
            joined: joined.into_owned(),
            namespace: self.namespace.map(str::to_owned),
            name: self.name.to_owned(),
            form: self.form,
        })
    }

    fn write(&self, out: &mut Vec<u8>, dropped: &mut Dropped) {
        let description = self.description.and_then(Raw::escaped);
        let mut piece = |text: &str| out.extend_from_slice(text.as_bytes());
        piece(r#"{"type":"function","function":{"name":""#);
        piece(&joined(self.namespace, self.name));
        piece(r#"","description":""#);
        piece(description.unwrap_or_default());
        if self.form == Form::Freeform {
            let [syntax, definition] = self
                .format
                .map(|format| format.pick(["syntax", "definition"]))
                .unwrap_or_default();
            if let Some(definition) = definition.and_then(Raw::escaped) {
                piece(r"\n\nThe input follows this grammar");
                if let Some(syntax) = syntax.and_then(Raw::escaped) {
                    piece(" (");
                    piece(syntax);
                    piece(")");
                }
                piece(r":\n");
                piece(definition);
            }
            piece(
                r#"","parameters":{"type":"object","properties":{"input":{"type":"string","description":"The tool's whole input, as plain text."}},"required":["input"],"additionalProperties":false}"#,
            );
        } else {
            piece("\"");
            if let Some(parameters) = self.parameters {
                out.extend_from_slice(br#","parameters":"#);
                write_schema(parameters, out, dropped);
            }
            if let Some(strict) = self.strict {
                for piece in [r#","strict":"#, strict.text()] {
                    out.extend_from_slice(piece.as_bytes());
                }
            }
        }
        out.extend_from_slice(b"}}");
    }
}

/// What `tool_choice` says.
#[derive(Default)]
struct Choice<'a> {
    /// For the upstream.
    value: Option<String>,
    /// A call is required.
    forces: bool,
    /// Only these are allowed, by namespace and name.
    allowed: Option<HashSet<(Option<&'a str>, &'a str)>>,
}

impl<'a> Choice<'a> {
    fn read(choice: Option<Raw<'a>>) -> Result<Self, Invalid> {
        let Some(choice) = choice else {
            return Ok(Self::default());
        };
        let place = Place::top("tool_choice");
        if let Some(mode) = choice.escaped() {
            return Self::mode(mode, &place);
        }
        let [kind, mode, tools] = place.object(choice)?.pick(["type", "mode", "tools"]);
        match place.required("type", kind)? {
            "function" | "custom" => {
                let (namespace, name) = named(choice, &place)?;
                let mut value = br#"{"type":"function","function":{"name":""#.to_vec();
                value.extend_from_slice(joined(namespace, name).as_bytes());
                value.extend_from_slice(br#""}}"#);
                Ok(Self {
                    value: Some(String::from_utf8_lossy(&value).into_owned()),
                    forces: true,
                    allowed: None,
                })
            }
            "allowed_tools" => {
                let list = place.field("tools");
                let mut allowed = HashSet::new();
                let tools = list.array(tools.ok_or_else(|| list.missing())?)?;
                for tool in list.each(tools, MAX_TOOLS) {
                    let (place, tool) = tool?;
                    let [name, kind] = tool.pick(["name", "type"]);
                    // One of OpenAI's own has no name, and is not available anyway.
                    if name.is_some() {
                        allowed.insert(named(tool, &place)?);
                    } else if kind.and_then(Raw::escaped) == Some(SEARCH) {
                        allowed.insert((None, SEARCH));
                    }
                }
                let mode = place.required("mode", mode)?;
                Ok(Self {
                    allowed: Some(allowed),
                    ..Self::mode(mode, &place.field("mode"))?
                })
            }
            other => Err(place.field("type").not_carried(other)),
        }
    }

    fn mode(mode: &str, place: &Place<'_>) -> Result<Self, Invalid> {
        if !matches!(mode, "auto" | "none" | "required") {
            return Err(place.must_be("auto, none or required"));
        }
        let mut value = Vec::new();
        write::string(&mut value, mode);
        Ok(Self {
            value: String::from_utf8(value).ok(),
            forces: mode == "required",
            allowed: None,
        })
    }
}

fn named<'a>(tool: Raw<'a>, place: &Place<'_>) -> Result<(Option<&'a str>, &'a str), Invalid> {
    let [name, namespace] = tool.pick(["name", "namespace"]);
    let namespace = namespace
        .map(|namespace| place.field("namespace").string(namespace))
        .transpose()?;
    Ok((namespace, place.name("name", name)?))
}
