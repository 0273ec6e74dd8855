//! Where a value stands in a record: `vpcConfig.subnets`, `inputDataConfig[].dataSource`,
//! `**.instanceId`, `response:role.arn`, `copy-source:version`.

use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::{Json, JsonKind};

use crate::omission::is_hidden;

use super::view::{COPY_SOURCE_PARTS, MemberBit, RecordField, Shown, View};

/// A place in a record.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// As the data file writes it.
    text: Box<str>,
    root: Root,
    steps: Vec<Step>,
    /// Which member of the request it begins with; `None` where that is not told by one name.
    first: Option<MemberBit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    /// `requestParameters`
    Request,
    /// `responseElements`
    Response,
    /// `additionalEventData`
    Additional,
    /// One of the record's own fields.
    Record(RecordField),
    /// S3's `x-amz-copy-source` header, taken apart.
    CopySource,
}

#[derive(Debug, Clone)]
struct Step {
    name: Box<str>,
    /// `name[]`: the items of an array.
    each: bool,
    /// `name*`: every member whose name begins so.
    prefix: bool,
    /// `**.name`: the member of this name at any depth.
    anywhere: bool,
}

/// How deep `**` looks; AWS's requests are flatter.
const DEPTH: usize = 16;

/// What is known of the value in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is there.
    Yes,
    /// It is not there.
    No,
    /// The record does not show whether.
    Hidden,
}

impl Path {
    /// Reads `root:a.b[].c`; `None` where it has not this form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (root, rest) = match text.split_once(':') {
            Some(("response", rest)) => (Root::Response, rest),
            Some(("additional", rest)) => (Root::Additional, rest),
            Some(("record", rest)) => (Root::Record(RecordField::of_name(rest)?), rest),
            Some(("copy-source", rest)) => (Root::CopySource, rest),
            Some(_) => return None,
            None => (Root::Request, text),
        };
        let mut steps = Vec::new();
        let mut anywhere = false;
        for part in rest.split('.') {
            if part == "**" && !anywhere {
                anywhere = true;
                continue;
            }
            let (part, each) = match part.strip_suffix("[]") {
                Some(part) => (part, true),
                None => (part, false),
            };
            let (name, prefix) = match part.strip_suffix('*') {
                Some(name) => (name, true),
                None => (part, false),
            };
            if name.is_empty()
                || name.contains(|c: char| c.is_whitespace() || "[]*!=|&@".contains(c))
            {
                return None;
            }
            steps.push(Step {
                name: name.into(),
                each,
                prefix,
                anywhere: std::mem::take(&mut anywhere),
            });
        }
        if anywhere {
            return None;
        }
        let known = root != Root::CopySource || COPY_SOURCE_PARTS.contains(&rest);
        let first = steps.first().filter(|step| !step.anywhere && !step.prefix);
        known.then_some(Self {
            text: text.into(),
            root,
            first: first.map(|step| MemberBit::of(&step.name)),
            steps,
        })
    }

    /// As the data file writes it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Which member of the request it begins with; `None` where that is not told by one name, and where it
    /// leads elsewhere.
    pub(super) fn member(&self) -> Option<MemberBit> {
        self.first.filter(|_| self.root == Root::Request)
    }

    /// The JSON values in this place, each given to `found`.
    pub(super) fn values<'a>(&self, view: &View<'a, '_>, found: &mut dyn FnMut(Json<'a>)) -> Sent {
        let start = match self.root {
            Root::Request => match view.shown {
                Shown::Object(parameters) => match (self.steps.split_first(), self.first) {
                    // Most paths, of which a record has a dozen; and most lead nowhere.
                    (Some(_), Some(first)) if !view.may_have(first) => return Sent::No,
                    (Some((step, rest)), Some(_)) => {
                        let mut sent = Sent::No;
                        if let Some(member) = view.member(&step.name) {
                            enter(member, step, rest, &mut |value| {
                                sent = Sent::Yes;
                                found(value);
                            });
                        }
                        return sent;
                    }
                    _ => Some(parameters),
                },
                Shown::Empty => return Sent::No,
                Shown::Hidden => return Sent::Hidden,
            },
            Root::Response => view.record.response_elements,
            Root::Additional => view.record.additional_event_data,
            Root::Record(_) | Root::CopySource => None,
        };
        let mut sent = Sent::No;
        if let Some(start) = start {
            walk(start, &self.steps, &mut |value| {
                sent = Sent::Yes;
                found(value);
            });
        }
        sent
    }

    /// The texts in this place: strings, numbers and booleans, also out of an array.
    pub(super) fn texts<'a>(&self, view: &View<'a, '_>, texts: &mut BumpVec<'a, &'a str>) -> Sent {
        if matches!(self.root, Root::Record(_) | Root::CopySource) {
            return self.derived_text(view, texts);
        }
        let before = texts.len();
        let mut hidden = false;
        let sent = self.values(view, &mut |value| {
            leaf_texts(value, view, texts, &mut hidden)
        });
        match (sent, hidden) {
            (Sent::Yes, true) => Sent::Hidden,
            (Sent::Yes, false) if texts.len() == before => Sent::No,
            _ => sent,
        }
    }

    /// The first text in this place that is not empty.
    pub(super) fn text<'a>(&self, view: &View<'a, '_>) -> Option<&'a str> {
        let mut texts = BumpVec::new_in(view.arena);
        match self.texts(view, &mut texts) {
            Sent::Yes => texts.into_iter().find(|text| !text.is_empty()),
            Sent::No | Sent::Hidden => None,
        }
    }

    /// Whether the request sends something here: `null`, `""`, `[]` and `{}` are nothing.
    pub(super) fn is_sent(&self, view: &View<'_, '_>) -> Sent {
        if matches!(self.root, Root::Record(_) | Root::CopySource) {
            return self.derived_text(view, &mut BumpVec::new_in(view.arena));
        }
        let mut something = false;
        match self.values(view, &mut |value| something |= !is_nothing(value)) {
            Sent::Yes if !something => Sent::No,
            sent => sent,
        }
    }

    fn derived_text<'a>(&self, view: &View<'a, '_>, texts: &mut BumpVec<'a, &'a str>) -> Sent {
        let value = match self.root {
            Root::CopySource => match view.shown {
                Shown::Hidden => return Sent::Hidden,
                _ if view.hides_copy_source() => return Sent::Hidden,
                _ => {
                    let part = self.steps.first().map(|step| &*step.name);
                    let source = view.copy_source();
                    source.and_then(|source| source.part(part.unwrap_or_default()))
                }
            },
            Root::Record(field) => view.record_field(field),
            Root::Request | Root::Response | Root::Additional => None,
        };
        texts.extend(value);
        if value.is_some() { Sent::Yes } else { Sent::No }
    }
}

fn walk<'a>(value: Json<'a>, steps: &[Step], found: &mut dyn FnMut(Json<'a>)) {
    let Some((step, rest)) = steps.split_first() else {
        found(value);
        return;
    };
    if step.anywhere {
        everywhere(value, DEPTH, &mut |object| {
            enter_step(object, step, rest, found)
        });
    } else {
        enter_step(value, step, rest, found);
    }
}

/// All objects in a value, outermost first.
fn everywhere<'a>(value: Json<'a>, depth: usize, found: &mut dyn FnMut(Json<'a>)) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    match value.kind() {
        JsonKind::Object => {
            found(value);
            value
                .members()
                .for_each(|(_, member)| everywhere(member, depth, found));
        }
        JsonKind::Array => value
            .items()
            .for_each(|item| everywhere(item, depth, found)),
        _ => {}
    }
}

fn enter_step<'a>(value: Json<'a>, step: &Step, rest: &[Step], found: &mut dyn FnMut(Json<'a>)) {
    if step.prefix {
        value
            .members()
            .filter(|(name, _)| name.starts_with(&*step.name))
            .for_each(|(_, member)| enter(member, step, rest, found));
    } else if let Some(member) = value.get(&step.name) {
        enter(member, step, rest, found);
    }
}

fn enter<'a>(member: Json<'a>, step: &Step, rest: &[Step], found: &mut dyn FnMut(Json<'a>)) {
    if step.each {
        // One item may stand without its list (XML bodies, old records).
        if member.kind() == JsonKind::Array {
            member.items().for_each(|item| walk(item, rest, found));
        } else if !member.is_null() {
            walk(member, rest, found);
        }
    } else if !member.is_null() {
        walk(member, rest, found);
    }
}

fn leaf_texts<'a>(
    value: Json<'a>,
    view: &View<'a, '_>,
    texts: &mut BumpVec<'a, &'a str>,
    hidden: &mut bool,
) {
    match value.kind() {
        JsonKind::String => {
            let text = value.as_str().unwrap_or_default();
            if is_hidden(text) {
                *hidden = true;
            } else {
                texts.push(text);
            }
        }
        JsonKind::Bool => texts.push(if value.as_bool() == Some(true) {
            "true"
        } else {
            "false"
        }),
        JsonKind::Number => texts.extend(
            value
                .number_text()
                .map(|text| &*view.arena.alloc_str(&text)),
        ),
        JsonKind::Array => value.items().for_each(|item| {
            if item.kind() != JsonKind::Array {
                leaf_texts(item, view, texts, hidden);
            }
        }),
        // Amazon EC2's newer requests write `{"content": "vpce-1", "tag": 1}` for an item of a list.
        JsonKind::Object => {
            if let Some(content) = value.get("content").filter(|_| value.get("tag").is_some()) {
                texts.extend(content.as_str());
            }
        }
        JsonKind::Null => {}
    }
}

fn is_nothing(value: Json<'_>) -> bool {
    match value.kind() {
        JsonKind::Null => true,
        JsonKind::String => value.as_str() == Some(""),
        JsonKind::Array => value.items().next().is_none(),
        JsonKind::Object => value.members().next().is_none(),
        JsonKind::Bool | JsonKind::Number => false,
    }
}
