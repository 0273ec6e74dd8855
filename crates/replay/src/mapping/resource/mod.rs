//! From a record to the resource that a request is about.
//!
//! The ways are tried in a fixed order: ARNs that CloudTrail recorded (`resources[]`), fields that
//! hold an ARN, names that fill the catalogue's ARN template, what AWS means where none is named.
//! Where no way leads to a whole ARN, the narrowest form that is known stands for it.

mod access_point;
mod names;

use bumpalo::collections::Vec as BumpVec;

use crate::mapping::form::{PathForm, RecordedForm};
use crate::mapping::path::{Path, Sent};
use crate::mapping::template::{Template, account_of};
use crate::mapping::view::{Place, Shown, View, decode};
use crate::mapping::{Certainty, MappedResource};

/// How one kind of resource is found in a record.
#[derive(Debug, Clone)]
pub(in crate::mapping) struct ResourcePlan {
    /// The service whose resource type it is.
    pub(in crate::mapping) service: Box<str>,
    /// The catalogue's resource type.
    pub(in crate::mapping) kind: Box<str>,
    pub(in crate::mapping) template: Template,
    pub(in crate::mapping) recorded: RecordedForm,
    pub(in crate::mapping) arn: Vec<Path>,
    /// For each variable of the template the fields that fill it.
    pub(in crate::mapping) names: Vec<Vec<Path>>,
    pub(in crate::mapping) not: Option<Box<str>>,
    pub(in crate::mapping) begins: Option<Box<str>>,
    pub(in crate::mapping) account: Option<Path>,
    pub(in crate::mapping) foreign: bool,
    pub(in crate::mapping) path: Option<PathForm>,
    pub(in crate::mapping) lower_case: bool,
    pub(in crate::mapping) url_encoded: bool,
    pub(in crate::mapping) or_ending: Option<Box<str>>,
    pub(in crate::mapping) otherwise: Option<Otherwise>,
    pub(in crate::mapping) unknown: Option<Template>,
    pub(in crate::mapping) through_access_point: Option<Template>,
    /// Whether any field that holds an ARN of this type will do.
    pub(in crate::mapping) any_arn_field: bool,
    /// How sure an ARN from names is.
    pub(in crate::mapping) names_certainty: Certainty,
    pub(in crate::mapping) certainty: Certainty,
}

/// What is meant where the request names no resource.
#[derive(Debug, Clone)]
pub(in crate::mapping) enum Otherwise {
    /// The calling IAM user.
    Caller,
    /// This very ARN.
    Literal(Template),
}

/// A resource as found.
#[derive(Debug, Clone, Copy)]
pub(in crate::mapping) struct Found<'a> {
    pub(in crate::mapping) resource: MappedResource<'a>,
    pub(in crate::mapping) certainty: Certainty,
    pub(in crate::mapping) how: How,
    pub(in crate::mapping) origin: Origin<'a>,
}

/// Where a resource came from.
#[derive(Debug, Clone, Copy)]
pub(in crate::mapping) enum Origin<'a> {
    /// `resources[]`
    Recorded,
    /// A field with its ARN.
    Field(&'a Path),
    /// A field of this name, which holds an ARN of its type.
    AnyField(&'a str),
    /// Names in fields, which fill the ARN's template.
    Names(&'a ResourcePlan),
    /// The access point that the request went through.
    AccessPoint,
    /// What AWS means where none is named.
    Usual,
    /// The action has no resource.
    Fixed,
    /// The record has it not.
    NotRecorded,
}

/// How a resource was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mapping) enum How {
    /// CloudTrail or the request gave its ARN, or AWS's rule for unnamed ones.
    Given,
    /// Built from names.
    Named,
    /// AWS may ask for it besides.
    Besides,
    /// Not whole.
    NotFound,
}

type Finds<'a> = BumpVec<'a, Found<'a>>;

impl ResourcePlan {
    /// The resources of this kind in the record; where there is none, one whose form alone is known.
    pub(in crate::mapping) fn find<'a>(&'a self, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let before = finds.len();
        if let Some(suffix) = &self.through_access_point
            && self.access_point(suffix, view, finds)
        {
            mark(finds, before, Origin::AccessPoint);
            return;
        }
        self.recorded(view, finds);
        mark(finds, before, Origin::Recorded);
        if finds.len() == before {
            self.arn_fields(view, finds);
        }
        let mut values = BumpVec::new_in(view.arena);
        if finds.len() == before {
            self.named(view, &mut values, finds);
            mark(finds, before, Origin::Names(self));
        }
        if finds.len() == before {
            self.otherwise(view, &values, finds);
            mark(finds, before, Origin::Usual);
        }
        if finds.len() == before {
            let pattern = self.pattern(view, &values);
            let account = account_of(pattern).or_else(|| self.default_account(view));
            let resource = MappedResource::Unknown { pattern, account };
            finds.push(Found {
                resource,
                certainty: self.certainty,
                how: How::NotFound,
                origin: Origin::NotRecorded,
            });
        }
    }

    fn recorded<'a>(&self, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        if self.recorded == RecordedForm::Never {
            return;
        }
        let before = finds.len();
        for item in view
            .recorded()
            .iter()
            .filter(|item| item.kind == Some(&*self.kind))
        {
            let account = item
                .account
                .or_else(|| account_of(item.arn))
                .or_else(|| self.owner(view));
            self.push_arn(item.arn, account, view, finds);
        }
        let found = finds.len() - before;
        if found > 1 && self.recorded == RecordedForm::First {
            finds.truncate(before + 1);
        } else if found > 1 && self.recorded == RecordedForm::Last {
            finds.drain(before..before + found - 1);
        }
    }

    /// The owner of an object is its bucket's, which CloudTrail records beside it.
    fn owner<'a>(&self, view: &View<'a, '_>) -> Option<&'a str> {
        if self.foreign {
            return None;
        }
        view.recorded()
            .iter()
            .find_map(|item| item.account)
            .or_else(|| self.default_account(view))
    }

    fn default_account<'a>(&self, view: &View<'a, '_>) -> Option<&'a str> {
        if self.foreign {
            return None;
        }
        let sent = self.account.as_ref().and_then(|path| path.text(view));
        sent.or(Some(view.facts.account))
            .filter(|account| !account.is_empty())
    }

    fn arn_fields<'a>(&'a self, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let before = finds.len();
        let mut texts = BumpVec::new_in(view.arena);
        for path in &self.arn {
            texts.clear();
            path.texts(view, &mut texts);
            for text in texts.iter().filter(|text| text.starts_with("arn:")) {
                self.push_arn(
                    text,
                    account_of(text).or_else(|| self.default_account(view)),
                    view,
                    finds,
                );
            }
            if finds.len() > before {
                mark(finds, before, Origin::Field(path));
                return;
            }
        }
        if self.any_arn_field {
            for place in [Place::Request, Place::Response] {
                for item in view
                    .sent()
                    .iter()
                    .filter(|item| item.place == place && item.kind == Some(&*self.kind))
                {
                    let first = finds.len();
                    self.push_arn(item.arn, account_of(item.arn), view, finds);
                    mark(finds, first, Origin::AnyField(item.member));
                }
                if finds.len() > before {
                    return;
                }
            }
        }
    }

    fn otherwise<'a>(
        &self,
        view: &View<'a, '_>,
        values: &[Option<&'a str>],
        finds: &mut Finds<'a>,
    ) {
        if matches!(view.shown, Shown::Hidden)
            || values.iter().any(Option::is_some)
            || self.arn.iter().any(|path| path.is_sent(view) != Sent::No)
        {
            return;
        }
        match &self.otherwise {
            Some(Otherwise::Caller) if view.facts.caller_name.is_some() => {
                if let Some(arn) = view.facts.caller_arn {
                    self.push_arn(arn, account_of(arn), view, finds);
                }
            }
            Some(Otherwise::Literal(template)) => {
                let account = self.default_account(view).unwrap_or_default();
                let mut texts = BumpVec::new_in(view.arena);
                match template.variables() {
                    [] => texts.push(""),
                    fields => fields
                        .iter()
                        .filter_map(|field| Path::parse(field))
                        .for_each(|path| {
                            path.texts(view, &mut texts);
                        }),
                }
                for text in texts {
                    let arn = template.fill(view, account, &[Some(text)]);
                    self.push_arn(arn, account_of(arn), view, finds);
                }
            }
            Some(Otherwise::Caller) | None => {}
        }
    }

    /// What is known of an ARN that is not known whole.
    fn pattern<'a>(&self, view: &View<'a, '_>, values: &[Option<&'a str>]) -> &'a str {
        let account = match self.foreign {
            true => "",
            false => self.default_account(view).unwrap_or_default(),
        };
        if let Some(unknown) = &self.unknown {
            let mut fields = BumpVec::new_in(view.arena);
            fields.extend(
                unknown
                    .variables()
                    .iter()
                    .map(|field| Path::parse(field).and_then(|path| path.text(view))),
            );
            return unknown.fill(view, account, &fields);
        }
        let refused = |value: &str| value.starts_with("arn:") || !self.is_name(value);
        let mut kept = BumpVec::new_in(view.arena);
        for value in values {
            kept.push(value.filter(|value| !refused(value)).map(|value| {
                if self.lower_case {
                    &*view.arena.alloc_str(&value.to_ascii_lowercase())
                } else {
                    value
                }
            }));
        }
        self.template.fill(view, account, &kept)
    }

    /// The same kind where the call makes a new one: AWS compares the ARN with `*` for its id.
    /// See <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policies-for-amazon-ec2.html>.
    pub(in crate::mapping) fn made(&self) -> Self {
        Self {
            otherwise: Some(Otherwise::Literal(self.template.with_stars())),
            ..self.clone()
        }
    }

    /// Whether a text may be a name of this kind.
    fn is_name(&self, text: &str) -> bool {
        let begins =
            |start: &Option<Box<str>>| start.as_deref().map(|start| text.starts_with(start));
        begins(&self.not) != Some(true) && begins(&self.begins) != Some(false)
    }

    fn push_arn<'a>(
        &self,
        arn: &'a str,
        account: Option<&'a str>,
        view: &View<'a, '_>,
        finds: &mut Finds<'a>,
    ) {
        let decoded = if self.url_encoded {
            decode(arn, view.arena)
        } else {
            arn
        };
        let spellings = if decoded == arn {
            self.other_ending(arn, view)
        } else {
            view.arena.alloc_slice_copy(&[decoded])
        };
        let resource = MappedResource::Arn {
            arn,
            spellings,
            account,
        };
        finds.push(Found {
            resource,
            certainty: self.certainty,
            how: How::Given,
            origin: Origin::NotRecorded,
        });
    }

    fn other_ending<'a>(&self, arn: &'a str, view: &View<'a, '_>) -> &'a [&'a str] {
        let Some(ending) = &self.or_ending else {
            return &[];
        };
        let other = match arn.strip_suffix(&**ending) {
            Some(without) => without,
            None => bumpalo::format!(in view.arena, "{}{}", arn, ending).into_bump_str(),
        };
        view.arena.alloc_slice_copy(&[other])
    }
}

/// Says where what was found from `before` on came from.
fn mark<'a>(finds: &mut Finds<'a>, before: usize, origin: Origin<'a>) {
    for found in finds.iter_mut().skip(before) {
        found.origin = origin;
    }
}
