//! From a record to the resource that a request is about.
//!
//! The ways are tried in a fixed order: ARNs that CloudTrail recorded (`resources[]`), fields that
//! hold an ARN, names that fill the catalogue's ARN template, what AWS means where none is named.
//! Where no way leads to a whole ARN, the narrowest form that is known stands for it.

use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::Json;

use super::form::{PathForm, RecordedForm};
use super::path::{Path, Sent};
use super::template::{Template, account_of};
use super::view::{Place, Shown, View, decode};
use super::{Certainty, MappedResource};

/// How one kind of resource is found in a record.
#[derive(Debug, Clone)]
pub(super) struct ResourcePlan {
    /// The service whose resource type it is.
    pub(super) service: Box<str>,
    /// The catalogue's resource type.
    pub(super) kind: Box<str>,
    pub(super) template: Template,
    pub(super) recorded: RecordedForm,
    pub(super) arn: Vec<Path>,
    /// For each variable of the template the fields that fill it.
    pub(super) names: Vec<Vec<Path>>,
    pub(super) not: Option<Box<str>>,
    pub(super) account: Option<Path>,
    pub(super) foreign: bool,
    pub(super) path: Option<PathForm>,
    pub(super) lower_case: bool,
    pub(super) url_encoded: bool,
    pub(super) or_ending: Option<Box<str>>,
    pub(super) otherwise: Option<Otherwise>,
    pub(super) unknown: Option<Template>,
    pub(super) through_access_point: Option<Template>,
    /// Whether any field that holds an ARN of this type will do.
    pub(super) any_arn_field: bool,
    /// How sure an ARN from names is.
    pub(super) names_certainty: Certainty,
    pub(super) certainty: Certainty,
}

/// What is meant where the request names no resource.
#[derive(Debug, Clone)]
pub(super) enum Otherwise {
    /// The calling IAM user.
    Caller,
    /// This very ARN.
    Literal(Template),
}

/// A resource as found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) resource: MappedResource<'a>,
    pub(super) certainty: Certainty,
    pub(super) how: How,
}

/// How a resource was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
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
    pub(super) fn find<'a>(&self, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let before = finds.len();
        if let Some(suffix) = &self.through_access_point
            && self.access_point(suffix, view, finds)
        {
            return;
        }
        self.recorded(view, finds);
        if finds.len() == before {
            self.arn_fields(view, finds);
        }
        let mut values = BumpVec::new_in(view.arena);
        if finds.len() == before {
            self.named(view, &mut values, finds);
        }
        if finds.len() == before {
            self.otherwise(view, &values, finds);
        }
        if finds.len() == before {
            let pattern = self.pattern(view, &values);
            let account = account_of(pattern).or_else(|| self.default_account(view));
            let resource = MappedResource::Unknown { pattern, account };
            finds.push(Found { resource, certainty: self.certainty, how: How::NotFound });
        }
    }

    fn recorded<'a>(&self, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        if self.recorded == RecordedForm::Never {
            return;
        }
        let before = finds.len();
        for item in view.recorded().iter().filter(|item| item.kind == Some(&*self.kind)) {
            let account = item.account.or_else(|| account_of(item.arn)).or_else(|| self.owner(view));
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
        view.recorded().iter().find_map(|item| item.account).or_else(|| self.default_account(view))
    }

    fn default_account<'a>(&self, view: &View<'a, '_>) -> Option<&'a str> {
        if self.foreign {
            return None;
        }
        let sent = self.account.as_ref().and_then(|path| path.text(view));
        sent.or(Some(view.facts.account)).filter(|account| !account.is_empty())
    }

    fn arn_fields<'a>(&self, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let before = finds.len();
        let mut texts = BumpVec::new_in(view.arena);
        for path in &self.arn {
            texts.clear();
            path.texts(view, &mut texts);
            for text in texts.iter().filter(|text| text.starts_with("arn:")) {
                self.push_arn(text, account_of(text).or_else(|| self.default_account(view)), view, finds);
            }
            if finds.len() > before {
                return;
            }
        }
        if self.any_arn_field {
            for place in [Place::Request, Place::Response] {
                for item in view.sent().iter().filter(|item| item.place == place && item.kind == Some(&*self.kind)) {
                    self.push_arn(item.arn, account_of(item.arn), view, finds);
                }
                if finds.len() > before {
                    return;
                }
            }
        }
    }

    /// Fills the template; `values` keeps what was found, for [`ResourcePlan::pattern`].
    fn named<'a>(&self, view: &View<'a, '_>, values: &mut BumpVec<'a, Option<&'a str>>, finds: &mut Finds<'a>) {
        let mut list: Option<(usize, BumpVec<'a, &'a str>)> = None;
        for (index, paths) in self.names.iter().enumerate() {
            let mut texts = BumpVec::new_in(view.arena);
            for path in paths {
                path.texts(view, &mut texts);
                texts.retain(|text| !text.is_empty());
                if !texts.is_empty() {
                    break;
                }
            }
            values.push(texts.first().copied());
            if texts.len() > 1 && list.is_none() {
                list = Some((index, texts));
            }
        }
        if self.names.is_empty() || values.iter().any(Option::is_none) {
            return;
        }
        match list {
            None => self.push_named(values, view, finds),
            Some((index, texts)) => {
                let mut each = values.clone();
                for text in texts {
                    if let Some(value) = each.get_mut(index) {
                        *value = Some(text);
                    }
                    self.push_named(&each, view, finds);
                }
                // None of the names alone says what the form is.
                if let Some(value) = values.get_mut(index) {
                    *value = None;
                }
            }
        }
    }

    fn push_named<'a>(&self, values: &[Option<&'a str>], view: &View<'a, '_>, finds: &mut Finds<'a>) {
        if let Some(arn) = values.iter().flatten().find(|value| value.starts_with("arn:")) {
            let kind = view.facts.catalogue.type_of_arn(&self.service, arn);
            if kind.is_none_or(|kind| kind.name == &*self.kind) {
                self.push_arn(arn, account_of(arn).or_else(|| self.default_account(view)), view, finds);
            }
            return;
        }
        if let (Some(not), Some(Some(first))) = (&self.not, values.first())
            && first.starts_with(&**not)
        {
            return;
        }
        let account = self.account.as_ref().and_then(|path| path.text(view)).unwrap_or(view.facts.account);
        match self.path {
            Some(form) => self.push_with_path(form, account, values, view, finds),
            None => self.push_built(account, values, view, finds),
        }
    }

    fn push_built<'a>(&self, account: &str, values: &[Option<&'a str>], view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let arn = self.template.fill(view, account, values);
        let owner = if self.template.has_account() { account_of(arn) } else { self.owner(view) };
        let mut spellings = self.other_ending(arn, view);
        let mut main = arn;
        if self.lower_case && values.iter().flatten().any(|value| value.bytes().any(|byte| byte.is_ascii_uppercase())) {
            let mut lowered = BumpVec::new_in(view.arena);
            lowered.extend(values.iter().map(|value| value.map(|value| &*view.arena.alloc_str(&value.to_ascii_lowercase()))));
            main = self.template.fill(view, account, &lowered);
            spellings = view.arena.alloc_slice_copy(&[arn]);
        } else if self.url_encoded && values.iter().flatten().any(|value| value.contains('%')) {
            let mut decoded = BumpVec::new_in(view.arena);
            decoded.extend(values.iter().map(|value| value.map(|value| decode(value, view.arena))));
            spellings = view.arena.alloc_slice_copy(&[self.template.fill(view, account, &decoded)]);
        }
        let resource = MappedResource::Arn { arn: main, spellings, account: owner };
        finds.push(Found { resource, certainty: self.names_certainty.min(self.certainty), how: How::Named });
    }

    /// Names of users, groups, roles, policies and instance profiles come without their path, and
    /// the ARN has it.
    /// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
    fn push_with_path<'a>(&self, form: PathForm, account: &'a str, values: &[Option<&'a str>], view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let Some(Some(name)) = values.first().copied() else { return };
        let snapshot = view.facts.snapshot;
        let known: Option<&'a str> = match form {
            PathForm::Request => {
                let path = Path::parse("path").and_then(|path| path.text(view)).unwrap_or("/");
                let with_path = bumpalo::format!(in view.arena, "{}{}", path.trim_start_matches('/'), name);
                Some(self.template.fill(view, account, &[Some(with_path.into_bump_str())]))
            }
            PathForm::Role => snapshot.and_then(|snapshot| snapshot.role_by_name(account, name)).map(|role| &*role.arn),
            PathForm::User if view.facts.caller_name == Some(name) && view.facts.caller_account == Some(account) => view.facts.caller_arn,
            PathForm::User => snapshot.and_then(|snapshot| snapshot.user_by_name(account, name)).map(|user| &*user.arn),
            PathForm::Group => snapshot.and_then(|snapshot| snapshot.group_arn(account, name)),
            PathForm::Unknown => None,
        };
        match known {
            Some(arn) => self.push_arn(arn, account_of(arn), view, finds),
            None => {
                let ending = bumpalo::format!(in view.arena, "*{}", name).into_bump_str();
                let pattern = self.template.fill(view, account, &[Some(ending)]);
                let resource = MappedResource::Unknown { pattern, account: account_of(pattern) };
                finds.push(Found { resource, certainty: self.certainty, how: How::NotFound });
            }
        }
    }

    fn otherwise<'a>(&self, view: &View<'a, '_>, values: &[Option<&'a str>], finds: &mut Finds<'a>) {
        if matches!(view.shown, Shown::Hidden) || values.iter().any(Option::is_some) || self.arn.iter().any(|path| path.is_sent(view) != Sent::No) {
            return;
        }
        match &self.otherwise {
            Some(Otherwise::Caller) if view.facts.caller_name.is_some() => {
                if let Some(arn) = view.facts.caller_arn {
                    self.push_arn(arn, account_of(arn), view, finds);
                }
            }
            Some(Otherwise::Literal(template)) => {
                let mut literals = BumpVec::new_in(view.arena);
                literals.resize(template.variables().len(), Some(""));
                let account = self.default_account(view).unwrap_or_default();
                let arn = template.fill(view, account, &literals);
                self.push_arn(arn, account_of(arn), view, finds);
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
            fields.extend(unknown.variables().iter().map(|field| Path::parse(field).and_then(|path| path.text(view))));
            return unknown.fill(view, account, &fields);
        }
        let refused = |value: &str| value.starts_with("arn:") || self.not.as_ref().is_some_and(|not| value.starts_with(&**not));
        let mut kept = BumpVec::new_in(view.arena);
        for value in values {
            kept.push(value.filter(|value| !refused(value)).map(|value| if self.lower_case { &*view.arena.alloc_str(&value.to_ascii_lowercase()) } else { value }));
        }
        self.template.fill(view, account, &kept)
    }

    fn push_arn<'a>(&self, arn: &'a str, account: Option<&'a str>, view: &View<'a, '_>, finds: &mut Finds<'a>) {
        let decoded = if self.url_encoded { decode(arn, view.arena) } else { arn };
        let spellings = if decoded == arn { self.other_ending(arn, view) } else { view.arena.alloc_slice_copy(&[decoded]) };
        let resource = MappedResource::Arn { arn, spellings, account };
        finds.push(Found { resource, certainty: self.certainty, how: How::Given });
    }

    fn other_ending<'a>(&self, arn: &'a str, view: &View<'a, '_>) -> &'a [&'a str] {
        let Some(ending) = &self.or_ending else { return &[] };
        let other = match arn.strip_suffix(&**ending) {
            Some(without) => without,
            None => bumpalo::format!(in view.arena, "{}{}", arn, ending).into_bump_str(),
        };
        view.arena.alloc_slice_copy(&[other])
    }

    /// A request through an S3 access point is authorized on the access point's ARN, and with its
    /// policy on the bucket behind it.
    /// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html>.
    fn access_point<'a>(&self, suffix: &Template, view: &View<'a, '_>, finds: &mut Finds<'a>) -> bool {
        let Some(access_point) = access_point_of(view) else { return false };
        let mut values = BumpVec::new_in(view.arena);
        for variable in suffix.variables() {
            let index = self.template.variables().iter().position(|own| own == variable);
            let paths = index.and_then(|index| self.names.get(index));
            values.push(paths.and_then(|paths| paths.iter().find_map(|path| path.text(view))));
        }
        let rest = suffix.fill(view, "", &values);
        let arn = bumpalo::format!(in view.arena, "{}{}", access_point, rest).into_bump_str();
        let account = account_of(access_point);
        if access_point.contains('*') || values.iter().any(Option::is_none) {
            finds.push(Found { resource: MappedResource::Unknown { pattern: arn, account }, certainty: self.certainty, how: How::NotFound });
        } else {
            self.push_arn(arn, account, view, finds);
        }
        let behind = finds.len();
        self.recorded(view, finds);
        for found in finds.iter_mut().skip(behind) {
            found.how = How::Besides;
        }
        true
    }
}

/// The access point that a request went through: recorded, sent as an ARN in place of the bucket,
/// or hidden behind its alias.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-alias.html>.
fn access_point_of<'a>(view: &View<'a, '_>) -> Option<&'a str> {
    let is_access_point = |arn: &str| arn.split(':').nth(5).is_some_and(|resource| resource.starts_with("accesspoint"));
    let of_arn = |arn: &'a str| arn.split("/object/").next().filter(|arn| is_access_point(arn));
    if let Some(arn) = view.recorded().iter().find_map(|item| of_arn(item.arn)) {
        return Some(arn);
    }
    let Shown::Object(parameters) = view.shown else { return None };
    let bucket = parameters.get("bucketName").and_then(Json::as_str)?;
    if bucket.starts_with("arn:") {
        return of_arn(bucket);
    }
    bucket.ends_with("-s3alias").then(|| {
        let facts = view.facts;
        &*bumpalo::format!(in view.arena, "arn:{}:s3:{}:{}:accesspoint/*", facts.partition, facts.region, facts.account).into_bump_str()
    })
}
