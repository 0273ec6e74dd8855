//! The condition keys that a request's own fields feed.
//!
//! A key is known with its values where the field is sent, absent where the request is shown and
//! does not send it, and not set at all where the request is not shown.

use bumpalo::collections::Vec as BumpVec;
use percent_encoding::percent_decode_str;
use retrial_cloudtrail::{Json, JsonKind};
use retrial_iam::{KeyState, Values};

use crate::omission::is_hidden;

use super::path::{Path, Sent};
use super::template::Template;
use super::view::{MemberBits, View};

/// One condition key and where its values come from.
#[derive(Debug, Clone)]
pub(super) struct KeyPlan {
    /// In the catalogue's spelling; `aws:RequestTag/*` stands for one key per tag.
    pub(super) key: Box<str>,
    pub(super) multivalued: bool,
    /// The key's present name, where this is an old one.
    pub(super) present_name: Option<Box<str>>,
    /// What makes the record no witness of the key where it is sent.
    pub(super) unknown_if_sent: Option<Path>,
    /// The members of the request without which the key is as [`KeySource::not_sent`] has it; `None` where
    /// other fields feed it, or none.
    pub(super) members: Option<MemberBits>,
    pub(super) source: KeySource,
}

/// Where a key's values come from.
#[derive(Debug, Clone)]
pub(super) enum KeySource {
    /// Fields.
    Fields {
        from: Vec<Path>,
        part: Option<Box<str>>,
        default: Option<Box<str>>,
        unknown_if_not_sent: bool,
        arn_only: bool,
        before: Option<Box<str>>,
        /// The ARN template whose last variable a value fills, and the fields that fill those before it.
        arn_of: Option<(Template, Vec<Path>)>,
    },
    /// Always this.
    Value(Box<str>),
    /// Never in the request.
    Absent,
    /// The record cannot tell.
    Unknown,
    /// One key per member of an object.
    Map(Path),
    /// One key per tag.
    Tags(Vec<Path>),
    /// The names of tags, or of an object's members.
    NamesOf(Vec<Path>),
}

type Keys<'a> = BumpVec<'a, (&'a str, KeyState<'a>)>;

impl KeySource {
    /// The members of the request that all of its fields begin with.
    pub(super) fn members(&self) -> Option<MemberBits> {
        let paths = match self {
            Self::Fields { from, .. } | Self::Tags(from) | Self::NamesOf(from) => from.as_slice(),
            Self::Map(path) => std::slice::from_ref(path),
            Self::Value(_) | Self::Absent | Self::Unknown => return None,
        };
        paths.iter().map(Path::member).collect()
    }

    /// The key's state where none of its fields is sent; `None` where it is not set then.
    fn not_sent(&self) -> Option<KeyState<'_>> {
        match self {
            Self::Fields {
                default: Some(default),
                ..
            } => Some(one(default)),
            Self::Fields {
                unknown_if_not_sent,
                ..
            } => (!unknown_if_not_sent).then_some(KeyState::Absent),
            Self::Map(_) | Self::Tags(_) | Self::NamesOf(_) | Self::Absent => {
                Some(KeyState::Absent)
            }
            Self::Value(value) => Some(one(value)),
            Self::Unknown => None,
        }
    }
}

impl KeyPlan {
    /// Adds the key's state, where the record says anything of it.
    pub(super) fn add<'a>(&'a self, view: &View<'a, '_>, keys: &mut Keys<'a>) {
        let clouded = |path: &Path| path.is_sent(view) != Sent::No;
        if self.unknown_if_sent.as_ref().is_some_and(clouded) {
            return;
        }
        let own = |state| (&*self.key, state);
        // Most keys of most requests.
        if self.members.is_some_and(|members| view.has_none(members)) {
            keys.extend(self.source.not_sent().map(own));
            return;
        }
        match &self.source {
            KeySource::Value(value) => keys.push(own(one(value))),
            KeySource::Absent => keys.push(own(KeyState::Absent)),
            KeySource::Unknown => {}
            KeySource::Fields { .. } => keys.extend(self.fields(view).map(own)),
            KeySource::Map(path) => self.map(path, view, keys),
            KeySource::Tags(paths) => self.tags(paths, view, keys),
            KeySource::NamesOf(paths) => {
                let mut names = BumpVec::new_in(view.arena);
                match all_pairs(paths, view, &mut |name, _| names.push(name)) {
                    Sent::Yes => {
                        keys.push(own(KeyState::Known(Values::Many(names.into_bump_slice()))))
                    }
                    Sent::No => keys.push(own(KeyState::Absent)),
                    Sent::Hidden => {}
                }
            }
        }
    }

    fn fields<'a>(&'a self, view: &View<'a, '_>) -> Option<KeyState<'a>> {
        let KeySource::Fields {
            from,
            part,
            arn_only,
            before,
            arn_of,
            ..
        } = &self.source
        else {
            return None;
        };
        let mut texts = BumpVec::new_in(view.arena);
        let mut hidden = false;
        for path in from {
            hidden |= path.texts(view, &mut texts) == Sent::Hidden;
        }
        if hidden {
            return (!texts.is_empty()).then_some(KeyState::Unknown);
        }
        if let Some(part) = part {
            texts.retain_mut(
                |text| match text.find(&**part).and_then(|start| text.get(start..)) {
                    Some(rest) => {
                        *text = rest;
                        true
                    }
                    None => false,
                },
            );
        }
        if let Some(before) = before {
            for text in texts.iter_mut().filter(|text| !text.starts_with(&**before)) {
                *text = bumpalo::format!(in view.arena, "{}{}", before, text).into_bump_str();
            }
        }
        if let Some((template, within)) = arn_of {
            let mut outer = BumpVec::new_in(view.arena);
            for path in within {
                path.texts(view, &mut outer);
            }
            for text in texts.iter_mut().filter(|text| !text.starts_with("arn:")) {
                // Services lower-case names in ARNs, and not all of them are known to.
                let names = outer.iter().chain([&*text]);
                let is_spelt = |name: &&str| !name.bytes().any(|byte| byte.is_ascii_uppercase());
                if outer.len() != within.len() || !names.clone().all(is_spelt) {
                    return Some(KeyState::Unknown);
                }
                let names = BumpVec::from_iter_in(names.map(|name| Some(*name)), view.arena);
                *text = template.fill(view, view.facts.account, &names);
            }
        }
        if *arn_only && texts.iter().any(|text| !text.starts_with("arn:")) {
            return Some(KeyState::Unknown);
        }
        let first = texts.first().copied();
        match first {
            _ if self.multivalued && !texts.is_empty() => {
                let mut distinct = BumpVec::with_capacity_in(texts.len(), view.arena);
                texts.iter().for_each(|text| {
                    if !distinct.contains(text) {
                        distinct.push(*text);
                    }
                });
                Some(KeyState::Known(Values::Many(distinct.into_bump_slice())))
            }
            Some(text) if texts.iter().all(|other| *other == text) => Some(one(text)),
            // Several values for a key that holds one: which of them AWS compares is not documented.
            Some(_) => Some(KeyState::Unknown),
            None => self.source.not_sent(),
        }
    }

    fn map<'a>(&'a self, path: &Path, view: &View<'a, '_>, keys: &mut Keys<'a>) {
        let mut hidden = false;
        let sent = path.values(view, &mut |object| {
            hidden |= object.as_str().is_some_and(is_hidden);
            for (name, value) in object.members() {
                if let Some(text) = value.as_str() {
                    keys.push((self.named(name, view), shown(text)));
                }
            }
        });
        self.no_others(if hidden { Sent::Hidden } else { sent }, keys);
    }

    fn tags<'a>(&'a self, paths: &[Path], view: &View<'a, '_>, keys: &mut Keys<'a>) {
        let sent = all_pairs(paths, view, &mut |name, value| {
            // A tag whose value is not shown, or not sent, is in the request all the same.
            keys.push((
                self.named(name, view),
                value.map_or(KeyState::Unknown, shown),
            ));
        });
        self.no_others(sent, keys);
    }

    fn no_others<'a>(&'a self, sent: Sent, keys: &mut Keys<'a>) {
        if sent != Sent::Hidden {
            keys.push((&self.key, KeyState::Absent));
        }
    }

    fn named<'a>(&self, name: &str, view: &View<'a, '_>) -> &'a str {
        let prefix = self.key.trim_end_matches('*');
        bumpalo::format!(in view.arena, "{}{}", prefix, name).into_bump_str()
    }
}

fn one(value: &str) -> KeyState<'_> {
    KeyState::Known(Values::One(value))
}

/// The value, unless CloudTrail wrote something in its place.
fn shown(value: &str) -> KeyState<'_> {
    if is_hidden(value) {
        KeyState::Unknown
    } else {
        one(value)
    }
}

/// All tags in these places, in any of the shapes that AWS's services use.
fn all_pairs<'a>(
    paths: &[Path],
    view: &View<'a, '_>,
    found: &mut dyn FnMut(&'a str, Option<&'a str>),
) -> Sent {
    let mut all = Sent::No;
    for path in paths {
        let mut hidden = false;
        let sent = path.values(view, &mut |value| match value.as_str() {
            Some(text) if is_hidden(text) => hidden = true,
            _ => pairs(value, view, found),
        });
        match sent {
            _ if hidden => return Sent::Hidden,
            Sent::Hidden => return Sent::Hidden,
            Sent::Yes => all = Sent::Yes,
            Sent::No => {}
        }
    }
    all
}

/// `[{"key": …, "value": …}]`, `[{"tagKey": …, "tagValue": …}]`, `{"Key": …, "Value": …}` (an XML
/// list of one), `{"name": "value"}`, `["name"]`, `{"items": […]}`, or `name=value&…` (S3's header).
fn pairs<'a>(
    value: Json<'a>,
    view: &View<'a, '_>,
    found: &mut dyn FnMut(&'a str, Option<&'a str>),
) {
    match value.kind() {
        JsonKind::Array => value.items().for_each(|item| match item.as_str() {
            Some(name) => found(name, None),
            None => pairs(item, view, found),
        }),
        JsonKind::Object => object_pairs(value, view, found),
        JsonKind::String => query_pairs(value.as_str().unwrap_or_default(), view, found),
        JsonKind::Null | JsonKind::Bool | JsonKind::Number => {}
    }
}

fn object_pairs<'a>(
    object: Json<'a>,
    view: &View<'a, '_>,
    found: &mut dyn FnMut(&'a str, Option<&'a str>),
) {
    let member = |names: [&str; 3]| names.into_iter().find_map(|name| object.get(name));
    if let Some(list) = member(["items", "Tag", "tags"])
        .filter(|list| matches!(list.kind(), JsonKind::Array | JsonKind::Object))
    {
        pairs(list, view, found);
        return;
    }
    let text = |value: Json<'a>| value.as_str().or_else(|| scalar(value, view));
    if let Some(name) = member(["key", "Key", "tagKey"]).and_then(text) {
        found(name, member(["value", "Value", "tagValue"]).and_then(text));
        return;
    }
    for (name, value) in object.members() {
        if matches!(
            value.kind(),
            JsonKind::String | JsonKind::Number | JsonKind::Bool
        ) {
            found(name, text(value));
        }
    }
}

/// S3 shows `<Value>true</Value>` as `true`.
fn scalar<'a>(value: Json<'a>, view: &View<'a, '_>) -> Option<&'a str> {
    match value.kind() {
        JsonKind::Bool => value
            .as_bool()
            .map(|truth| if truth { "true" } else { "false" }),
        JsonKind::Number => value
            .number_text()
            .map(|text| &*view.arena.alloc_str(&text)),
        _ => None,
    }
}

fn query_pairs<'a>(
    text: &'a str,
    view: &View<'a, '_>,
    found: &mut dyn FnMut(&'a str, Option<&'a str>),
) {
    let decoded = |part: &'a str| {
        let spaced = part.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8_lossy().into_owned();
        &*view.arena.alloc_str(&text)
    };
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        found(decoded(name), Some(decoded(value)));
    }
}
