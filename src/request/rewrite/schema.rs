//! Removes the keywords that a provider refuses from tool schemas: at every depth, and only where
//! they are keywords. A property may be called `$schema`.

use super::Rewrite;
use crate::json::{self, Cuts, Kind, Raw, Reader};

/// The members of a tool and its function: none of them is a keyword.
const OF_TOOLS: [&str; 6] = [
    "type",
    "function",
    "custom",
    "name",
    "description",
    "parameters",
];

/// What the next object is.
#[derive(Clone, Copy)]
enum Place {
    Tool,
    Schema,
    /// Names chosen by the author, each with a schema.
    Names,
}

impl Place {
    /// What the value under a name is; `None` if it does not matter here.
    fn under(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Names, _) => Some(Self::Schema),
            (Self::Tool, "function") => Some(Self::Tool),
            (Self::Tool, "parameters") => Some(Self::Schema),
            (Self::Tool, _) => None,
            (
                Self::Schema,
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
                | "dependencies",
            ) => Some(Self::Names),
            (
                Self::Schema,
                "items"
                | "prefixItems"
                | "additionalItems"
                | "unevaluatedItems"
                | "contains"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "allOf"
                | "anyOf"
                | "oneOf"
                | "not"
                | "if"
                | "then"
                | "else",
            ) => Some(Self::Schema),
            // Data, such as an enum's values, and unknown members.
            (Self::Schema, _) => None,
        }
    }
}

impl Rewrite<'_> {
    /// Removes the refused keywords from `tools`, or the older `functions`.
    pub(super) fn tools(&mut self, tools: Raw<'_>) {
        if !self.fields.changes_tools() {
            return;
        }
        let base = self.patch.place(tools).start;
        // It has been checked before, and is no deeper than allowed.
        let walked = self.schema(base, &mut tools.reader(), Place::Tool);
        debug_assert_eq!(walked, Ok(()));
    }

    fn schema(
        &mut self,
        base: usize,
        reader: &mut Reader<'_>,
        place: Place,
    ) -> Result<(), json::Error> {
        match reader.kind() {
            Some(Kind::Object) => self.object(base, reader, place),
            // A list of schemas is treated like one; a list of names has none in it.
            Some(Kind::Array) => reader.array(|element| self.schema(base, element, place)),
            _ => reader.value().map(drop),
        }
    }

    fn object(
        &mut self,
        base: usize,
        reader: &mut Reader<'_>,
        place: Place,
    ) -> Result<(), json::Error> {
        let mut cuts = Cuts::default();
        reader.object_at(|name, start, reader| {
            let is_keyword = match place {
                Place::Names => false,
                Place::Tool => !OF_TOOLS.contains(&name),
                Place::Schema => true,
            };
            if is_keyword && self.fields.refuses_in_tools(name) {
                reader.value()?;
                cuts.cut(&mut self.patch, base + start, base + reader.at_byte());
                self.dropped.note(&format!("tools[].{name}"));
                return Ok(());
            }
            cuts.keep(&mut self.patch, base + start);
            match place.under(name) {
                Some(under) => self.schema(base, reader, under)?,
                None => reader.value().map(drop)?,
            }
            cuts.kept(base + reader.at_byte());
            Ok(())
        })?;
        cuts.end(&mut self.patch, 0, []);
        Ok(())
    }
}
