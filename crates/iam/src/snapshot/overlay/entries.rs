//! The entries of a change and of the file that they change, as text: what nobody changes stays as it
//! was written.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::super::json::{Entries, JsonProblem, Lines};
use super::error::{OverlayError, OverlayProblem, Place};

/// A file of the change.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangeFile<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl<'a> ChangeFile<'a> {
    /// What is wrong, at a part of the file's text.
    pub(super) fn wrong(&self, part: &RawValue, problem: OverlayProblem) -> OverlayError {
        self.wrong_at(Place(Some(self.place(part))), problem)
    }

    pub(super) fn wrong_at(&self, place: Place, problem: OverlayProblem) -> OverlayError {
        OverlayError::File {
            path: self.path.to_owned(),
            place,
            problem: problem.on_one_line(),
        }
    }

    pub(super) fn json(&self, problem: &JsonProblem) -> OverlayError {
        self.wrong_at(
            Place(Some(problem.place())),
            OverlayProblem::Form(problem.reason().to_owned()),
        )
    }

    /// The line and column at which a part of the file's text begins.
    pub(super) fn place(&self, part: &RawValue) -> (usize, usize) {
        let offset = (part.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Lines::of(self.text).place(offset)
    }

    /// The members of an object.
    pub(super) fn members(&self, value: &'a RawValue) -> Result<Members<'a>, OverlayError> {
        let members: Entries<'a, &'a RawValue> =
            serde_json::from_str(value.get()).map_err(|error| {
                let reason = JsonProblem::from(error).reason().to_owned();
                self.wrong(value, OverlayProblem::Form(reason))
            })?;
        Ok(members.0)
    }

    /// The entries of one of its lists: AWS's own list, or an object of them by their names.
    pub(super) fn entries(
        &self,
        (list, value): (&str, &'a RawValue),
        name_of: fn(&str) -> Option<String>,
    ) -> Result<Vec<Entry<'a>>, OverlayError> {
        let entries = if value.get().starts_with('[') {
            let raw: Vec<&'a RawValue> = serde_json::from_str(value.get())
                .map_err(|error| self.wrong(value, form(error)))?;
            let entry = |raw: &'a RawValue| match name_of(raw.get()) {
                Some(name) => Ok(Entry {
                    name: name.into(),
                    raw,
                    given: Given::Whole(self.members(raw)?),
                }),
                None => Err(self.wrong(
                    raw,
                    OverlayProblem::Form(format!("an entry of `{list}` has no name")),
                )),
            };
            raw.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?
        } else if value.get().starts_with('{') {
            let entry = |(name, raw): (Cow<'a, str>, &'a RawValue)| {
                let given = match raw.get() {
                    "null" => Given::Deleted,
                    _ => Given::Members(self.members(raw)?),
                };
                Ok(Entry { name, raw, given })
            };
            let named = self.members(value)?;
            named
                .into_iter()
                .map(entry)
                .collect::<Result<Vec<_>, _>>()?
        } else {
            return Err(self.wrong(value, OverlayProblem::NeitherListNorObject(list.to_owned())));
        };
        self.each_once(&entries)?;
        Ok(entries)
    }

    /// An object whose values are the entries: what stands there is whole, or `null`.
    pub(super) fn values(&self) -> Result<Vec<Value<'a>>, OverlayError> {
        let whole: &'a RawValue = serde_json::from_str(self.text)
            .map_err(|error| self.json(&JsonProblem::from(error)))?;
        let mut names = BTreeSet::new();
        let mut values = Vec::new();
        for (name, raw) in self.members(whole)? {
            if !names.insert(name.clone()) {
                return Err(self.wrong(raw, OverlayProblem::Twice(name.into_owned())));
            }
            values.push(Value { name, raw });
        }
        Ok(values)
    }

    fn each_once(&self, entries: &[Entry<'a>]) -> Result<(), OverlayError> {
        let mut names = BTreeSet::new();
        match entries.iter().find(|entry| !names.insert(&entry.name)) {
            Some(entry) => Err(self.wrong(
                entry.raw,
                OverlayProblem::Twice(entry.name.clone().into_owned()),
            )),
            None => Ok(()),
        }
    }
}

impl OverlayProblem {
    /// Whoever wrote the file chose the names in it: a message stays one line whatever they hold.
    fn on_one_line(self) -> Self {
        let line = |text: String| text.replace(char::is_control, "\u{fffd}");
        match self {
            Self::Form(reason) => Self::Form(line(reason)),
            Self::NeitherListNorObject(list) => Self::NeitherListNorObject(line(list)),
            Self::UnknownMember { id, member } => Self::UnknownMember {
                id: line(id),
                member: line(member),
            },
            Self::UnknownAccount(account) => Self::UnknownAccount(line(account)),
            Self::OtherAccount { id, found } => Self::OtherAccount {
                id: line(id),
                found: line(found),
            },
            Self::OtherForm { id, expected } => Self::OtherForm {
                id: line(id),
                expected,
            },
            Self::OtherName { key, id } => Self::OtherName {
                key: line(key),
                id: line(id),
            },
            Self::Twice(id) => Self::Twice(line(id)),
            Self::NotThere(id) => Self::NotThere(line(id)),
            Self::NotDeletable { id, why } => Self::NotDeletable {
                id: line(id),
                why: line(why),
            },
            Self::Document { owner, why } => Self::Document {
                owner: line(owner),
                why: line(why),
            },
            Self::Dangling { id, named } => Self::Dangling {
                id: line(id),
                named: line(named),
            },
            Self::PolicyType { id, policy_type } => Self::PolicyType {
                id: line(id),
                policy_type: line(policy_type),
            },
            Self::TypeNotEnabled { id, target } => Self::TypeNotEnabled {
                id: line(id),
                target: line(target),
            },
            Self::NotAChange(_) | Self::SnapshotUnreadable | Self::NoManagementAccount => self,
        }
    }
}

pub(super) fn form(error: serde_json::Error) -> OverlayProblem {
    OverlayProblem::Form(JsonProblem::from(error).reason().to_owned())
}

/// The members of an object, in their order.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// One entry of a change.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its ARN or id.
    pub(super) name: Cow<'a, str>,
    /// Where it stands.
    pub(super) raw: &'a RawValue,
    pub(super) given: Given<'a>,
}

/// What a change gives of an entry.
#[derive(Debug)]
pub(super) enum Given<'a> {
    /// In a list, as AWS prints it: all of it.
    Whole(Members<'a>),
    /// Under its name: the members that change.
    Members(Members<'a>),
    /// `null`
    Deleted,
}

/// One value of an object whose members are the entries.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) raw: &'a RawValue,
}

/// What became of an entry of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverlayEffect {
    /// It was there, and is another now.
    Replaced,
    /// It was not there.
    Added,
    /// It is gone.
    Deleted,
    /// It was there just so.
    Unchanged,
}

impl OverlayEffect {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
        }
    }
}

/// The entries of one list or object of the snapshot.
#[derive(Debug, Default)]
pub(super) struct Listed<'a> {
    items: Vec<(String, Cow<'a, str>)>,
}

impl<'a> Listed<'a> {
    pub(super) fn new(items: impl IntoIterator<Item = (String, &'a RawValue)>) -> Self {
        let items = items.into_iter();
        Self {
            items: items
                .map(|(name, raw)| (name, Cow::Borrowed(raw.get())))
                .collect(),
        }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().map(|(name, text)| (&**name, &**text))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.items.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// Sets an entry; of several of one name the first stays, which is the one that counted.
    pub(super) fn set(&mut self, name: &str, text: String) -> OverlayEffect {
        let Some(place) = self.items.iter().position(|(known, _)| known == name) else {
            self.items.push((name.to_owned(), text.into()));
            return OverlayEffect::Added;
        };
        let mut effect = OverlayEffect::Unchanged;
        if let Some((_, before)) = self.items.get_mut(place)
            && !is_same(before, &text)
        {
            *before = text.into();
            effect = OverlayEffect::Replaced;
        }
        effect
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.items.len();
        self.items.retain(|(known, _)| known != name);
        self.items.len() < before
    }

    /// Changes entries where `change` says how.
    pub(super) fn edit(&mut self, mut change: impl FnMut(&str, &str) -> Option<String>) -> bool {
        let mut any = false;
        for (name, text) in &mut self.items {
            if let Some(changed) = change(name, text) {
                *text = changed.into();
                any = true;
            }
        }
        any
    }

    /// `[…]`
    pub(super) fn list(&self) -> String {
        let items: Vec<&str> = self.items.iter().map(|(_, text)| &**text).collect();
        format!("[{}]", items.join(",\n"))
    }

    /// `{"<name>": …, …}`
    pub(super) fn object(&self) -> String {
        object(self.items.iter().map(|(name, text)| (&**name, &**text)))
    }
}

/// An object of members that are JSON already.
pub(super) fn object<'m>(members: impl Iterator<Item = (&'m str, &'m str)>) -> String {
    let members: Vec<String> = members
        .map(|(name, text)| format!("{}: {text}", quoted(name)))
        .collect();
    format!("{{{}}}", members.join(",\n"))
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The object `text` with some members set anew; those that are `null` are taken out.
pub(super) fn with_members(text: &str, members: &Members<'_>) -> Result<String, serde_json::Error> {
    let mut all: Members<'_> = serde_json::from_str::<Entries<'_, &RawValue>>(text)?.0;
    for (name, value) in members {
        all.retain(|(known, _)| known != name);
        if value.get() != "null" {
            all.push((Cow::Borrowed(name), value));
        }
    }
    Ok(object(
        all.iter().map(|(name, value)| (&**name, value.get())),
    ))
}

/// Whether two texts are the same JSON, written differently perhaps.
fn is_same(left: &str, right: &str) -> bool {
    let value = serde_json::from_str::<serde_json::Value>;
    left == right || matches!((value(left), value(right)), (Ok(left), Ok(right)) if left == right)
}
